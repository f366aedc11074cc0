//! Commands on finished bundles: what they print, what they remove, how they end.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use log_snap::bundle::entry::{End, Entry, Snap, Stream, Task};
use log_snap::bundle::write::Writer;
use serde_json::Value;

/// Service, second of the minute, text.
type Row<'t> = (&'t str, u32, &'t str);

/// A bundle of these lines; tasks of the services in `failed` ended with code 1.
fn bundle(dir: &Path, name: &str, ended: &str, rows: &[Row], failed: &[&str]) -> PathBuf {
    let out = dir.join(name);
    let mut writer = Writer::create(&out).unwrap();
    let snap = Snap {
        schema: 1,
        tool: "t/1".into(),
        stack: "s".into(),
        attempt_id: Some("A1".into()),
        mode: "once".into(),
        started: ended.into(),
        ended: ended.into(),
        node: "n".into(),
        engine: "e".into(),
        clock_skew_ms: 0,
    };
    writer.entry(&Entry::Snap(snap)).unwrap();
    let mut services: Vec<&str> = rows.iter().map(|row| row.0).collect();
    services.dedup();
    services.sort_unstable();
    services.dedup();
    for service in services {
        let task = Task {
            id: format!("task{service}"),
            service: format!("s_{service}"),
            name: format!("{service}.1"),
            node: "n".into(),
            container: Some(format!("{service}0123456789abcdef")),
            image: "i".into(),
            state: if failed.contains(&service) { "failed" } else { "running" }.into(),
            error: String::new(),
            exit_code: failed.contains(&service).then_some(1),
            meaning: None,
        };
        writer.entry(&Entry::Task(task)).unwrap();
        let mine: Vec<&Row> = rows.iter().filter(|row| row.0 == service).collect();
        let time = |row: Option<&&Row>| row.map(|row| format!("2026-01-02T03:04:{:02}.000000000Z", row.1));
        let entry = Stream {
            task: Some(format!("task{service}")),
            source: "file".into(),
            first: time(mine.first()),
            last: time(mine.last()),
            ..support::log(&mut writer, service, mine.iter().map(|row| (row.1, row.2)))
        };
        writer.entry(&Entry::Stream(entry)).unwrap();
    }
    writer.finish(End { complete: true, ..End::default() }).unwrap();
    out
}

