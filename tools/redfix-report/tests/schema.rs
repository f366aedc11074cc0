//! Tests that the committed schema of `--format json` is that of the types, and that the golden report keeps it.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

use std::fs;
use std::path::{Path, PathBuf};

use redfix_report::json;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join(json::SCHEMA)).unwrap()).unwrap()
}

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = root().join(json::SCHEMA);
    let now = json::schema().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == now, "{} differs; UPDATE=1 writes it anew", json::SCHEMA);
}

#[test]
fn the_golden_report_keeps_the_schema_and_names_it() {
    let report = golden();
    assert_eq!(report["$schema"], json::SCHEMA);
    let validator = jsonschema::draft202012::new(&committed()).unwrap();
    let faults: Vec<String> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_schema_refuses_what_no_report_says() {
    let validator = jsonschema::draft202012::new(&committed()).unwrap();
    let damages: [fn(&mut Value); 5] = [
        |report| report["more"] = json!(1),
        |report| report["gates"][0]["passes"] = json!("yes"),
        |report| report["rows"][0]["runs"][0]["duration_ms"] = json!(-1),
        |report| report["rows"][0]["missing"] = json!({"M1": [{"rule": "stale"}]}),
        |report| {
            report["rows"][0].as_object_mut().unwrap().remove("key");
        },
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        let mut report = golden();
        damage(&mut report);
        assert!(!validator.is_valid(&report), "{n}");
    }
}
