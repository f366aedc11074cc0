//! The whole report of one rich ledger, as text and as Markdown. `UPDATE=1 cargo test` writes it anew.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use support::{Ledger, checked, flake, genuine, run, snap, verdict};

const HOSTILE: &str = "hostile@1/t.py::test_|`x`<img src=x onerror=alert(1)>";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// Two cases that pass, one that is proven and not fixed, one undecided and hostile, one that was only seen.
fn rich() -> String {
    let mut all = Ledger([flake().0, genuine().0].concat());
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
    Command::new(env!("CARGO_BIN_EXE_redfix-report"))
        .args(["--format", format, "ledger.jsonl"])
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
    for (format, name) in [("text", "report.txt"), ("md", "report.md"), ("json", "report.json")] {
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
