//! `warm-domain-alloc probe` without an engine: what the network alone shows.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// Starts a web server that gives the nth request the nth answer, and all further ones the last; returns its port.
fn server(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let n = count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                let (status, body) = answers[n].split_once(' ').unwrap();
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    port
}

fn probe(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warm-domain-alloc"));
    command.arg("probe").args(["--resolve", "127.0.0.1"]).args(args).env_clear();
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn kinds(output: &Output) -> Vec<Option<String>> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|r| r["type"] == "domain.probed")
        .map(|r| r["kind"].as_str().map(ToOwned::to_owned))
        .collect()
}

#[track_caller]
fn check(args: &[&str], code: i32, kind: Option<&str>) {
    let output = probe(args, "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(kinds(&output), [kind.map(ToOwned::to_owned)], "{said}");
    assert!(said.contains("judging only from what the network shows"), "{said}");
}

#[test]
fn what_the_network_shows_is_named_without_an_engine() {
    let at = |answers| format!("http://a.example:{}", server(answers));
    check(&[&at(&["200 hello"])], 0, None);
    check(&[&at(&["200 hello"]), "--expect", "^hello$"], 0, None);
    check(&[&at(&["200 hello"]), "--expect", "other"], 1, Some("unexpected-page"));
    check(&[&at(&["404 404 page not found"])], 1, Some("unexplained"));
    check(&[&at(&["502 Bad Gateway"])], 1, Some("wrong-port"));
    check(&[&at(&["500 oops"])], 1, Some("app-error"));
    let plain = format!("https://a.example:{}", server(&["200 hello"]));
    check(&[&plain], 1, Some("tls-refused"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    check(&[&format!("http://a.example:{closed}")], 1, Some("tcp-refused"));
    // A server that accepts the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://a.example:{}", silent.local_addr().unwrap().port());
    check(&[&address, "--timeout", "300ms"], 1, Some("gateway-timeout"));
}

#[test]
fn waiting_ends_when_it_routes_or_at_the_deadline() {
    let late =
        format!("http://a.example:{}", server(&["404 404 page not found", "502 Bad Gateway", "200 ok"]));
    check(&[&late, "--wait"], 0, None);
    let never = format!("http://a.example:{}", server(&["503 no available server"]));
    check(&[&never, "--wait", "--deadline", "3s"], 75, Some("gateway-timeout"));
}

#[test]
fn a_list_names_the_odd_one_out() {
    let (good, bad) = (server(&["200 ok"]), server(&["502 Bad Gateway"]));
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("warm.txt");
    let lines: Vec<String> = (0..4).map(|n| format!("http://w{n}.example:{good}")).collect();
    std::fs::write(&list, format!("# warm\n{}\nhttp://odd.example:{bad}\n", lines.join("\n"))).unwrap();
    let output = probe(&["--from", list.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(kinds(&output), [None, None, None, None, Some("wrong-port".to_owned())]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("odd one out: odd.example: wrong-port; 4 of 5 route"), "{said}");
    std::fs::write(&list, "a..b\n").unwrap();
    let output = probe(&["--from", list.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("warm.txt: line 1"));
}

#[test]
fn leases_on_the_input_are_probed_and_every_byte_is_passed() {
    let lease = |domain: &str, id: &str| {
        format!(
            r#"{{"type":"domain.leased","v":1,"recipe":"r","purpose":"p","domain":"{domain}","stack":"s","lease_id":"{id}","class":"run","ttl_ms":1,"holder":"h","n":1.10}}"#
        )
    };
    let input = format!("{}\n{}\n", lease("one.example", "1"), lease("one.example", "2"));
    let output = probe(&["--timeout", "500ms"], &input);
    assert!(output.stdout.starts_with(input.as_bytes()));
    assert_eq!(kinds(&output).len(), 2);
    let output = probe(&[], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no domain to probe"));
}
