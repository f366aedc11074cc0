//! Tests with an engine that answers and then falls silent: log-snap does not hang, and reports what is missing.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lib_common::swarm::label::{STACK, TASK_ID};
use serde_json::{Value, json};

/// What the engine answers for a path; `None` if it sends only the head of the answer and then nothing.
fn answer(path: &str) -> Option<Value> {
    let path = path.split_once("/v1.41").map_or(path, |(_, path)| path);
    let labels = json!({STACK: "s", TASK_ID: "t1"});
    Some(match path.split('?').next().unwrap() {
        "/version" => json!({"ApiVersion": "1.41", "Version": "20.10"}),
        "/info" => json!({"Name": "n", "DockerRootDir": "/nonexistent",
                          "Swarm": {"ControlAvailable": true, "NodeID": "n1"}}),
        "/containers/json" => {
            json!([{"Id": "c1", "State": "running", "Names": ["/s_app.1.t1"], "Labels": labels}])
        }
        "/containers/c1/json" => json!({"State": {"Status": "running"}, "Config": {"Labels": labels},
                                        "HostConfig": {"LogConfig": {"Type": "json-file"}}}),
        "/containers/c1/logs" | "/events" => return None,
        _ => json!([]),
    })
}

fn serve(stream: UnixStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let mut stream = stream;
    let path = first.split(' ').nth(1).unwrap_or_default();
    if let Some(body) = answer(path) {
        let body = body.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        return;
    }
    let log = b"\x01\0\0\0\0\0\0\x252026-01-02T03:04:05.123456789Z hello\n";
    let body = if path.contains("/logs") { &log[..] } else { b"" };
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if !body.is_empty() {
        let _ = stream.write_all(format!("{:x}\r\n", body.len()).as_bytes());
        let _ = stream.write_all(body);
        let _ = stream.write_all(b"\r\n");
    }
    // Send nothing more, until log-snap closes the connection.
    let _ = reader.read_line(&mut line);
}

fn engine(dir: &Path) -> String {
    let socket = dir.join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    format!("unix://{}", socket.display())
}

#[test]
fn a_stalled_log_and_stalled_events_are_gaps_within_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snap");
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_log-snap"))
        .args(["--stack", "s", "--idle", "200ms", "--deadline", "1s", "--out"])
        .arg(&out)
        .env("DOCKER_HOST", engine(dir.path()))
        .env_remove("REDFIX_NODES")
        .env_remove("REDFIX_LEDGER_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(began.elapsed() < Duration::from_mins(3));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(record["gaps"].to_string().contains("fell silent before the log's end"), "{record}");
    let index = fs::read_to_string(out.join("index.jsonl")).unwrap();
    let stream = index
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|entry| entry["kind"] == "stream");
    let stream = stream.unwrap();
    assert_eq!((stream["ended"].as_str(), stream["lines"].as_u64()), (Some("idle"), Some(1)));
}

#[test]
fn an_engine_that_never_answers_is_worth_another_try() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("dead.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_log-snap"))
        .args(["--stack", "s", "--engine-timeout", "300ms", "--out"])
        .arg(dir.path().join("snap"))
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
}
