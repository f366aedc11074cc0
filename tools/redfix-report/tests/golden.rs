//! Compares the whole report of one rich ledger, in every format, with golden files. `UPDATE=1 cargo test` writes them
//! anew.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use support::{Ledger, checked, flake, genuine, run, snap, stale_test, verdict};

const FORMATS: [&str; 6] = ["text", "md", "html", "csv", "junit", "json"];
const HOSTILE: &str = "hostile@1/t.py::test_|`x`<img src=x onerror=alert(1)>";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// A ledger with three cases that pass (one by a comment), one that is proven and not fixed, one that is undecided and
/// has hostile texts, and one that has only a run.
fn rich() -> String {
    let stale = serde_json::to_string(&stale_test().0).unwrap().replace("discourse", "outline");
    let mut all = Ledger([flake().0, genuine().0, serde_json::from_str(&stale).unwrap()].concat());
    let ids = ["d1", "d2", "d3", "d4", "d5"];
    let case = "discourse@0.8.1/upgrade";
    all.push("case.failed", json!({"case": case, "recipe": "discourse", "version": "0.8.1", "test": "upgrade",
        "stage": "upgrade", "source": "sweep.xml", "message": "overlay asserts the official image",
        "ref": {"commit": "a".repeat(40), "kind": "tag", "name": "0.8.1"},
        "last_green": {"ts": "2026-06-17T02:00:00Z", "ref": {"commit": "b".repeat(40), "kind": "pull-request", "name": "#4"}}}));
    for id in ids {
        all.push("run.finished", run(id, case, "isolated", "none", "fail"));
        all.push("log.snapped", snap(id));
    }
    // One bundle has gaps, one run's evidence was changed, and one is still to be counted.
    all.0
        .iter_mut()
        .filter(|r| r["attempt_id"] == "d1" && r["type"] == "log.snapped")
        .for_each(|r| r["complete"] = json!(false));
    all.0
        .iter_mut()
        .filter(|r| r["attempt_id"] == "d2" && r["type"] == "run.finished")
        .for_each(|r| r["evidence"]["blake3"] = json!("00"));
    let mut decided = verdict(case, "genuine", "test", "test-comment", [5, 0], [0, 0], &ids);
    decided["shown_by"] = json!({"factor": "test", "red": "0.8.1", "green": "main", "ratio": 32.0});
    all.push("flake.verdict", decided);
    let mut red = checked(case, "coop/harness", 11, "red");
    red["contexts"] = json!([{"context": "ci", "status": "failure"}]);
    all.push("pr.opened", support::opened(case, "coop/harness", 11, "harness-pr"));
    all.push("pr.checked", red);
    hostile(&mut all);
    all.push("run.finished", run("s1", "seen@2/deploy", "isolated", "none", "infra"));
    all.push("x.unknown", json!({"n": 1}));
    all.push(
        "review.recorded",
        json!({"reviewer": "ada", "gate": "M1", "ledger": "of another day", "pass": true}),
    );
    let lines = all.text();
    format!("{lines}{}\n", lines.lines().nth(3).unwrap())
}

fn hostile(all: &mut Ledger) {
    all.push("case.failed", json!({"case": HOSTILE, "recipe": "hostile", "version": "1", "test": "t.py",
        "stage": "custom", "source": "s",
        "message": "\u{1b}[31m@everyone\u{1b}[0m |a|b| `rm -rf` <script>alert(1)</script> #1 !testme \u{202e}gnp http://evil.example 世界世界"}));
    let mut odd = run("h-1", HOSTILE, "loaded", "none", "fail");
    odd["factors"]["path"] = json!("warm|cold");
    odd["isolation"] = json!({"proved": false, "why": "foreign CPU share 0.61\u{7}", "slots_held": 1, "slots_total": 2, "other_deploys": 3});
    all.push("run.finished", odd);
    let mut open = verdict(HOSTILE, "inconclusive", "unattributed", "recipe-pr", [0, 0], [1, 0], &["h-1"]);
    open["sentence"] = json!("[click](javascript:alert(1)) **bold**\n# heading");
    all.push("flake.verdict", open);
    let mut pull = support::opened(HOSTILE, "coop/hostile", 1, "recipe-pr");
    pull["url"] = json!("javascript:alert(1)");
    pull["title"] = json!("<b>@ada</b>");
    all.push("pr.opened", pull);
}

fn report(format: &str) -> Output {
    with(&["--format", format])
}

fn with(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_redfix-report"))
        .args(options)
        .arg("ledger.jsonl")
        .current_dir(data())
        .env_clear()
        .output()
        .unwrap()
}

fn same(name: &str, now: &str) {
    let path = data().join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, now).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap();
    assert!(frozen == now, "{name} is not what it was; UPDATE=1 writes it anew:\n{now}");
}

