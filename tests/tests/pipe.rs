//! The tools together in a pipe, without an engine: from a sweep's file to a report.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::path::Path;
use std::process::{Command, Output};

use e2e::{first, pipe, records, root, tool};

/// The folder in which the scripts find the tools.
fn bin() -> std::path::PathBuf {
    tool("flake-classify").parent().unwrap().to_owned()
}

fn case_failed_of(sweep: &Path) -> Output {
    let mut script = Command::new(root().join("scripts/case-failed"));
    script.arg(sweep).args(["--recipe", "mumble"]).env("REDFIX_BIN", bin()).output().unwrap()
}

fn case_failed() -> Vec<u8> {
    let sweep = root().join("ground/rows/mumble/sweep.xml");
    let output = case_failed_of(&sweep);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_sweep_becomes_cases_that_every_tool_understands() {
    let cases = case_failed();
    let all = records(&cases);
    let case = first(&all, "case.failed");
    assert_eq!(all.len(), 1, "only what is red");
    assert_eq!(case["baseline"], serde_json::json!({"fix": "none", "load": "loaded"}));
    assert_eq!(case["stage"], "custom");
    assert_eq!(case["contrasts"][1]["levels"].as_array().unwrap().len(), 2, "none and the one fix");
    let planned = pipe(Command::new(tool("flake-classify")).arg("--next"), &cases);
    assert_eq!(planned.status.code(), Some(1));
    let plan = records(&planned.stdout);
    assert_eq!(first(&plan, "run.planned")["factors"]["load"], "isolated", "isolation before blame");
    assert_eq!(first(&plan, "run.planned")["investigation"], case["investigation"]);
}

#[test]
fn a_green_sweep_is_no_case() {
    let dir = e2e::folder::Folder::new();
    let file = dir.path().join("s.xml");
    std::fs::write(&file, "<testsuite><testcase classname='custom/x' name='y'/></testsuite>").unwrap();
    let run = || case_failed_of(&file);
    assert_eq!((run().status.code(), run().stdout.len()), (Some(1), 0));
    std::fs::write(&file, "<testsuite").unwrap();
    assert_eq!((run().status.code(), run().stdout.len()), (Some(2), 0));
}

#[test]
fn nothing_run_proves_nothing() {
    let judged = pipe(&mut Command::new(tool("flake-classify")), &case_failed());
    let all = records(&judged.stdout);
    assert_eq!(first(&all, "flake.verdict")["verdict"], "inconclusive");
    let report = pipe(&mut Command::new(tool("redfix-report")), &judged.stdout);
    assert_eq!(report.status.code(), Some(1));
    assert!(report.stdout.starts_with(b"GATE M1 FAIL 0/1"), "{}", String::from_utf8_lossy(&report.stdout));
    let empty = pipe(&mut Command::new(tool("redfix-report")), b"");
    assert_eq!(empty.status.code(), Some(1), "an empty ledger fails");
}

#[test]
fn jq_accepts_every_line_that_the_filters_print() {
    let judged = pipe(&mut Command::new(tool("flake-classify")), &case_failed());
    let jq = pipe(Command::new("jq").args(["-c", "."]), &judged.stdout);
    assert!(jq.status.success());
    assert_eq!(records(&jq.stdout).len(), records(&judged.stdout).len());
}
