//! `swarm-isolate` in front of a command, as far as no engine is needed: the launcher, refusals, records elsewhere.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-isolate"));
    command
        .args(args)
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .env_remove("REDFIX_LEDGER")
        .stdin(Stdio::null());
    command
}

fn launch(script: &str) -> Output {
    tool(&["launch", "--", "sh", "-c", script]).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_command_leads_a_session_without_a_terminal() {
    let output =
        launch("read -r pid name state parent group session rest </proc/$$/stat; echo $group $session $$");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((numbers[0], numbers[1]), (numbers[2], numbers[2]), "{text}");
    assert!(!launch("exec 2>/dev/null; : </dev/tty").status.success(), "nobody can be asked for a password");
}

#[test]
fn its_exit_codes_are_those_of_env() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    for (args, code) in [
        (vec!["launch", "--", "/nonexistent/x"], 127),
        (vec!["launch", "--", plain.to_str().unwrap()], 126),
        (vec!["launch", "--cgroup", "/nonexistent", "--", "true"], 125),
        (vec!["launch", "--pty", "--", "true"], 125),
        (vec!["launch"], 125),
        (vec!["launch", "--", "sh", "-c", "exit 42"], 42),
    ] {
        let output = tool(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert_eq!(code == 42, output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn the_environment_is_the_commands_and_not_the_launchers() {
    let output = tool(&["launch", "--", "sh", "-c", "echo $REDFIX_SLOTS"])
        .env("REDFIX_SLOTS", "many")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"many\n", "{}", stderr(&output));
}

#[test]
fn a_command_that_is_not_there_costs_no_slot() {
    let output = tool(&["--domain", "a.b", "--", "no-such-command-here"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr(&output).contains("starting the command: no-such-command-here: "), "{}", stderr(&output));
}

#[test]
fn a_ledger_in_the_current_folder_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tool(&["--ledger", "l.jsonl", "--domain", "a.b", "--", "true"]);
    let output = command.current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "only the engine is missing: {}", stderr(&output));
    assert!(dir.path().join("l.jsonl").exists());
}

#[test]
fn an_engine_that_accepts_and_never_answers_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let host = format!("unix://{}", socket.display());
    let output =
        tool(&["-H", &host, "--engine-timeout", "300ms", "--domain", "a.b", "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(stderr(&output).contains("no answer within 0.3 s"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_happens() {
    for (args, words) in [
        (["--env", "X={nothing}"], "{nothing} is not known"),
        (["--env", "DOCKER_HOST=x"], "keeps the run apart"),
        (["--allow", "stack=*"], "admits strangers"),
        (["--allow", "net=x"], "net is not known; known are network, exec, domain, stack, image, path"),
        (["--records", "1"], "the command's own"),
        (["--idle-timeout", "soon"], "is not a time"),
        (["--min-free", "1MB"], "is not a size"),
    ] {
        let output = tool(&args).args(["--domain", "a.b", "--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn records_go_to_a_file_or_a_descriptor_and_not_to_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.jsonl");
    let line = "{\"type\":\"x.y\",\"n\":1.10}";
    let script = r#"echo "$2" | "$1" --records "$3" --domain a.b -- true"#;
    for (to, script) in
        [(file.to_str().unwrap(), script.to_owned()), ("7", format!("{script} 7>>'{}'", file.display()))]
    {
        let output = Command::new("sh")
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_swarm-isolate"), line, to])
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .env_remove("REDFIX_LEDGER")
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(75), 0), "{}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{line}\n{line}\n"), "both append");
    let output = tool(&["--records", "99", "--domain", "a.b", "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("opening the file for records: /proc/self/fd/99: "),
        "{}",
        stderr(&output)
    );
}
