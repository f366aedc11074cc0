//! Runs the examples of the manual pages unchanged, without an engine. A command that needs an engine must exit with 75
//! (try again), which it does only after it accepted all its arguments and input.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::{root, tool};

/// The pages with examples, and the expected exit code of each example in the order of the page. `None` means that another
/// test runs it (`the_examples_of_the_page_run_on_a_bundle` of log-snap).
const PAGES: [(&str, &[Option<i32>]); 9] = [
    ("flake-classify.1", &[Some(75), Some(75), Some(0), Some(0), Some(0)]),
    ("log-snap.1", &[Some(75), None, None, None]),
    // The verdicts in this test's ledger do not support the fix.
    ("pr-open.1", &[Some(1)]),
    ("redfix-report.1", &[Some(1), Some(1), Some(1)]),
    // The status of a pipe is that of its last stage that failed: grep finds nothing.
    ("swarm-guard.1", &[Some(75), Some(75), Some(75), Some(75), Some(75), Some(1)]),
    ("swarm-isolate.1", &[Some(75), Some(75), Some(75), Some(75)]),
    ("swarm-wait.1", &[Some(75), Some(75), Some(75)]),
    // With pipefail, a pipe exits with the code of its last failed stage: swarm-isolate gets no lease.
    ("warm-domain-alloc.1", &[Some(2), Some(75), Some(1), Some(75)]),
    ("redfix.7", &[Some(1), Some(0), Some(1), Some(75), Some(75), Some(1)]),
];

/// The commands in a page's EXAMPLES: each `.Dl` line, and each line of a literal block, continued lines joined.
fn examples(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("man").join(page)).unwrap();
    let section = text.split(".Sh EXAMPLES").nth(1).expect("EXAMPLES").split("\n.Sh ").next().unwrap();
    let plain = |line: &str| line.replace("\\(dq", "\"").replace("\\e", "\\").replace("\\&", "");
    let (mut found, mut literal, mut open) = (Vec::new(), false, String::new());
    for line in section.lines() {
        if let Some(command) = line.strip_prefix(".Dl ") {
            found.push(plain(command));
        } else if line.starts_with(".Bd ") || line == ".Ed" {
            literal = line != ".Ed";
        } else if literal {
            open += &plain(line);
            if open.ends_with('\\') || open.trim_end().ends_with('|') {
                open.push('\n');
            } else {
                found.push(std::mem::take(&mut open));
            }
        }
    }
    found
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with every file and program that the examples name.
fn scene() -> e2e::folder::Folder {
    let dir = e2e::folder::Folder::new();
    let at = |name: &str| dir.path().join(name);
    let data = root().join("tools/redfix-report/tests/data");
    for name in ["ledger.jsonl", "l.jsonl"] {
        fs::copy(data.join("ledger.jsonl"), at(name)).unwrap();
    }
    symlink(data.join("evidence"), at("evidence")).unwrap();
    for (night, result) in [("1", "<failure/>"), ("2", "")] {
        fs::create_dir_all(at("nights").join(night)).unwrap();
        let text = format!("<testsuite><testcase classname='a' name='t'>{result}</testcase></testsuite>");
        fs::write(at("nights").join(night).join("junit.xml"), text).unwrap();
    }
    fs::write(at("runs.csv"), "test,outcome\nt,fail\nt,pass\n").unwrap();
    fs::write(at("warm-domains.txt"), "warm-a.invalid\n").unwrap();
    fs::copy(root().join("ground/rows/mumble/sweep.xml"), at("sweep.xml")).unwrap();
    fs::create_dir(at("fixes")).unwrap();
    symlink(root().join("ground/rows/mumble/fixes/readiness"), at("fixes/readiness")).unwrap();
    for folder in ["scripts", "ground"] {
        symlink(root().join(folder), at(folder)).unwrap();
    }
    fs::write(at("ci.json"), r#"{"owner": "ci"}"#).unwrap();
    for name in ["lifecycle", "run-ci", "run-recipe"] {
        executable(&at(name), "#!/bin/sh\n");
    }
    let golden = |kind: &str| {
        let lines = root().join("lib-common/tests/data/v1").join(format!("{kind}.jsonl"));
        format!("{}\n", fs::read_to_string(lines).unwrap().lines().next().unwrap())
    };
    fs::write(at("cases.jsonl"), golden("case.failed")).unwrap();
    fs::write(at("before.jsonl"), golden("case.failed") + &golden("domain.leased")).unwrap();
    let script = "git init -q --bare --initial-branch=main $0 && export GIT_DIR=$0 GIT_WORK_TREE=$1 && git add mumble &&
                  git -c user.name=t -c user.email=t@t commit -q -m t";
    let made = Command::new("bash")
        .args(["-c", script])
        .args([at("review/ci/harness.git"), root().join("ground/rows")])
        .status()
        .unwrap();
    assert!(made.success());
    dir
}

#[test]
fn every_example_of_every_page_runs() {
    for (page, codes) in PAGES {
        let examples = examples(page);
        assert_eq!(examples.len(), codes.len(), "{page}: {examples:#?}");
        for (example, code) in examples.iter().zip(codes) {
            let Some(code) = code else { continue };
            let dir = scene();
            // `...` stands for other stages of the pipe: replace it by a file; and use the review queue in this test's folder.
            let script = example.replacen("... |", "cat before.jsonl |", 1);
            let script = script.trim_end_matches("| ...");
            let script = script.replace("/srv/review", &dir.path().join("review").display().to_string());
            let tools = tool("flake-classify").parent().unwrap().display().to_string();
            let path = format!(
                "{tools}:{0}/scripts:{0}/ground:{1}",
                root().display(),
                std::env::var("PATH").unwrap()
            );
            let output = Command::new("timeout")
                .args(["60", "bash", "-o", "pipefail", "-c", &script])
                .env("PATH", path)
                .env("REDFIX_BIN", &tools)
                .env("DOCKER_HOST", "unix:///nonexistent")
                .env("REDFIX_STACK", "s")
                .env("REDFIX_BASE_DOMAIN", "ci.example")
                .env("REDFIX_FORGE", format!("dir:{}", dir.path().join("review").display()))
                .current_dir(dir.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(*code), "{page}: {script}\n{told}");
            assert!(!told.contains("Usage:"), "{page}: {script}\n{told}");
            assert!(*code != 75 || told.contains("connecting to the engine"), "{page}: {script}\n{told}");
        }
    }
}
