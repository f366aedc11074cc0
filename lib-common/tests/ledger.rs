//! The ledger file under several writers, after a torn write, and on resuming.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use lib_common::diag::Diag;
use lib_common::ledger::{Ledger, folder_of};

/// Set for a child: the ledger that it appends to, and its number.
const CHILD: &str = "E2E_LEDGER_CHILD";
const LINES: usize = 40;

fn open(path: &Path) -> Ledger {
    Ledger::open(path, &Diag::to_writer("test", Box::new(std::io::sink()))).unwrap()
}

/// A line whose length depends on its number, so that interleaved writes would show.
fn line(writer: usize, number: usize) -> String {
    format!("{{\"writer\":{writer},\"number\":{number},\"pad\":\"{}\"}}", "x".repeat(17 * (number % 13)))
}

/// Appends this writer's lines, and lines that every writer has.
fn append_all(path: &Path, writer: usize) {
    let mut ledger = open(path);
    for number in 0..LINES {
        ledger.append_new(line(writer, number).as_bytes()).unwrap();
        ledger.append_new(line(0, number).as_bytes()).unwrap();
    }
}

fn sorted(path: &Path) -> Vec<String> {
    let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn expected(writers: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        (0..=writers).flat_map(|writer| (0..LINES).map(move |number| line(writer, number))).collect();
    lines.sort();
    lines
}

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("investigation/ledger.jsonl");
    (dir, path)
}

#[test]
fn a_line_is_there_once() {
    let (_dir, path) = fresh();
    let mut ledger = open(&path);
    for line in ["{\"a\":1}", "{\"a\":1}\n", "{\"a\":2}", "{\"a\":1}"] {
        ledger.append_new(line.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn what_was_there_before_is_known_on_resuming() {
    let (_dir, path) = fresh();
    open(&path).append_new(b"{\"a\":1}").unwrap();
    let mut resumed = open(&path);
    for line in [b"{\"a\":1}", b"{\"a\":2}"] {
        resumed.append_new(line).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn what_another_handle_appended_meanwhile_is_known() {
    let (_dir, path) = fresh();
    let (mut one, mut other) = (open(&path), open(&path));
    one.append_new(b"{\"a\":1}").unwrap();
    other.append_new(b"{\"a\":1}").unwrap();
    other.append_new(b"{\"a\":2}").unwrap();
    one.append_new(b"{\"a\":2}").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn threads_lose_nothing_and_never_interleave() {
    let (_dir, path) = fresh();
    std::thread::scope(|scope| {
        for writer in 1..=4 {
            let path = &path;
            scope.spawn(move || append_all(path, writer));
        }
    });
    assert_eq!(sorted(&path), expected(4));
}

/// Run by itself it is one writer; the test below runs it in several processes at once.
#[test]
fn one_writer_appends_everything() {
    if let Some(job) = std::env::var_os(CHILD) {
        let job = job.into_string().unwrap();
        let (writer, path) = job.split_once(' ').unwrap();
        return append_all(Path::new(path), writer.parse().unwrap());
    }
    let (_dir, path) = fresh();
    append_all(&path, 1);
    assert_eq!(sorted(&path), expected(1));
}

#[test]
fn processes_lose_nothing_and_never_interleave() {
    let (_dir, path) = fresh();
    let children: Vec<_> = (1..=4)
        .map(|writer| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "one_writer_appends_everything"])
                .env(CHILD, format!("{writer} {}", path.display()))
                .output_in_background()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(sorted(&path), expected(4));
}

trait InBackground {
    fn output_in_background(&mut self) -> std::process::Child;
}

impl InBackground for Command {
    fn output_in_background(&mut self) -> std::process::Child {
        self.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    }
}

/// Standard error that a test can read.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_torn_tail_moves_to_a_file_of_its_own() {
    let (_dir, path) = fresh();
    open(&path).append_new(b"{\"a\":1}").unwrap();
    let tear =
        |bytes: &[u8]| fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(bytes).unwrap();
    tear(b"{\"a\":2,");
    let said = Said::default();
    let mut resumed = Ledger::open(&path, &Diag::to_writer("test", Box::new(said.clone()))).unwrap();
    let torn = path.with_file_name("ledger.jsonl.torn");
    assert_eq!(fs::read(&torn).unwrap(), b"{\"a\":2,\n");
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\":1}\n");
    let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    assert!(
        said.contains("7 bytes of a torn last line set aside") && said.contains("ledger.jsonl.torn"),
        "{said}"
    );
    // Also when it is torn by another writer while this one is at work; the first piece is kept.
    tear(b"{\"b\"");
    resumed.append_new(b"{\"a\":2}").unwrap();
    assert_eq!(fs::read(&torn).unwrap(), b"{\"a\":2,\n{\"b\"\n");
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = fresh();
    open(&path);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let error =
        Ledger::open(Path::new("/proc/no/such/ledger"), &Diag::to_writer("test", Box::new(std::io::sink())));
    let error = error.err().unwrap();
    assert!(error.to_string().starts_with("opening the ledger: /proc/no/such/ledger: "), "{error}");
    assert_eq!(error.exit().code(), 2);
}

#[test]
fn a_bare_name_lies_in_this_folder() {
    for (file, folder) in [("l.jsonl", "."), ("a/l.jsonl", "a"), ("/l.jsonl", "/"), ("../l.jsonl", "..")] {
        assert_eq!(folder_of(Path::new(file)), Path::new(folder), "{file}");
    }
}
