//! A batch reads the swarm once, and learns from the engine's events what is created meanwhile.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

const SERVICE: &str = r#"{"ID":"s1","Spec":{"Name":"iso-bbb_ci_example_app","Labels":{}}}"#;
const EVENT: &str =
    "{\"Type\":\"service\",\"Action\":\"create\",\"Actor\":{\"ID\":\"s1\",\"Attributes\":{}}}\n";

/// How often the tool listed the services.
static LISTED: AtomicUsize = AtomicUsize::new(0);

/// A fake engine with an empty swarm, on which a service appears as soon as the first lease is stored.
fn engine(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let stored = Arc::new(Mutex::new(Vec::<String>::new()));
    let (appear, appeared) = mpsc::channel::<()>();
    let appeared = Arc::new(Mutex::new(appeared));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, stored) = (stream.unwrap(), Arc::clone(&stored));
            let (appear, appeared) = (appear.clone(), Arc::clone(&appeared));
            std::thread::spawn(move || serve(stream, &stored, &appear, &appeared));
        }
    });
}

fn serve(
    mut stream: UnixStream,
    stored: &Mutex<Vec<String>>,
    appear: &mpsc::Sender<()>,
    appeared: &Mutex<mpsc::Receiver<()>>,
) {
    let mut request = Vec::new();
    let body = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            break body.to_owned();
        }
    };
    let head = String::from_utf8_lossy(&request).into_owned();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let path = path.strip_prefix("/v1.41").unwrap_or(&path);
    if path.starts_with("/events") {
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n").unwrap();
        appeared.lock().unwrap().recv().unwrap();
        stream.write_all(EVENT.as_bytes()).unwrap();
        // Keep the stream open, as the engine does.
        std::mem::forget(stream);
        return;
    }
    let answer = match path {
        "/version" => r#"{"ApiVersion":"1.41","Version":"x"}"#.to_owned(),
        "/info" => r#"{"Swarm":{"ControlAvailable":true}}"#.to_owned(),
        "/services/s1" => SERVICE.to_owned(),
        "/services" => {
            LISTED.fetch_add(1, Ordering::Relaxed);
            "[]".to_owned()
        }
        "/configs/create" => {
            let mut stored = stored.lock().unwrap();
            let index = stored.len() + 1;
            stored.push(format!(
                r#"{{"ID":"c{index}","Version":{{"Index":{index}}},"CreatedAt":"2026-01-01T00:00:0{index}Z","Spec":{body}}}"#
            ));
            appear.send(()).unwrap();
            // The event must arrive before the answer.
            std::thread::sleep(std::time::Duration::from_millis(200));
            r#"{"ID":"c1"}"#.to_owned()
        }
        path if path.starts_with("/configs") => format!("[{}]", stored.lock().unwrap().join(",")),
        _ => "[]".to_owned(),
    };
    let length = answer.len();
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}");
}

#[test]
fn what_appears_during_a_batch_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    engine(&socket);
    let mut command = Command::new(env!("CARGO_BIN_EXE_warm-domain-alloc"));
    command.env_clear().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    command.args(["--base", "ci.example", "--pattern", "{class}-{recipe}"]);
    command.args(["--recipe", "aaa", "--recipe", "bbb", "--recipe", "ccc"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (said, printed) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("service iso-bbb_ci_example_app is in its way"), "{said}");
    assert!(printed.contains("iso-aaa.ci.example") && printed.contains("iso-ccc.ci.example"), "{printed}");
    assert!(!printed.contains("iso-bbb"), "{printed}");
    assert_eq!(LISTED.load(Ordering::Relaxed), 1, "the swarm is read once");
}