fn log_snap(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-snap"));
    for name in ["REDFIX_LEDGER", "REDFIX_LEDGER_DIR", "REDFIX_SECRETS_FD"] {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const RUN: [Row; 5] = [
    ("app", 1, "starting"),
    ("db", 2, "ready in 31 ms"),
    ("app", 3, "connected to 10.0.0.7"),
    ("app", 20, "serving"),
    ("db", 30, "checkpoint 17"),
];

#[test]
fn cat_prints_what_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let out = bundle(dir.path(), "snap", "2026-01-02T03:05:00Z", &RUN, &[]);
    let cat = |more: &[&str]| {
        let output = log_snap(&[&["cat", out.to_str().unwrap()], more].concat());
        let last = |line: &str| line.split(" out ").nth(1).unwrap().to_owned();
        (output.status.code().unwrap(), text(&output).lines().map(last).collect::<Vec<_>>().join("|"))
    };
    assert_eq!(cat(&["--task", "app.1", "--grep", "^(start|serv)ing"]), (0, "starting|serving".into()));
    assert_eq!(cat(&["--task", "taskdb"]), (0, "ready in 31 ms|checkpoint 17".into()));
    assert_eq!(cat(&["--task", "db0123"]), (0, "ready in 31 ms|checkpoint 17".into()));
    assert_eq!(cat(&["--since", "10s"]), (0, "serving|checkpoint 17".into()));
    assert_eq!(
        cat(&["--since", "2026-01-02T03:04:02Z", "--until", "2026-01-02T03:04:03.5Z"]).1,
        "ready in 31 ms|connected to 10.0.0.7"
    );
    assert_eq!(cat(&["--task", "nobody.1"]).0, 1);
    assert_eq!((cat(&["--since", "yesterday"]).0, cat(&["--grep", "("]).0), (2, 2));
}

#[test]
fn an_offset_is_sought_frame_by_frame() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snap");
    let mut writer = Writer::create(&out).unwrap();
    let content: Vec<u8> = (0..3_300_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut blob = writer.builder().unwrap();
    blob.push(&content).unwrap();
    let hash = writer.blob(blob).unwrap().unwrap();
    writer.finish(End::default()).unwrap();
    for (offset, bytes) in [(0, 10), (1 << 20, 10), ((1 << 20) - 3, 7), (3_299_995, 100), (9_000_000, 5)] {
        let (from, many) = (offset.to_string(), bytes.to_string());
        let output =
            log_snap(&["cat", out.to_str().unwrap(), "--blob", &hash, "--offset", &from, "--bytes", &many]);
        let (from, to) = (content.len().min(offset), content.len().min(offset + bytes));
        assert_eq!(output.stdout, &content[from..to], "{offset}");
    }
    // What lies before is not even read: a damaged first frame does not matter.
    let path = out.join(format!("blobs/{}/{hash}.zst", &hash[..2]));
    let mut file = fs::read(&path).unwrap();
    file[0] ^= 0xff;
    fs::write(&path, file).unwrap();
    let args = ["cat", out.to_str().unwrap(), "--blob", &hash, "--offset", "2097160", "--bytes", "4"];
    assert_eq!(log_snap(&args).stdout, &content[2_097_160..2_097_164]);
    assert_eq!(log_snap(&["cat", out.to_str().unwrap(), "--blob", "00"]).status.code(), Some(2));
}

#[test]
fn diff_names_where_services_part() {
    let dir = tempfile::tempdir().unwrap();
    let good = bundle(dir.path(), "good", "2026-01-02T03:05:00Z", &RUN, &[]);
    let same: Vec<Row> = RUN.iter().map(|(service, second, line)| (*service, second + 7, *line)).collect();
    let same = bundle(dir.path(), "same", "2026-01-02T03:05:00Z", &same, &[]);
    let rows: Vec<Row> = vec![
        ("app", 1, "starting"),
        ("db", 2, "ready in 9999 ms"),
        ("app", 4, "cannot connect to 10.0.9.9"),
        ("app", 5, "giving up"),
        ("extra", 6, "hello"),
    ];
    let bad = bundle(dir.path(), "bad", "2026-01-02T03:05:00Z", &rows, &["app"]);
    let diff = |bad: &Path| log_snap(&["diff", good.to_str().unwrap(), bad.to_str().unwrap()]);
    assert_eq!((diff(&same).status.code(), diff(&same).stdout.len()), (Some(0), 0));
    let output = diff(&bad);
    let found = json(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        found.iter().map(|row| row["service"].as_str().unwrap()).collect::<Vec<_>>(),
        ["app", "db", "extra"]
    );
    assert_eq!(
        (&found[0]["bad"]["text"], &found[0]["bad"]["line"]),
        (&"cannot connect to 10.0.9.9".into(), &2.into())
    );
    assert_eq!(found[0]["before"]["text"], "starting");
    assert_eq!((&found[1]["good"]["text"], found[1].get("bad")), (&"checkpoint 17".into(), None));
}

#[test]
fn first_error_prefers_what_failed_and_what_is_clear() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = vec![
        ("db", 1, "ERROR: deadlock, but I live"),
        ("app", 2, "starting"),
        ("app", 3, "could not reach the cache, trying again"),
        ("app", 4, "FATAL: /etc/app.ini: read-only file system"),
        ("app", 5, "panic: bye"),
    ];
    let first = |name: &str, rows: &[Row], failed: &[&str]| {
        let out = bundle(dir.path(), name, "2026-01-02T03:05:00Z", rows, failed);
        let output = log_snap(&["first-error", out.to_str().unwrap()]);
        (output.status.code().unwrap(), json(&output).pop())
    };
    let (code, found) = first("a", &rows, &["app"]);
    let found = found.unwrap();
    assert_eq!((code, found["text"].as_str(), found["service"].as_str()), (0, Some(rows[3].2), Some("app")));
    assert_eq!((found["line"].as_u64(), found["offset"].as_u64()), (Some(3), Some(9 + 40)));
    assert_eq!(found["signature"].as_str().unwrap().len(), 16);
    assert_eq!(first("b", &rows, &["db"]).1.unwrap()["text"], rows[0].2);
    assert_eq!(first("c", &rows, &[]).1.unwrap()["text"], rows[3].2);
    assert_eq!(first("d", &rows[1..2], &["app"]).1.unwrap()["why"], "the last words of a task that failed");
    assert_eq!(first("e", &rows[1..2], &[]).0, 1);
}

