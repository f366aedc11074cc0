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

const fn unver(mut counts: Counts) -> Counts {
    counts.unver = 1;
    counts
}

/// Format, file, how it was made, what is in it.
const WRITERS: &[(&str, &str, Made, Counts)] = &[
    (
        "junit",
        "surefire.xml",
        Run("Surefire 3.2.5 with rerunFailingTestsCount=1, JUnit 5.10.2 (properties left out)"),
        counts(2, 5, 0, 1),
    ),
    (
        "junit",
        "surefire-setup.xml",
        Run("Surefire 3.2.5, a @BeforeAll that failed (properties left out)"),
        counts(0, 0, 1, 0),
    ),
    (
        "junit",
        "gradle.xml",
        After("gradle/gradle: JUnitXmlResultWriter.java, with the test-retry plugin"),
        counts(1, 2, 0, 1),
    ),
    ("junit", "pytest7.xml", Run("pytest 7.4.4"), counts(3, 3, 2, 2)),
    ("junit", "pytest8.xml", Run("pytest 8.4.1"), counts(3, 3, 2, 2)),
    ("junit", "pytest9.xml", Run("pytest 9.2.0"), counts(3, 3, 2, 2)),
    ("junit", "pytest7-subtests.xml", Run("pytest 7.4.4, pytest-subtests 0.13.1"), counts(1, 1, 0, 0)),
    ("junit", "pytest8-subtests.xml", Run("pytest 8.4.1, pytest-subtests 0.14.2"), counts(1, 1, 0, 0)),
    ("junit", "pytest9-subtests.xml", Run("pytest 9.2.0"), counts(1, 1, 0, 0)),
    (
        "junit",
        "pytest8-xdist.xml",
        Run("pytest 8.4.1, pytest-xdist, a test that ends its worker"),
        counts(4, 4, 2, 2),
    ),
    (
        "junit",
        "pytest9-rerunfailures.xml",
        Run("pytest 9.2.0, pytest-rerunfailures 16.7, which writes no sign of a rerun"),
        counts(1, 1, 0, 0),
    ),
    (
        "junit",
        "pytest8-collect.xml",
        Run("pytest 8.4.1, a file that cannot be imported"),
        unver(counts(0, 0, 1, 0)),
    ),
    ("pytest-reportlog", "pytest9.jsonl", Run("pytest 9.2.0, pytest-reportlog 1.0.0"), counts(3, 3, 2, 2)),
    (
        "pytest-reportlog",
        "pytest8-subtests.jsonl",
        Run("pytest 8.4.1, pytest-subtests 0.14.2"),
        counts(1, 1, 0, 0),
    ),
    ("pytest-reportlog", "pytest9-subtests.jsonl", Run("pytest 9.2.0"), counts(1, 1, 0, 0)),
    (
        "pytest-reportlog",
        "pytest9-xdist.jsonl",
        Run("pytest 9.2.0, pytest-xdist 3.8.0, a test that ends its worker"),
        counts(1, 1, 0, 0),
    ),
    (
        "pytest-reportlog",
        "pytest9-rerunfailures.jsonl",
        Run("pytest 9.2.0, pytest-rerunfailures 16.7"),
        counts(0, 2, 0, 0),
    ),
    (
        "pytest-reportlog",
        "pytest9-collect.jsonl",
        Run("pytest 9.2.0, a file that cannot be imported"),
        unver(counts(0, 0, 0, 0)),
    ),
    ("junit", "unittest.xml", Run("unittest-xml-reporting on Python 3.11"), counts(1, 3, 0, 2)),
    (
        "junit",
        "unittest-fixture.xml",
        Run("unittest-xml-reporting, a setUpClass that failed"),
        counts(0, 0, 1, 0),
    ),
    ("nextest", "nextest.xml", Run("cargo-nextest 0.9.148 with retries = 1"), counts(1, 3, 0, 0)),
    (
        "nextest",
        "nextest-libtest.jsonl",
        Run("cargo-nextest 0.9.148, --message-format libtest-json"),
        counts(1, 3, 0, 1),
    ),
    (
        "nextest",
        "libtest.jsonl",
        Run("libtest of Rust 1.95, --format json, with a doctest"),
        counts(3, 1, 0, 1),
    ),
    ("junit", "go-junit-report.xml", Run("go-junit-report 2, Go 1.26"), counts(3, 4, 1, 1)),
    ("junit", "gotestsum.xml", Run("gotestsum, Go 1.26"), counts(3, 5, 0, 1)),
    (
        "junit",
        "jest-junit.xml",
        Run("jest 30.5.2, jest-junit 17.0.0 with reportTestSuiteErrors"),
        counts(4, 3, 0, 1),
    ),
    (
        "junit",
        "mocha-junit-reporter.xml",
        Run("mocha 10, mocha-junit-reporter 2.2.1, which leaves out what is pending"),
        counts(2, 2, 0, 0),
    ),
    ("junit", "mocha-xunit.xml", Run("mocha 12.0.3, --reporter xunit"), counts(2, 2, 0, 1)),
    ("junit", "vitest.xml", Run("vitest 4.1.12"), counts(1, 3, 0, 2)),
    ("junit", "node.xml", Run("node --test of Node 20.20.2"), counts(2, 2, 0, 2)),
    ("junit", "playwright.xml", Run("Playwright 1.65.1, two projects, retries: 1"), counts(4, 2, 0, 2)),
    ("junit", "googletest.xml", Run("googletest of Debian 12"), counts(2, 3, 0, 2)),
    ("junit", "ctest.xml", Run("ctest --output-junit"), counts(1, 2, 0, 3)),
    ("junit", "catch2.xml", After("catchorg/Catch2: catch_reporter_junit.cpp"), counts(1, 2, 0, 1)),
    ("junit", "phpunit.xml", After("sebastianbergmann/phpunit: JunitXmlLogger.php"), counts(3, 2, 0, 1)),
    ("junit", "rspec.xml", After("sj26/rspec_junit_formatter: rspec_junit_formatter.rb"), counts(2, 1, 0, 1)),
    ("junit", "exunit.xml", After("victorolinasc/junit-formatter: formatter.ex"), counts(1, 1, 1, 1)),
    ("junit", "dotnet.xml", After("spekt/junit.testlogger: JunitXmlSerializer.cs"), counts(1, 2, 0, 1)),
    ("junit", "bazel.xml", After("bazelbuild/bazel: generate-xml.sh"), counts(0, 1, 0, 0)),
];

/// A test that a run reports several times counts as the worst of them.
const ORDER: [&str; 4] = ["skip", "pass", "error", "fail"];

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
