//! Records against their schema, more strictly than readers are: every type and every field must be a known one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static STRICT: LazyLock<Validator> = LazyLock::new(|| {
    let text =
        std::fs::read_to_string(crate::root().join("schema/redfix-records.schema.json")).expect("the schema");
    let mut schema = serde_json::from_str(&text).expect("JSON");
    tighten(&mut schema);
    jsonschema::draft202012::new(&schema).expect("a schema")
});

/// No object may have more than the schema says. Head and body are two views of one object, so that the whole is closed
/// and not each of them.
fn tighten(schema: &mut Value) {
    let parts: Vec<String> = schema["allOf"]
        .as_array()
        .expect("the parts")
        .iter()
        .filter_map(|part| part["then"]["$ref"].as_str().or(part["$ref"].as_str()))
        .map(|part| part.trim_start_matches("#/$defs/").to_owned())
        .collect();
    for (name, definition) in schema["$defs"].as_object_mut().expect("definitions") {
        if !parts.contains(name) && definition.get("properties").is_some() {
            definition["additionalProperties"] = json!(false);
        }
    }
    schema["unevaluatedProperties"] = json!(false);
}

/// What is wrong with a record of ours, in words.
#[must_use]
pub fn faults(record: &Value) -> Vec<String> {
    STRICT.iter_errors(record).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// How many lines of each type the file of `E2E_RECORDS` has, and what is wrong with those that are not as they must be.
#[must_use]
pub fn conformance(emitted: &str) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut count, mut wrong) = (BTreeMap::new(), Vec::new());
    for (number, line) in emitted.lines().enumerate() {
        let record = serde_json::from_str(line).unwrap_or(Value::Null);
        *count.entry(record["type"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        wrong.extend(faults(&record).iter().map(|fault| format!("line {}: {fault}\n  {line}", number + 1)));
    }
    (count, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"type":"test.finished","v":1,"ts":"2026-06-17T23:18:04.512Z","investigation":"i",
        "tool":"swarm-isolate/0.1.0","attempt_id":"a","case":"r@1/t","recipe":"r","test":"t","outcome":"pass","duration_ms":1}"#;

    #[test]
    fn a_record_of_ours_is_as_the_schema_says_and_has_nothing_else() {
        let record: Value = serde_json::from_str(LINE).expect("JSON");
        assert_eq!(faults(&record), [""; 0]);
        let changes = [
            ("more", json!(1)),
            ("outcome", json!("green")),
            ("type", json!("test.ended")),
            ("message", Value::Null),
        ];
        for (key, value) in changes {
            let mut damaged = record.clone();
            damaged[key] = value;
            assert!(!faults(&damaged).is_empty(), "{damaged}");
        }
    }

    #[test]
    fn faults_are_counted_with_their_lines() {
        let line = LINE.replace('\n', "");
        let (count, wrong) = conformance(&format!("{line}\nnot JSON\n{}\n", line.replace("pass", "green")));
        assert_eq!(count.into_values().collect::<Vec<_>>(), [1, 2]);
        assert!(wrong.iter().any(|fault| fault.starts_with("line 3: /outcome: ")), "{wrong:?}");
        assert!(wrong.iter().all(|fault| !fault.starts_with("line 1: ")), "{wrong:?}");
    }
}
