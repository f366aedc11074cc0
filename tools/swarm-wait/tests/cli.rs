//! `swarm-wait` as a program: arguments, streams and exit codes. What needs an engine is in crate e2e.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-wait"));
    // No engine listens there.
    command.args(args).env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn no_engine_is_worth_another_try() {
    for args in [&["s"][..], &["s", "-H", "unix:///nonexistent/docker.sock"], &["--ready", "true", "s"]] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), b"".as_slice()), "{args:?}");
        assert!(stderr(&output).contains("connecting to the engine: unix:///nonexistent/docker.sock: "));
    }
}

#[test]
fn usage_errors_exit_2_and_help_is_the_same_short_and_long() {
    for args in [
        &[][..],
        &["a", "b"],
        &["s", "--stable", "0"],
        &["s", "--same-error", "0"],
        &["s", "--deadline", "90"],
        // The tool reads no records, so it has none of the options for reading them.
        &["s", "--lenient"],
        &["s", "--max-line", "1MiB"],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{args:?}");
    }
    let (long, short) = (run(&["--help"]), run(&["-h"]));
    assert!(long.status.success() && String::from_utf8_lossy(&long.stdout).contains("Examples:"));
    assert_eq!(long.stdout, short.stdout);
}
