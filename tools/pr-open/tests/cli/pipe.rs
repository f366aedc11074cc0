//! `pr-open` as a stage of a pipe.

use std::fs::{self, File};
use std::process::Stdio;

use crate::fixture::{World, bin, ledger, run};

#[test]
fn lines_pass_byte_for_byte_and_records_follow() {
    let world = World::new();
    let odd =
        "{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\r\n{ \"b\":1, \"a\":\"\\u00e9\" }\n";
    let stdin = format!("{odd}{}", ledger());
    let ran = run(world.command(&[]), &stdin);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with(&stdin), "{}", ran.stdout);
    let own = &ran.stdout[stdin.len()..];
    assert_eq!(own.lines().count(), 1);
    let record: serde_json::Value = serde_json::from_str(own).unwrap();
    assert_eq!(record["type"], "pr.opened");
    assert_eq!(record["investigation"], "01JZZZZZZZZZZZZZZZZZZZZZZZ");
    assert!(ran.stderr.is_empty(), "silent on success: {}", ran.stderr);
}

#[test]
fn a_bad_line_is_named_and_nothing_happens() {
    let world = World::new();
    let ran = run(world.command(&[]), &format!("{}not json\n", ledger()));
    ran.refused(2, &["standard input line 4"]);
    assert!(world.queue().is_empty());
    let ran = run(world.command(&["--lenient"]), &format!("{}not json\n", ledger()));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_pull_request() {
    let world = World::new();
    let mut command = world.command(&["--no-verdict"]);
    command.stdin(Stdio::null()).stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the pull request is dir:") && stderr.contains("#1"), "{stderr}");
    assert_eq!(world.events("pull.opened").len(), 1);
}

#[test]
fn a_closed_pipe_is_an_error_that_names_the_pull_request() {
    let world = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = world.command(&["--no-verdict"]);
    let output = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the pull request is dir:"), "{stderr}");
}

#[test]
fn the_ledger_keeps_what_standard_output_loses() {
    let world = World::new();
    let file = world.path("ledger.jsonl");
    let mut command = world.command(&["--no-verdict", "--ledger", file.to_str().unwrap()]);
    command.stdin(Stdio::null()).stdout(File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"pr.opened\"") && text.contains("\"no_verdict\":true"), "{text}");
}

#[test]
fn usage() {
    let help = run(
        {
            let mut c = bin();
            c.arg("--help");
            c
        },
        "",
    );
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("REDFIX_FORGE"));
    let world = World::new();
    let mut command = bin();
    command.arg("--fix").arg(world.fix_dir("readiness")).args(["--repo", "o/n", "--forge", "https://a:b@x"]);
    let ran = run(command, "");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--token-file"), "{}", ran.stderr);
}

/// Every source file of the tool, with its text.
pub fn sources() -> Vec<(std::path::PathBuf, String)> {
    fn scan(dir: &std::path::Path, found: &mut Vec<(std::path::PathBuf, String)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scan(&path, found);
            } else {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    scan(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}
