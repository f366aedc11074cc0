//! `swarm-guard` as a program: arguments, policies, exit codes. What needs an engine is in crate e2e.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-guard"));
    // No engine listens there.
    command.args(args).env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_an_engine_the_command_is_not_run_and_no_socket_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let (ran, socket) = (dir.path().join("ran"), dir.path().join("socket"));
    let (ran_text, socket_text) = (ran.display().to_string(), socket.display().to_string());
    for args in [
        &["--owner", "ci", "--", "touch", &ran_text][..],
        &["--owner", "ci", "--socket", &socket_text],
        &[
            "--owner",
            "ci",
            "--socket",
            &socket_text,
            "--allow",
            "network=proxy,stack=ci-*",
            "--",
            "touch",
            &ran_text,
        ],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), b"".as_slice()), "{args:?}");
        assert!(stderr(&output).contains("connecting to the engine: unix:///nonexistent/docker.sock: "));
        assert!(!ran.exists() && !socket.exists(), "{args:?}");
    }
}

#[test]
fn usage_errors_exit_2_and_help_is_the_same_short_and_long() {
    for args in [
        &[][..],
        &["--", "true"],
        &["--owner", "ci"],
        &["--owner", "a b", "--", "true"],
        &["--owner", "ci", "--allow", "everything", "--", "true"],
        &["--owner", "ci", "--allow", "planet=earth", "--", "true"],
        &["--owner", "ci", "--allow", "stack=*", "--", "true"],
        &["--owner", "ci", "--allow", "path=here", "--", "true"],
        &["--owner", "ci", "--policy", "p.json", "--", "true"],
        &["--owner", "ci", "--records", "1", "--", "true"],
        // The tool reads no records, so it has none of the options for reading them.
        &["--owner", "ci", "--lenient", "--", "true"],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{args:?}");
    }
    let (long, short) = (run(&["--help"]), run(&["-h"]));
    assert!(long.status.success() && String::from_utf8_lossy(&long.stdout).contains("Examples:"));
    assert_eq!(long.stdout, short.stdout);
}

#[test]
fn a_policy_that_is_not_understood_is_named_and_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.json");
    let path = file.display().to_string();
    for (text, words) in [
        ("", "EOF"),
        (r#"{"allow": []}"#, "missing field `owner`"),
        (r#"{"owner": "ci", "grants": []}"#, "unknown field `grants`"),
        (r#"{"owner": "ci", "allow": [{"kind": "planet", "value": "earth"}]}"#, "unknown variant `planet`"),
        (r#"{"owner": "ci", "allow": [{"kind": "path", "value": "here"}]}"#, "path=here is not absolute"),
        (r#"{"owner": "a b"}"#, ""),
    ] {
        fs::write(&file, text).unwrap();
        let output = run(&["--policy", &path, "--", "true"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {told}");
        assert!(
            told.contains(&format!("reading the policy: {path}: ")) && told.contains(words),
            "{text}: {told}"
        );
    }
    let missing = run(&["--policy", "/nonexistent/policy.json", "--", "true"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}
