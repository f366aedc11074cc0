//! `warm-domain-alloc` as a stage of a pipe, without an engine.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const ODD: &str = "{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\r\n";
const CASE: &str = r#"{"type":"case.failed","v":1,"investigation":"I","case":"mumble@1/t","recipe":"mumble","version":"1","test":"t","stage":"custom","source":"x"}"#;

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warm-domain-alloc"));
    command.args(args).env_clear();
    // No engine listens there.
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command
}

fn run(mut command: Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Ignore EPIPE: the tool may refuse its arguments before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(args: &[&str], input: &str, code: i32, stdout: &str, stderr: &str) {
    let output = run(tool(args), input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert!(said.contains(stderr) && (!stderr.is_empty() || said.is_empty()), "{said}");
}

#[test]
fn nothing_that_failed_needs_no_engine_and_every_byte_is_passed() {
    check(&["--base", "ci.example"], ODD, 0, ODD, "");
    check(&["alloc", "--base", "ci.example"], ODD, 0, ODD, "");
}

#[test]
fn an_engine_that_is_away_is_worth_another_try() {
    let input = format!("{ODD}{CASE}\n");
    check(
        &["--base", "ci.example"],
        &input,
        75,
        &input,
        "warm-domain-alloc: connecting to the engine: unix:///non",
    );
    check(&["--base", "ci.example", "--recipe", "x", "--dry-run"], "", 75, "", "hint: is the engine up?");
    for command in ["list", "gc"] {
        check(&[command], "", 75, "", "connecting to the engine");
    }
    check(&["release"], &input, 75, &input, "connecting to the engine");
}

#[test]
fn a_bad_line_is_named() {
    let input = format!("{ODD}no\n");
    check(&["--base", "ci.example"], &input, 2, ODD, "standard input line 2");
    check(&["--base", "ci.example", "--lenient"], &input, 0, &input, "");
}

#[test]
fn bad_arguments_are_refused() {
    check(&[], ODD, 2, "", "--base (or REDFIX_BASE_DOMAIN) is missing");
    check(&["--base", "a..b"], "", 2, "", "not a domain name");
    check(&["--base", "b.c", "--pattern", "{class}.x"], "", 2, "", "does not make one label");
    check(&["--base", "b.c", "--avoid", "("], "", 2, "", "--avoid");
    check(
        &["--base", "b.c", "--compose", "/nonexistent.yml"],
        "",
        2,
        "",
        "reading a compose file: /nonexistent.yml",
    );
    check(&["release"], "", 2, "", "whose leases");
    check(&["--base", "b.c", "list"], "", 2, "", "cannot be used with");
}

#[test]
fn settings_from_the_environment_do_not_disturb_commands() {
    let mut list = tool(&["list"]);
    list.envs([
        ("REDFIX_BASE_DOMAIN", "ci.example"),
        ("REDFIX_SHARED_NETWORK", "proxy"),
        ("REDFIX_NODES", "n1=unix:///nowhere"),
    ]);
    assert_eq!(run(list, "").status.code(), Some(75));
    let mut alloc = tool(&[]);
    alloc.env("REDFIX_BASE_DOMAIN", "ci.example");
    assert_eq!(run(alloc, ODD).stdout, ODD.as_bytes());
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let mut full = tool(&["--base", "ci.example"]);
    full.stdin(Stdio::piped())
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped());
    let mut child = full.spawn().unwrap();
    child.stdin.take().unwrap().write_all(ODD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));
}

#[test]
fn a_closed_pipe_is_an_error_of_a_tool_that_changes_the_world() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = tool(&["--base", "ci.example"]);
    let mut child = closed.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ODD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Broken pipe"));
}

#[test]
fn help_is_the_same_long_and_short_and_has_examples() {
    let help = |flag: &str| String::from_utf8(run(tool(&[flag]), "").stdout).unwrap();
    assert_eq!(help("-h"), help("--help"));
    assert!(help("-h").contains("Examples:") && help("-h").contains("REDFIX_BASE_DOMAIN"));
}

/// A fake engine with an empty swarm, which never answers a create; it signals when it gets one.
fn stuck_engine(socket: &Path) -> mpsc::Receiver<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            let head = String::from_utf8_lossy(&request).into_owned();
            let path = head.split(' ').nth(1).unwrap();
            let body = match path {
                "/version" => r#"{"ApiVersion":"1.41","Version":"x"}"#,
                path if path.ends_with("/info") => r#"{"Swarm":{"ControlAvailable":true}}"#,
                path if path.ends_with("/create") => {
                    kept.push(stream);
                    tell.send(()).unwrap();
                    continue;
                }
                _ => "[]",
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    told
}

#[test]
fn a_second_interrupt_ends_at_once_and_names_what_may_be_held() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let asked = stuck_engine(&socket);
    let mut command = tool(&["--base", "ci.example", "--recipe", "mumble", "--engine-timeout", "10m"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    asked.recv_timeout(Duration::from_mins(3)).unwrap();
    let interrupt =
        || assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    interrupt();
    std::thread::sleep(Duration::from_millis(500));
    interrupt();
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_mins(3), "it waited for the engine");
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("iso-mumble-") && said.contains("may still be held"), "{said}");
}

#[test]
fn an_engine_that_stops_answering_is_not_waited_for_beyond_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let _asked = stuck_engine(&socket);
    let mut command = tool(&["--base", "ci.example", "--recipe", "mumble", "--engine-timeout", "1s"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let output = run(command, "");
    assert_eq!(output.status.code(), Some(75));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no answer within 1 s") && said.contains("iso-mumble-"), "{said}");
}
