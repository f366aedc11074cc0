//! The whole flow of the mumble row on a real swarm, as an operator starts it: once without interruption, and once
//! interrupted at five moments by Ctrl-C and SIGTERM.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::row::{assert_as_expected, latest};
use e2e::{docker, first, objects_named, pipe, records, require_engine, root, tool, wait_for};
use serde_json::Value;

/// The state folder of one investigation and its script.
struct Flow {
    dir: e2e::folder::Folder,
}

impl Flow {
    fn new() -> Self {
        require_engine();
        e2e::calm::require();
        Self { dir: e2e::folder::Folder::new() }
    }

    fn script(&self) -> Command {
        let mut command = Command::new(root().join("scripts/mumble.sh"));
        command
            .env("REDFIX_DIR", self.dir.path())
            .env("REDFIX_BIN", tool("swarm-isolate").parent().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0);
        command
    }

    /// The folder of the latest investigation.
    fn folder(&self) -> Option<PathBuf> {
        latest(self.dir.path(), "mumble")
    }

    fn ledger(&self) -> Vec<Value> {
        let path = self.folder().map(|folder| folder.join("ledger.jsonl"));
        let text = path.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        records(&text[..whole])
    }

    fn count(&self, kind: &str) -> usize {
        self.ledger().iter().filter(|record| record["type"] == kind).count()
    }

    /// Checks that nothing is left; must hold whenever the script has ended.
    #[track_caller]
    fn assert_nothing_left(&self) {
        assert_eq!(objects_named("iso-"), Vec::<String>::new());
        assert_eq!(objects_named("cold-"), Vec::<String>::new());
        assert_eq!(objects_named("redfix-lease"), Vec::<String>::new());
        assert_eq!(processes_with(self.dir.path()), Vec::<String>::new());
    }

    /// Checks the conclusions, which must be the same with and without interruptions.
    #[track_caller]
    fn assert_proven_and_fixed(&self, report: &str) {
        assert!(report.starts_with("GATE M1 PASS 1/1"), "{report}");
        assert!(report.contains("GATE M2 PASS 1/1"), "{report}");
        let ledger = self.ledger();
        let file = self.folder().unwrap().join("ledger.jsonl");
        assert_as_expected(&root().join("ground/rows"), &[file], false);
        let fixed = ledger.iter().rfind(|r| r["type"] == "fix.verdict").unwrap();
        assert_eq!(fixed["verdict"], "fixed");
        let opened = first(&ledger, "pr.opened");
        assert_eq!(opened["patch"], fixed["fix"], "verified is what was proposed");
        let checked = ledger.iter().rfind(|r| r["type"] == "pr.checked").unwrap();
        assert_eq!((&checked["state"], &checked["merged"]), (&"green".into(), &false.into()));
        for run in ledger.iter().filter(|r| r["type"] == "run.finished") {
            assert_eq!(run["cleanup"]["left"], Value::Array(vec![]), "{run:#}");
        }
    }
}

/// Command lines of processes whose arguments or environment name this folder.
fn processes_with(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap().as_bytes();
    let knows = |bytes: Vec<u8>| bytes.windows(folder.len()).any(|window| window == folder);
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let read = |what: &str| fs::read(entry.path().join(what)).unwrap_or_default();
        if knows(read("cmdline")) || knows(read("environ")) {
            found.push(String::from_utf8_lossy(&read("cmdline")).replace('\0', " "));
        }
    }
    found
}

/// Sends the signal as Ctrl-C does, to the whole foreground process group, or as `kill` does, to the script alone.
fn interrupt(child: &Child, signal: &str) {
    let target = if signal == "-INT" { format!("-{}", child.id()) } else { child.id().to_string() };
    assert!(Command::new("kill").args([signal, "--", &target]).status().unwrap().success());
}

