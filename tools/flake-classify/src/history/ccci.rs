//! Reads `results.json` of a cc-ci run, schema 2. One file is one run. Pure.
//!
//! The file has no status of the whole run: each row of a stage is a result, and a stage without rows has the result
//! that `results` (or `rungs`) gives for it. A result that is missing or unknown is `unver`, not an error, because a
//! run that was killed leaves such files behind.

use serde_json::{Map, Value};

use super::{Bad, Odd, PastResult, PastRun, word};

const SCHEMA: u64 = 2;

pub fn parse(bytes: &[u8], odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let Value::Object(top) =
        serde_json::from_slice(bytes).map_err(|e| Bad::at(e.line() as u64, format!("broken: {e}")))?
    else {
        return Err(Bad::whole("not a JSON object"));
    };
    let schema = ["schema", "schema_version"].iter().find_map(|key| top.get(*key)?.as_u64());
    if schema.is_some_and(|schema| schema != SCHEMA) {
        return Err(Bad::whole(format!(
            "it has schema {}, but only {SCHEMA} can be read",
            schema.unwrap_or(0)
        )));
    }
    let text = |key: &str| top.get(key).and_then(scalar);
    let pull = text("pr").is_some_and(|pr| pr != "0");
    let mut run = PastRun {
        id: text("run_id").unwrap_or_default(),
        named: text("run_id").is_some(),
        started: ["started", "started_at", "ts", "finished"].iter().find_map(|key| word::time(&text(key)?)),
        commit: text("ref"),
        kind: pull.then(|| "pull-request".into()),
        recipe: text("recipe"),
        version: text("version"),
        machine: text("host").or_else(|| text("node")),
        ..PastRun::default()
    };
    for stage in top.get("stages").and_then(Value::as_array).into_iter().flatten() {
        add(&mut run, stage, &top, odd);
    }
    run.duration_ms = run.results.iter().fold(0, |sum, result| sum.saturating_add(result.duration_ms));
    if run.results.is_empty() {
        run.unver = Some("no stage has a result".into());
    }
    Ok(vec![run])
}

fn add(run: &mut PastRun, stage: &Value, top: &Map<String, Value>, odd: &mut Odd) {
    let Some(name) = first(stage, &["stage", "name"]).or_else(|| scalar(stage)) else { return };
    let rows = ["tests", "rows", "cases", "results"].iter().find_map(|key| stage.get(*key)?.as_array());
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        let said = first(stage, &["status", "outcome", "result"]).or_else(|| {
            ["results", "rungs"].iter().find_map(|map| top.get(*map)?.get(&name).and_then(scalar))
        });
        run.results.push(result(name, said, stage, odd));
    } else {
        for row in rows {
            let Some(test) = first(row, &["test", "name", "id", "nodeid"]) else { continue };
            let inside = test.starts_with(&format!("{name}/"));
            let test = if inside { test } else { format!("{name}/{test}") };
            run.results.push(result(test, first(row, &["status", "outcome", "result"]), row, odd));
        }
    }
}

fn result(test: String, said: Option<String>, from: &Value, odd: &mut Odd) -> PastResult {
    let number = |key: &str| from.get(key).and_then(Value::as_f64);
    let duration_ms = match number("duration_ms") {
        Some(ms) => word::seconds(ms / 1000.0),
        None => word::seconds(number("duration").or_else(|| number("time")).unwrap_or(0.0)),
    };
    let outcome = word::outcome_or_odd(&said.unwrap_or_default(), "", odd);
    PastResult {
        test,
        outcome,
        duration_ms,
        message: first(from, &["message", "error", "reason"]),
        place: None,
    }
}

fn first(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| value.get(*key).and_then(scalar))
}

/// A text or a number as text; `None` for an empty text and for anything else.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
