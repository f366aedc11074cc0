//! Runs `log-snap attach` beside a test, and reads its bundles without the code of the tool that wrote them.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::must_use_candidate)] // helpers of tests

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::stack::Stack;
use crate::tool;

/// A running `log-snap attach`. It is killed when dropped.
pub struct Attached {
    pub child: Child,
    pub out: PathBuf,
}

impl Attached {
    /// Starts it and waits until it records: from then on it misses nothing.
    pub fn start(stack: &Stack, dir: &Path, more: &[&str]) -> Self {
        Self::start_with(Command::new(tool("log-snap")), stack, dir, more)
    }

    /// The same with a command that the caller prepared.
    pub fn start_with(mut command: Command, stack: &Stack, dir: &Path, more: &[&str]) -> Self {
        let out = dir.join("evidence/snap");
        let mut child = command
            .args(["attach", "-v"])
            .args(more)
            .env("REDFIX_STACK", &stack.name)
            .env("REDFIX_EVIDENCE", dir.join("evidence"))
            .env("REDFIX_ATTEMPT", "A1")
            .env("REDFIX_LEDGER_DIR", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        errors.read_line(&mut first).unwrap();
        assert!(first.contains("recording"), "{first}");
        // Somebody must read the rest, or the pipe would fill.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Self { child, out }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM and returns the exit code, the record and the bundle.
    pub fn stop(mut self) -> (i32, Value, Bundle) {
        self.signal("TERM");
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let code = self.child.wait().unwrap().code().unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        (code, serde_json::from_str(&text).unwrap(), Bundle::read(&self.out))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bundle, read without the code of the tool that wrote it.
pub struct Bundle {
    pub folder: PathBuf,
    pub index: Vec<Value>,
}

impl Bundle {
    pub fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("index.jsonl")).unwrap();
        let index = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { folder: folder.to_owned(), index }
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.index.iter().filter(|entry| entry["kind"] == kind).collect()
    }

    pub fn blob(&self, hash: &str) -> Vec<u8> {
        let path = self.folder.join(format!("blobs/{}/{hash}.zst", &hash[..2]));
        zstd::decode_all(fs::File::open(path).unwrap()).unwrap()
    }

    /// The logs of a service, one text per task.
    pub fn logs(&self, service: &str) -> Vec<Vec<u8>> {
        let of = |stream: &&&Value| stream["name"].as_str().unwrap().split('.').next() == Some(service);
        let streams = self.of_kind("stream");
        let texts = streams.iter().filter(of).filter_map(|stream| stream["text"].as_str());
        texts.map(|hash| self.blob(hash)).collect()
    }

    /// Every byte that the bundle holds, uncompressed.
    pub fn everything(&self) -> Vec<u8> {
        let mut all = fs::read(self.folder.join("index.jsonl")).unwrap();
        for blob in self.of_kind("blob") {
            all.extend(self.blob(blob["blake3"].as_str().unwrap()));
        }
        all
    }

    pub fn verify(&self) -> (i32, String) {
        let output = Command::new(tool("log-snap")).arg("verify").arg(&self.folder).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

pub fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle.as_bytes())
}
