//! The binary as a pipe meets it; everything that needs an engine is in tests/tests/snap.rs.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use log_snap::bundle::entry::{End, Entry};
use log_snap::bundle::write::Writer;

const ODD: &str = "{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\n";

fn log_snap(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-snap"));
    for name in ["REDFIX_STACK", "REDFIX_EVIDENCE", "REDFIX_ATTEMPT", "REDFIX_LEDGER_DIR", "REDFIX_NODES"] {
        command.env_remove(name);
    }
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // A child that ends early closes its end; that is what some tests are about.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run_finished() -> String {
    let line = r#"{"type":"run.finished","v":1,"ts":"2026-01-02T03:04:05.000Z","investigation":"I1","tool":"t/1","attempt_id":"A1","recipe":"r","version":"1","engine":"e","node":"n","boot_id":"b","stack":"iso-r","factors":{},"outcome":"fail","started":"2026-01-02T03:04:05.000Z","duration_ms":1,"isolation":{"proved":true,"slots_held":1,"slots_total":1,"other_deploys":0},"cleanup":{"created":[],"left":[],"duration_ms":0,"others_unchanged":true}}"#;
    format!("{line}\n")
}

/// A bundle of two logs whose lines alternate in time.
fn bundle(dir: &Path) -> PathBuf {
    let out = dir.join("snap");
    let mut writer = Writer::create(&out).unwrap();
    for (service, seconds) in [("app", [1, 3]), ("db", [2, 4])] {
        let lines = seconds.map(|second| (second, format!("{service} {second}")));
        let lines = lines.iter().map(|(second, line)| (*second, line.as_str()));
        let entry = support::log(&mut writer, service, lines);
        writer.entry(&Entry::Stream(entry)).unwrap();
    }
    writer.finish(End { complete: true, ..End::default() }).unwrap();
    out
}

#[test]
fn other_records_pass_byte_for_byte() {
    let output = run(log_snap(&["--out", "/nonexistent/x"]), ODD);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), ODD.as_bytes()));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_bad_line_is_named() {
    let output = run(log_snap(&[]), &format!("{ODD}nonsense\n"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
    let output = run(log_snap(&["--lenient"]), &format!("{ODD}nonsense\n"));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), ODD.len() + 9));
}

#[test]
fn a_closed_pipe_ends_the_filter_in_silence() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = log_snap(&[]);
    command.stdout(writer);
    let output = run(command, ODD);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    let mut command = log_snap(&[]);
    command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = run(command, ODD);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
}

#[test]
fn an_engine_that_is_away_is_worth_another_try_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snap");
    for args in [vec!["attach", "--stack", "s"], vec!["snap", "--stack", "s"], vec!["--stack", "s"]] {
        let output = run(log_snap(&[args, vec!["--out", out.to_str().unwrap()]].concat()), "");
        assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
        assert!(stderr(&output).contains("connecting to the engine"), "{}", stderr(&output));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_run_is_passed_on_before_its_capture_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(log_snap(&["--out", dir.path().to_str().unwrap()]), &run_finished());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), run_finished().as_bytes()));
}

#[test]
fn the_environment_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = log_snap(&["attach"]);
    command.env("REDFIX_STACK", "s").env("REDFIX_EVIDENCE", dir.path()).env("REDFIX_ATTEMPT", "A1");
    let output = run(command, "");
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
}

#[test]
fn evidence_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let out = bundle(dir.path());
    let output = run(log_snap(&["attach", "--stack", "s", "--out", out.to_str().unwrap()]), "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
}

#[test]
fn usage_errors_say_what_is_missing() {
    for (args, hint) in [
        (vec!["attach"], "--stack"),
        (vec!["--stack", "s"], "--out"),
        (vec!["--stack", "a&b", "--out", "x"], "stack"),
    ] {
        let output = run(log_snap(&args), "");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(hint), "{}", stderr(&output));
    }
}

#[test]
fn verify_names_the_file_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    let out = bundle(dir.path());
    let verify = || run(log_snap(&["verify", out.to_str().unwrap()]), "");
    assert_eq!((verify().status.code(), stderr(&verify())), (Some(0), String::new()));
    let shard = fs::read_dir(out.join("blobs")).unwrap().next().unwrap().unwrap().path();
    let blob = fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    assert_eq!(verify().status.code(), Some(1));
    assert!(stderr(&verify()).contains(blob.file_name().unwrap().to_str().unwrap()), "{}", stderr(&verify()));
    assert_eq!(run(log_snap(&["verify", "/nonexistent"]), "").status.code(), Some(2));
}

#[test]
fn cat_merges_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = bundle(dir.path());
    let output = run(log_snap(&["cat", out.to_str().unwrap()]), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let ends: Vec<&str> = text.lines().map(|line| line.rsplit("out ").next().unwrap()).collect();
    assert_eq!(ends, ["app 1", "db 2", "app 3", "db 4"]);
    assert!(text.starts_with("2026-01-02T03:04:01.000000000Z app.1 app012345678 out app 1\n"), "{text}");
    for service in ["db", "s_db"] {
        let output = run(log_snap(&["cat", out.to_str().unwrap(), "--service", service]), "");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    }
    let output = run(log_snap(&["cat", out.to_str().unwrap(), "--service", "nothing"]), "");
    assert_eq!(output.status.code(), Some(1));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = log_snap(&["cat", out.to_str().unwrap()]);
    command.stdout(writer);
    assert_eq!(run(command, "").status.code(), Some(0), "a closed pipe is no error");
}
