//! Tests of `--state-dir`: the state files are updated, and what people wrote into them is kept.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::{Ledger, flake, genuine, run};

const FILES: [&str; 5] =
    ["STATUS-redfix.md", "BACKLOG-redfix.md", "REVIEW-redfix.md", "JOURNAL-redfix.md", "DECISIONS.md"];

fn write(dir: &Path, ledger: &Ledger) {
    fs::write(dir.join("ledger.jsonl"), ledger.text()).unwrap();
    fs::create_dir_all(dir.join("evidence/run")).unwrap();
    fs::write(dir.join("evidence/run/out.log"), "what the run said\n").unwrap();
}

fn tool(dir: &Path, options: &[&str]) -> Option<i32> {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_redfix-report"));
    tool.args(options).current_dir(dir).env_clear().env("REDFIX_AUTHOR", "bob");
    let output = tool.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    output.status.code()
}

fn keep(dir: &Path) -> Option<i32> {
    tool(dir, &["--state-dir", "state", "ledger.jsonl"])
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join("state").join(name)).unwrap()
}

#[test]
fn done_needs_both_gates_and_somebody_elses_word_on_each() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, &Ledger([flake().0, genuine().0].concat()));
    assert_eq!(keep(dir), Some(0));
    assert!(!read(dir, "STATUS-redfix.md").contains("## DONE"));
    for gate in ["M1", "M2"] {
        let review =
            ["review", "--reviewer", "ada", "--ledger", "ledger.jsonl", "--gate", gate, "ledger.jsonl"];
        assert_eq!(tool(dir, &review), Some(0));
        assert_eq!(keep(dir), Some(0));
        assert_eq!(read(dir, "STATUS-redfix.md").contains("\n## DONE\n"), gate == "M2", "{gate}");
    }
    assert!(read(dir, "REVIEW-redfix.md").contains("- M2: PASS by ada (GATE M2 PASS 2/2 fixed)"));
    // If only one gate is asked for, the page still has both.
    assert_eq!(tool(dir, &["--gate", "M1", "--state-dir", "state", "ledger.jsonl"]), Some(0));
    assert!(read(dir, "STATUS-redfix.md").contains("\n## DONE\n"));
    // After the reviews the ledger changes, so they no longer count.
    let ledger = fs::read_to_string(dir.join("ledger.jsonl")).unwrap();
    fs::write(dir.join("ledger.jsonl"), ledger + "{\"type\":\"x.later\"}\n").unwrap();
    assert_eq!(keep(dir), Some(0));
    assert!(!read(dir, "STATUS-redfix.md").contains("## DONE"));
}

#[test]
fn exceptions_shrink_the_journal_grows_and_people_keep_their_words() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let seen = Ledger::default().with("run.finished", run("s1", "seen@2/deploy", "isolated", "none", "fail"));
    fs::create_dir(dir.join("state")).unwrap();
    for name in FILES {
        fs::write(dir.join("state").join(name), format!("# {name}\n\nmine\n")).unwrap();
    }
    write(dir, &seen);
    assert_eq!(keep(dir), Some(1));
    assert!(read(dir, "DECISIONS.md").contains("- seen: seen\\@"), "{}", read(dir, "DECISIONS.md"));
    assert!(read(dir, "BACKLOG-redfix.md").contains("- [ ] seen\\@"));
    let before: Vec<String> = FILES.iter().map(|name| read(dir, name)).collect();
    assert_eq!(keep(dir), Some(1));
    assert_eq!(FILES.iter().map(|name| read(dir, name)).collect::<Vec<_>>(), before, "twice is once");

    // The next ledger does not have that case: it disappears from every list, but not from the journal.
    write(dir, &Ledger([flake().0, genuine().0].concat()));
    assert_eq!(keep(dir), Some(0));
    assert!(read(dir, "DECISIONS.md").contains("Nothing."));
    let journal = read(dir, "JOURNAL-redfix.md");
    let old = before[3].strip_suffix("<!-- redfix:end journal -->\n").unwrap();
    assert!(journal.starts_with(old) && journal.len() > before[3].len(), "{journal}");
    for name in FILES {
        assert!(read(dir, name).starts_with(&format!("# {name}\n\nmine\n\n<!-- redfix:begin")));
    }
}

#[test]
fn hostile_words_break_no_marker() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let evil = "x@1/<!-- redfix:end status -->\n## DONE";
    let failed = json!({"case": evil, "recipe": "x\n## DONE", "version": "1", "test": evil, "stage": "custom",
        "source": "<!-- redfix:end journal -->", "message": "\n## DONE\n<!-- redfix:begin status -->"});
    write(dir, &Ledger::default().with("case.failed", failed));
    assert_eq!(keep(dir), Some(1));
    assert_eq!(keep(dir), Some(1));
    for name in FILES {
        let text = read(dir, name);
        assert_eq!(text.matches("<!--").count(), 2, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("## DONE")), "{text}");
    }
}
