//! `swarm-isolate` as a program: arguments, streams and exit codes. What needs an engine is in crate e2e.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-isolate"));
    // No engine listens there.
    command.args(args).env("DOCKER_HOST", "unix:///nonexistent/docker.sock").env_remove("REDFIX_LEDGER");
    command
}

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child =
        tool(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Ignore EPIPE: the tool may end before it has read everything.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const ODD: &[u8] = b"{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\n";

#[test]
fn what_it_read_passes_even_if_the_run_cannot_be_planned() {
    let output = run(&["--", "true"], ODD);
    assert_eq!(output.stdout, ODD);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("no domain.leased on standard input\nswarm-isolate:   hint: give --domain"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_line_that_is_no_object_is_named() {
    let output = run(&["--domain", "a.b", "--", "true"], b"{}\nnonsense\n");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"{}\n".as_slice()));
    assert!(stderr(&output).contains("standard input line 2: not a JSON object"), "{}", stderr(&output));
}

#[test]
fn no_engine_is_worth_another_try() {
    let output = run(&["--domain", "a.b", "--", "true"], b"");
    assert_eq!(output.status.code(), Some(75));
    assert!(stderr(&output).contains("connecting to the engine: unix:///nonexistent/docker.sock: "));
}

#[test]
fn a_dry_run_touches_no_engine() {
    let output = run(&["--dry-run", "--domain", "a.ci.example", "--runs", "3", "--", "deploy", "me"], ODD);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), ODD));
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.jsonl");
    let dry = ["-n", "--ledger", ledger.to_str().unwrap(), "--domain", "a.b", "--", "true"];
    assert!(run(&dry, ODD).status.success() && !ledger.exists(), "nor the ledger");
    assert!(stderr(&output).contains("3 run(s), isolated, of deploy me, in stacks like a-000000_ci_example"));
}

#[test]
fn usage_errors_exit_2_and_help_is_the_same_short_and_long() {
    assert_eq!(run(&["--no-such-flag"], b"").status.code(), Some(2));
    assert_eq!(run(&["--domain", "a.b"], b"").status.code(), Some(2));
    assert_eq!(run(&["--factor", "Bad Name=x", "--", "true"], b"").status.code(), Some(2));
    let help = run(&["--help"], b"");
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = tool(&["-n", "--domain", "a.b", "--", "true"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(ODD).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("writing a record: standard output: "), "{}", stderr(&output));
}

#[test]
fn slots_and_reaps_need_an_engine_and_sound_arguments() {
    for args in [&["slots"][..], &["--slot-only", "--", "true"], &["reap"]] {
        let output = run(args, b"");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), b"".as_slice()), "{args:?}");
    }
    for args in [
        &["--slot-only"][..],
        &["--slot-only=some", "--", "true"],
        &["--slot-only", "--until", "x", "--", "true"],
        &["--window", "22-06", "--domain", "a.b", "--", "true"],
        &["--slots", "0", "--domain", "a.b", "--", "true"],
        // Waiting for a stack is the job of swarm-wait, so there is no such subcommand.
        &["wait", "s"],
        &["slots", "--resize", "0"],
    ] {
        assert_eq!(run(args, b"").status.code(), Some(2), "{args:?}");
    }
    let dry = run(&["-n", "--slot-only", "--", "deploy", "--token", "x"], b"");
    assert!(dry.status.success() && stderr(&dry).contains("would run deploy in a slot"), "{}", stderr(&dry));
}