#[test]
fn gc_removes_what_is_old_and_nobody_needs() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, ended: &str| bundle(dir.path(), name, ended, &RUN, &[]);
    let (old, needed) =
        (make("inv/a/snap", "2026-01-02T03:05:00Z"), make("inv/b/snap", "2026-01-02T03:05:00Z"));
    let young = make("inv/c/snap", "2199-01-02T03:05:00Z");
    fs::create_dir_all(dir.path().join("inv/other")).unwrap();
    fs::write(dir.path().join("inv/other/index.jsonl"), "{\"kind\":\"mine\"}\n").unwrap();
    let ledger = dir.path().join("inv/ledger.jsonl");
    fs::write(&ledger, "{\"type\":\"log.snapped\",\"v\":1,\"ts\":\"2026-01-02T03:05:00Z\",\"investigation\":\"I\",\"tool\":\"t/1\",\"stack\":\"s\",\"path\":\"b/snap\",\"blake3\":\"0\",\"complete\":true,\"tasks\":1,\"streams\":1,\"lines\":1,\"bytes\":1,\"duration_ms\":1}\n").unwrap();
    let gc = |more: &[&str]| {
        let folder = dir.path().join("inv");
        let fixed = ["gc", "--keep", "30d", "--ledger", ledger.to_str().unwrap(), folder.to_str().unwrap()];
        let output = log_snap(&[&fixed, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        json(&output).iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(gc(&["--dry-run"]), ["would remove", "kept", "kept"]);
    assert!(old.exists());
    assert_eq!(gc(&[]), ["removed", "kept", "kept"]);
    assert_eq!((old.exists(), needed.exists(), young.exists()), (false, true, true));
    assert_eq!(fs::read_dir(dir.path().join("inv/a")).unwrap().count(), 0);
    assert!(dir.path().join("inv/other/index.jsonl").exists(), "not ours");
    // A ledger that cannot be read stops everything.
    let output = log_snap(&["gc", "--ledger", "/nonexistent", dir.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), needed.exists()), (Some(2), true));
}

#[test]
fn redact_takes_more_out_and_leaves_the_old_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = vec![("app", 1, "hello hunter2hunter2 and tok-12345678"), ("app", 2, "bye")];
    let out = bundle(dir.path(), "snap", "2026-01-02T03:05:00Z", &rows, &[]);
    let (rules, handed, new) = (dir.path().join("r.toml"), dir.path().join("handed"), dir.path().join("new"));
    fs::write(&rules, "[[rules]]\nid='own'\nregex='tok-[0-9]+'\nkeywords=['tok-']\n").unwrap();
    fs::write(&handed, "{\"name\":\"x\",\"value_base64\":\"aHVudGVyMmh1bnRlcjI=\"}\n").unwrap();
    let script = "exec \"$0\" redact \"$1\" --out \"$2\" --rules \"$3\" --secrets-fd 3 3<\"$4\"";
    let paths = [&out, &new, &rules, &handed].map(|path| path.to_str().unwrap());
    let output =
        Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_log-snap")]).args(paths).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let record = &json(&output)[0];
    assert_eq!(record["redactions"], serde_json::json!({"exact": 1, "own": 1}));
    assert_eq!((record["attempt_id"].as_str(), record["complete"].as_bool()), (Some("A1"), Some(true)));
    assert_eq!(log_snap(&["verify", paths[0], paths[1]]).status.code(), Some(0));
    let cat = text(&log_snap(&["cat", paths[1]]));
    assert!(
        cat.contains("hello [REDACTED:exact:") && cat.contains("and [REDACTED:own:") && cat.contains("bye"),
        "{cat}"
    );
    let again = log_snap(&["redact", paths[0], "--out", paths[1]]);
    assert_eq!(again.status.code(), Some(2), "evidence is never overwritten");
    assert_eq!(log_snap(&["redact", paths[0], "--out", "x", "--secrets-fd", "77"]).status.code(), Some(2));
}

#[test]
fn the_examples_of_the_page_run_on_a_bundle() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../man/log-snap.1");
    let page = fs::read_to_string(page).unwrap();
    let examples = page.split(".Sh EXAMPLES").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let commands = examples.lines().filter_map(|line| line.strip_prefix(".Dl "));
    let commands = commands.map(|line| line.replace("\\(dq", "\"").replace("\\e", "\\"));
    let dir = tempfile::tempdir().unwrap();
    let rows = [("db", 1, "pg_ctl: server started"), ("app", 2, "ERROR: no such table"), ("app", 3, "bye")];
    bundle(dir.path(), "evidence/snap", "2026-01-02T03:04:05.000Z", &rows, &["app"]);
    let tools = Path::new(env!("CARGO_BIN_EXE_log-snap")).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut said = Vec::new();
    for command in commands.filter(|command| command.contains("evidence/snap")) {
        let script = format!("set -o pipefail; {command}");
        let output = Command::new("bash")
            .args(["-c", &script])
            .env("PATH", &path)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        said.push(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[1].contains("pg_ctl") && !said[1].contains("table"), "{said:?}");
    assert!(said[2].starts_with("--blob "), "{said:?}");
}
