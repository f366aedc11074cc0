//! Tests that every record line of version 1 still parses. The lines were frozen when their format was published.
//!
//! In `data/v1/<type>.jsonl` the first line has every field that existed when it was frozen, the second only the
//! required ones, and the third a field that this build does not know. One of the lines has every field of today. Lines
//! are only added, at the end; none is ever changed.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::collections::BTreeSet;

use lib_common::record::{Head, Known, TYPES};
use serde_json::{Map, Value};
use support::{DATA, fields_of, lines, parse};

fn object(line: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(line).unwrap()
}

#[test]
fn every_type_has_a_file_and_every_file_a_type() {
    let files: BTreeSet<String> = std::fs::read_dir(DATA)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let types: BTreeSet<String> = TYPES.iter().map(|(kind, _)| format!("{kind}.jsonl")).collect();
    assert_eq!(files, types);
}

#[test]
fn every_line_parses_and_what_is_emitted_parses_to_the_same() {
    for (kind, newest) in TYPES {
        let lines = lines(kind);
        assert!(lines.len() >= 3, "{kind} has too few lines");
        for line in lines {
            let (head, known) = parse(&line);
            assert_eq!(head.kind, *kind);
            assert!(head.v <= *newest);
            let emitted = known.to_line(&head).unwrap();
            let (again_head, again) = parse(emitted.as_slice());
            assert_eq!((&again_head, &again), (&head, &known));
            assert_eq!(again.to_line(&head).unwrap(), emitted);
        }
    }
}

#[test]
fn what_was_read_is_emitted_and_nothing_is_added() {
    for (kind, _) in TYPES {
        for line in lines(kind) {
            let (head, known) = parse(&line);
            let mut frozen = object(&line);
            frozen.remove("x_later");
            assert_eq!(object(&known.to_line(&head).unwrap()), frozen, "{kind}");
        }
    }
}

#[test]
fn one_line_is_full_and_the_second_minimal() {
    for (kind, _) in TYPES {
        let lines = lines(kind);
        let known: BTreeSet<String> = ["type", "v", "ts", "investigation", "tool"]
            .iter()
            .chain(&fields_of(kind))
            .map(ToString::to_string)
            .collect();
        let full = |line: &Vec<u8>| object(line).keys().cloned().collect::<BTreeSet<String>>() == known;
        assert!(lines.iter().any(full), "no line of {kind} has every field: {known:?}");
        let minimal = object(&lines[1]);
        for key in minimal.keys().filter(|key| !matches!(key.as_str(), "type" | "v")) {
            let mut less = minimal.clone();
            less.remove(key);
            let less = serde_json::to_vec(&less).unwrap();
            let parsed =
                Known::parse(kind, 1, &less).is_ok() && serde_json::from_slice::<Head>(&less).is_ok();
            assert!(!parsed, "{key} of {kind} is not required: it does not belong into the second line");
        }
        assert!(object(&lines[2]).contains_key("x_later"), "the third line of {kind} has an unknown field");
    }
}

#[test]
fn a_newer_version_and_an_unknown_type_are_left_alone() {
    for (kind, newest) in TYPES {
        assert_eq!(Known::parse(kind, newest + 1, b"{}").unwrap(), None);
    }
    assert_eq!(Known::parse("x.y", 1, b"{}").unwrap(), None);
}

#[test]
fn words_are_what_the_records_say() {
    use lib_common::record::run::Outcome;
    use lib_common::record::verdict::{Cause, Verdict};
    let json = |value: serde_json::Result<serde_json::Value>| value.unwrap();
    for verdict in [Verdict::Genuine, Verdict::LoadFlake, Verdict::Flake, Verdict::Inconclusive] {
        assert_eq!(json(serde_json::to_value(verdict)), verdict.word());
    }
    let causes =
        [Cause::Load, Cause::Recipe, Cause::Test, Cause::Machinery, Cause::Namespace, Cause::Unattributed];
    for cause in causes {
        assert_eq!(json(serde_json::to_value(cause)), cause.word());
    }
    let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::Timeout, Outcome::Aborted, Outcome::Infra];
    for outcome in outcomes.into_iter().chain([Outcome::Disturbed, Outcome::GuardBypassed]) {
        assert_eq!(json(serde_json::to_value(outcome)), outcome.word());
    }
}
