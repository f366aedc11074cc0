//! Conformance: a small file of every writer, and what is to be read in it. Each was written by running the writer over a
//! few tests of our own (long paths are shortened), or by hand after what the writer's source says.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How a file came to be.
enum Made {
    /// By running this version of the writer.
    Run(&'static str),
    /// After this source.
    After(&'static str),
}
use Made::{After, Run};

/// Tests by what they are in the file, each once, and the sessions that are unver.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    pass: usize,
    fail: usize,
    error: usize,
    skip: usize,
    unver: usize,
}

const fn counts(pass: usize, fail: usize, error: usize, skip: usize) -> Counts {
    Counts { pass, fail, error, skip, unver: 0 }
}

const fn unver(counts: Counts) -> Counts {
    Counts { unver: 1, ..counts }
}

/// Format, file, how it was made, what is in it.
const WRITERS: &[(&str, &str, Made, Counts)] = &[
    ("junit", "pytest7.xml", Run("pytest 7.4.4"), counts(3, 3, 2, 2)),
];

#[test]
fn every_writer_is_read_right() {
    let mut wrong = Vec::new();
    for (format, file, made, expected) in WRITERS {
        let read = read(format, file);
        if read != *expected {
            let made = match made {
                Run(version) => format!("written by {version}"),
                After(source) => format!("after {source}"),
            };
            wrong.push(format!("{file} ({made}): {read:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_in_the_table() {
    let listed: Vec<&str> = WRITERS.iter().map(|(_, file, _, _)| *file).collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(listed.contains(&name.as_str()), "{name}");
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects")
}

/// What the tool makes of a file: the worst result of each test.
fn read(format: &str, file: &str) -> Counts {
    let output = Command::new(env!("CARGO_BIN_EXE_flake-classify"))
        .args(["--from", format, file])
        .current_dir(folder())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut worst: BTreeMap<String, usize> = BTreeMap::new();
    let mut counts = Counts::default();
    const ORDER: [&str; 4] = ["skip", "pass", "error", "fail"];
    for record in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if record["type"] == "run.finished" && record["reason"] == "unver" {
            counts.unver += 1;
        }
        if record["type"] == "test.finished" {
            let rank = ORDER.iter().position(|word| record["outcome"] == *word).unwrap();
            let known = worst.entry(record["case"].to_string()).or_insert(rank);
            *known = rank.max(*known);
        }
    }
    let of = |word: &str| worst.values().filter(|rank| ORDER[**rank] == word).count();
    Counts { pass: of("pass"), fail: of("fail"), error: of("error"), skip: of("skip"), unver: counts.unver }
}