#[test]
fn from_red_to_report() {
    let flow = Flow::new();
    let images = || {
        // docker lists images of the same second in no fixed order.
        let listed = docker(["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]);
        listed.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    e2e::require_images(&["murmurd"]);
    let before = images();
    let output = flow.script().output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    flow.assert_proven_and_fixed(&report);
    flow.assert_nothing_left();
    assert_eq!(images(), before, "images are as before");
    let folder = flow.folder().unwrap();
    let ledger = fs::read(folder.join("ledger.jsonl")).unwrap();
    let jq = pipe(Command::new("jq").args(["-c", "."]), &ledger);
    assert!(jq.status.success(), "jq accepts every line: {}", String::from_utf8_lossy(&jq.stderr));
    assert!(fs::read_to_string(folder.join("report.md")).unwrap().contains("load-flake"));
}

/// The name of a moment, and a check whether it has come.
type Moment = (&'static str, fn(&Flow) -> bool);

#[test]
fn five_interruptions_leave_nothing_and_cost_no_finished_run() {
    let flow = Flow::new();
    let moments: [(Moment, &str); 5] = [
        (("the case on record", |flow| flow.count("case.failed") == 1), "-INT"),
        (("a container of the first run", |_| !docker(["ps", "-q"]).is_empty()), "-TERM"),
        (("the first evidence", |flow| flow.count("log.snapped") >= 1), "-INT"),
        (("two good runs", |flow| good_runs(flow) >= 2), "-TERM"),
        (("the pull request", |flow| flow.count("pr.opened") == 1), "-INT"),
    ];
    for ((what, reached), signal) in moments {
        let mut child = flow.script().spawn().unwrap();
        wait_for(what, 400, || {
            assert!(child.try_wait().unwrap().is_none(), "it ended before: {what}");
            reached(&flow)
        });
        interrupt(&child, signal);
        let status = child.wait().unwrap();
        assert!(!status.success(), "interrupted at {what}, it must not look done");
        flow.assert_nothing_left();
    }
    let settled = good_runs(&flow);
    let output = flow.script().output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    assert_eq!(good_runs(&flow), settled, "once the pull request is open, no run is repeated");
    assert_eq!(flow.count("case.failed"), 1);
    flow.assert_proven_and_fixed(&report);
    flow.assert_nothing_left();
}

fn good_runs(flow: &Flow) -> usize {
    let good = |run: &&Value| {
        run["type"] == "run.finished" && (run["outcome"] == "pass" || run["outcome"] == "fail")
    };
    flow.ledger().iter().filter(good).count()
}

#[test]
fn an_unknown_line_passes_through_every_tool_unchanged() {
    require_engine();
    let odd = b"{ \"type\" : \"x.y\",\"n\":1.10, \"e\":1E5,\"big\":12345678901234567890123,\"u\":\"\\u00e9\",\"n\":2 }\r\n";
    let stages: [&[&str]; 5] = [
        &[
            "warm-domain-alloc",
            "--recipe",
            "odd",
            "--class",
            "run",
            "--base",
            "ci.example",
            "--holder",
            "odd-test",
        ],
        &["swarm-isolate", "--runs", "1", "--max-foreign-cpu", "2", "--", "true"],
        &["log-snap", "--stack", "none-such", "--out", "BUNDLE"],
        &["flake-classify"],
        &["pr-open", "--dry-run", "--fix", "FIX", "--forge", "FORGE", "--repo", "a/b"],
    ];
    let dir = e2e::folder::Folder::new();
    let bundle = dir.path().join("bundle").display().to_string();
    let forge = format!("dir:{}", dir.path().display());
    let bare = dir.path().join("a/b.git");
    assert!(Command::new("git").args(["init", "-q", "--bare"]).arg(&bare).status().unwrap().success());
    let _lease = Lease("odd-test");
    let fix = root().join("ground/rows/mumble/fixes/readiness").display().to_string();
    let mut stream = odd.to_vec();
    for stage in stages {
        let args = stage[1..].iter().map(|arg| match *arg {
            "BUNDLE" => bundle.as_str(),
            "FIX" => fix.as_str(),
            "FORGE" => forge.as_str(),
            other => other,
        });
        let output = pipe(Command::new(tool(stage[0])).args(args), &stream);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.starts_with(&stream), "{}: {told}", stage[0]);
        stream = output.stdout;
    }
}

/// Releases a holder's leases when the test ends, also when it fails.
struct Lease(&'static str);

impl Drop for Lease {
    fn drop(&mut self) {
        let mut release = Command::new(tool("warm-domain-alloc"));
        let output = pipe(release.args(["release", "--holder", self.0]), b"");
        assert!(
            output.status.success() || std::thread::panicking(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
