//! Tests of the committed schema of the records: it matches the types, accepts every frozen line, and refuses damaged
//! ones.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use lib_common::record::TYPES;
use lib_common::record::schema::{SCHEMA, schema};
use serde_json::{Value, json};
use support::lines;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SCHEMA)
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap())
        .unwrap()
}

fn values(kind: &str) -> Vec<Value> {
    lines(kind).iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let now = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path(), &now).unwrap();
    }
    assert!(fs::read_to_string(path()).unwrap() == now, "{SCHEMA} differs; UPDATE=1 writes it anew");
}

#[test]
fn every_frozen_line_keeps_it() {
    let validator = validator();
    for (kind, _) in TYPES {
        for line in values(kind) {
            let faults: Vec<String> = validator.iter_errors(&line).map(|e| e.to_string()).collect();
            assert_eq!(faults, [""; 0], "{kind}: {line}");
        }
    }
}

#[test]
fn a_line_that_lacks_what_it_must_have_or_has_it_wrong_is_refused() {
    let validator = validator();
    for (kind, newest) in TYPES {
        let minimal = &values(kind)[1];
        for key in minimal.as_object().unwrap().keys().filter(|key| *key != "type") {
            let mut less = minimal.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(!validator.is_valid(&less), "{kind} without {key}");
        }
        for line in values(kind) {
            for key in line.as_object().unwrap().keys().filter(|key| *key != "x_later") {
                for wrong in [Value::Null, json!([[]]), json!({"wrong": []})] {
                    let mut damaged = line.clone();
                    damaged[key] = wrong.clone();
                    assert!(!validator.is_valid(&damaged), "{kind} with {key}: {wrong}");
                }
            }
        }
        let later =
            json!({"type": kind, "v": newest + 1, "ts": minimal["ts"], "investigation": "i", "tool": "t/1"});
        assert!(validator.is_valid(&later), "a newer {kind} is read by those who know it");
    }
}

#[test]
fn of_an_unknown_type_only_the_head_is_asked() {
    let validator = validator();
    let mut line = json!({"type": "x.y", "v": 1, "ts": "2026-06-17T23:18:04Z", "investigation": "i", "tool": "t/1", "z": null});
    assert!(validator.is_valid(&line));
    for (key, wrong) in [("ts", json!("yesterday")), ("tool", json!("t")), ("v", json!(0))] {
        let right = std::mem::replace(&mut line[key], wrong);
        assert!(!validator.is_valid(&line), "{line}");
        line[key] = right;
    }
}
