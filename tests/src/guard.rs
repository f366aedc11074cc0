//! A run whose command only waits, so that a test can talk to its guard; and a raw HTTP client that sends a request byte
//! by byte as the test spells it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{first, records, require_engine, tool, wait_for};

/// A run in progress.
pub struct Guarded {
    pub dir: crate::folder::Folder,
    pub stack: String,
    pub domain: String,
    pub attempt: String,
    pub socket: PathBuf,
    child: Option<Child>,
}

/// The tool, ready to run a shell script.
#[must_use]
pub fn isolate(options: &[&str], script: &str) -> Command {
    let mut command = Command::new(tool("swarm-isolate"));
    command
        .args(["--domain", "iso-guard.ci.example", "--recipe", "t", "--max-foreign-cpu", "2"])
        .args(options)
        .args(["--", "sh", "-c", script])
        .stdin(Stdio::null());
    command
}

impl Guarded {
    /// # Panics
    /// When the run does not start.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        require_engine();
        let dir = crate::folder::Folder::new();
        let told = dir.path().join("told");
        let script = format!(
            "cd {}; printf '%s\\n' \"$DOCKER_HOST\" \"$REDFIX_STACK\" \"$REDFIX_DOMAIN\" \"$REDFIX_ATTEMPT\" >part; \
             mv part told; until [ -e done ]; do sleep 0.05; done",
            dir.path().display()
        );
        let child = isolate(options, &script)
            .env("REDFIX_LEDGER", dir.path().join("out/ledger.jsonl"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let [stack, domain, attempt] = [const { String::new() }; 3];
        let socket = PathBuf::new();
        let mut run = Self { dir, stack, domain, attempt, socket, child: Some(child) };
        wait_for("the run's command", 180, || told.exists());
        let told = fs::read_to_string(told).expect("what the command was told");
        let mut lines = told.lines().map(ToOwned::to_owned);
        let mut next = || lines.next().expect("a line");
        run.socket = next().strip_prefix("unix://").expect("a socket").into();
        (run.stack, run.domain, run.attempt) = (next(), next(), next());
        run
    }

    /// The docker client, or another program, with the guard as its engine.
    #[must_use]
    pub fn client(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .stdin(Stdio::null());
        command
    }

    /// Sends one request exactly as it is spelled and returns the answer's status and body.
    ///
    /// # Panics
    /// Without an answer.
    #[must_use]
    pub fn raw(&self, request: &[u8]) -> (u16, String) {
        raw(&self.socket, request)
    }

    /// Sends a request with a JSON body, or without a body when it is empty.
    #[must_use]
    pub fn send(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        };
        self.raw(format!("{head}{length}\r\n{body}").as_bytes())
    }

    /// Lets the command end and returns the run's record.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn finish(mut self) -> Value {
        fs::write(self.dir.path().join("done"), "").expect("writes");
        let output = self.child.take().expect("runs").wait_with_output().expect("ends");
        let all = records(&output.stdout);
        assert!(!all.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        first(&all, "run.finished").clone()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SIGTERM makes the tool tear its run down, also when the test failed or the run still waits for a slot.
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

/// Sends bytes and reads one answer: status and body.
///
/// # Panics
/// Without an answer.
#[must_use]
pub fn raw(socket: &Path, request: &[u8]) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).expect("a guard");
    stream.set_read_timeout(Some(Duration::from_mins(5))).expect("a deadline");
    // Ignore the error: a guard that refuses the head may close before it has read the rest.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !is_whole(&answer) {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&part[..read]),
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status.unwrap_or_else(|| panic!("no answer to {}: {text:?}", String::from_utf8_lossy(request))), body)
}

/// Whether the answer is as long as its Content-Length says. An answer without one ends with the connection.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).is_some_and(|length: usize| body.len() >= length)
}