#[test]
fn the_evidence_is_what_the_ledger_says() {
    let hash = lib_common::evidence::root_hash(&data().join("evidence/run")).unwrap();
    assert_eq!(hash, support::EVIDENCE);
}

#[test]
fn the_reports_are_what_they_were() {
    same("ledger.jsonl", &rich());
    let files = ["report.txt", "report.md", "report.html", "report.csv", "report.xml", "report.json"];
    for (format, name) in FORMATS.into_iter().zip(files) {
        let output = report(format);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        same(name, &String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn text_fits_eighty_columns_and_holds_nothing_that_a_terminal_obeys() {
    let text = String::from_utf8(report("text").stdout).unwrap();
    for line in text.lines() {
        let wide = line.chars().filter(|c| *c >= '\u{1100}').count();
        assert!(line.chars().count() + wide <= 80, "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

#[test]
fn html_holds_no_foreign_element_and_says_so_in_its_policy() {
    let text = String::from_utf8(report("html").stdout).unwrap();
    for harm in ["<script>alert", "<img", "href=\"javascript", "<b>@ada"] {
        assert!(!text.contains(harm), "{harm}");
    }
    assert!(
        text.contains("&#60;script&#62;alert(1)") || text.contains("&lt;script&gt;alert(1)"),
        "it is shown"
    );
    assert_eq!(text.matches("<script>").count(), 1);
    assert!(text.contains("content=\"default-src &#39;none&#39;; style-src &#39;sha256-"), "the policy");
    assert!(!text.contains(" style=\"") && !text.contains(" onclick"), "the policy would forbid it");
}

#[test]
fn csv_has_a_row_per_case_and_no_formula() {
    let text = report("csv").stdout;
    let mut rows = csv::Reader::from_reader(text.as_slice());
    let head = rows.headers().unwrap().clone();
    assert_eq!((&head[0], &head[1], &head[head.len() - 1]), ("case", "recipe", "M2"));
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@']) && !cell.contains(char::is_control), "{cell:?}");
    }
}

#[test]
fn junit_is_read_by_another_reader_and_its_names_are_unique() {
    let text = report("junit").stdout;
    let suites = junit_parser::from_reader(text.as_slice()).unwrap();
    let gates: Vec<&str> = suites.suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(gates, ["GATE M1 FAIL 3/6 proven", "GATE M2 FAIL 3/6 fixed"]);
    let tests: Vec<_> = suites.suites.iter().flat_map(|suite| &suite.cases).collect();
    let names: std::collections::BTreeSet<_> = tests.iter().map(|t| (&t.classname, &t.name)).collect();
    assert_eq!((tests.len(), names.len()), (12, 12));
    assert_eq!(tests.iter().filter(|test| test.status.is_failure()).count(), 6);
}

#[test]
fn markdown_keeps_its_limit_and_never_cuts_the_gates() {
    let limited = |bytes: &str| with(&["--format", "md", "--max-bytes", bytes]);
    let whole = String::from_utf8(report("md").stdout).unwrap();
    let tables = whole.split("\n### ").next().unwrap();
    for limit in [tables.len() + 100, whole.len() - 1, whole.len()] {
        let text = String::from_utf8(limited(&limit.to_string()).stdout).unwrap();
        assert!(text.len() <= limit && text.starts_with(tables), "{limit}");
        assert_eq!(text.contains("Left out because of the size limit"), limit < whole.len(), "{limit}");
    }
    let gates = whole.split("\n\n").next().unwrap();
    for limit in (gates.len() + 1..tables.len() + 40).step_by(37) {
        let text = String::from_utf8(limited(&limit.to_string()).stdout).unwrap();
        assert!(text.len() <= limit && text.starts_with(gates), "{limit}: {text}");
        assert!(!text.contains("\n### "), "{limit}");
    }
    let output = limited("100");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("raise --max-bytes"));
}

#[test]
fn several_formats_go_into_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("reports");
    let output = with(&["--format", &FORMATS.join(","), "--out", out.to_str().unwrap()]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "GATE M1 FAIL 3/6 proven\nGATE M2 FAIL 3/6 fixed\n"
    );
    for (format, ending) in FORMATS.into_iter().zip(["txt", "md", "html", "csv", "xml", "json"]) {
        assert_eq!(
            fs::read(out.join(format!("report.{ending}"))).unwrap(),
            report(format).stdout,
            "{format}"
        );
    }
    let output = with(&["--format", "text,md"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--out"));
}

#[test]
fn markdown_tables_have_the_columns_of_their_heads() {
    let text = String::from_utf8(report("md").stdout).unwrap();
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut head = None;
    for line in text.lines() {
        if line.starts_with('|') {
            assert_eq!(*head.get_or_insert(columns(line)), columns(line), "{line}");
        } else {
            head = None;
        }
    }
    for harm in ["<script", "<img", "@everyone", "!testme", "http://evil", "](javascript", "<javascript"] {
        assert!(!text.contains(harm), "{harm}");
    }
}
