//! Faults of `log-snap`: logs that rotate while it reads, endless lines, engines and disks that fail.
//!
//! Needs the same as `snap.rs`, and root to mount a small file system.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use e2e::snap::{Attached, Bundle, holds};
use e2e::stack::Stack;
use e2e::tool;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const LINES: usize = 30_000;

fn snap(stack: &Stack, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(tool("log-snap"));
    command.args(["--stack", &stack.name, "--out"]).arg(out).args(more).env_remove("REDFIX_NODES");
    command.stdin(Stdio::null()).output().unwrap()
}

fn sources(bundle: &Bundle) -> Vec<&str> {
    bundle.of_kind("stream").iter().map(|stream| stream["source"].as_str().unwrap()).collect()
}

/// For each log: the service's name and the hashes of its text and times.
fn blobs(bundle: &Bundle) -> Vec<[Value; 3]> {
    let of = |stream: &&Value| ["name", "text", "times"].map(|key| stream[key].clone());
    bundle.of_kind("stream").iter().map(of).collect()
}

#[test]
fn a_log_that_is_rotated_while_it_is_read_is_whole() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &[]);
    // A log file holds about 2,000 of these lines, so the log rotates a dozen times, in bursts.
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo \"number $i of the lines that are counted\"; \
         [ $((i % 1000)) -gt 0 ] || sleep 0.2; done; echo done; exec sleep 1000"
    );
    let logging = |driver: &str| {
        format!("    logging: {{driver: {driver}, options: {{max-size: 250k, max-file: \"30\"}}}}\n")
    };
    let squeezed =
        "    logging: {driver: json-file, options: {max-size: 250k, max-file: \"30\", compress: \"true\"}}\n";
    stack.deploy(&[
        ("plain", &script, &logging("json-file")),
        ("squeezed", &script, squeezed),
        ("local", &script, &logging("local")),
    ]);
    for service in ["plain", "squeezed", "local"] {
        stack.wait_for_log(service, "done");
    }
    let once = dir.path().join("once");
    let output = snap(&stack, &once, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, record, bundle) = attached.stop();
    assert_eq!((code, sources(&bundle)), (0, vec!["file"; 3]), "{record}");
    let numbers: String = (1..=LINES)
        .flat_map(|n| [format!("number {n} of the lines that are counted"), "\n".into()])
        .collect();
    let expected = format!("{numbers}done\n").into_bytes();
    for service in ["plain", "squeezed", "local"] {
        assert!(bundle.logs(service) == [expected.clone()], "{service}: {:?}", bundle.of_kind("stream"));
    }
    // A bundle taken afterwards, from the rotated files, has the same contents.
    assert_eq!(blobs(&Bundle::read(&once)), blobs(&bundle));
}

#[test]
fn the_file_and_the_engine_tell_the_same_and_long_lines_are_whole() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    // With the `local` driver, the engine's API sends the last part of a long line without a line feed. The end of the line
    // shows only in the next line of the same output, so no line of the other output may come between.
    let long = "head -c 1048576 /dev/zero | tr '\\0' y; echo; echo é \\\"quoted\\\" '<&>' \"$(printf '\\033[1m\\t')\"; \
                sleep 2; echo two >&2; printf 'no line feed'; exec sleep 1000";
    stack.deploy(&[
        ("json", long, ""),
        ("local", long, "    logging: {driver: local}\n"),
        ("tty", long, "    tty: true\n"),
    ]);
    // The engine copies standard output and standard error independently: wait for both.
    for service in ["json", "local", "tty"] {
        stack.wait_for_log(service, "two");
        stack.wait_for_log(service, "quoted");
    }
    // A last line without a line feed is logged when its process ends.
    let (file, engine) = (dir.path().join("file"), dir.path().join("engine"));
    assert_eq!(snap(&stack, &file, &[]).status.code(), Some(0));
    assert_eq!(snap(&stack, &engine, &["--no-files"]).status.code(), Some(0));
    let (file, engine) = (Bundle::read(&file), Bundle::read(&engine));
    assert_eq!((sources(&file), sources(&engine)), (vec!["file"; 3], vec!["container"; 3]));
    assert_eq!(blobs(&file), blobs(&engine));
    for service in ["json", "local"] {
        let said = file.logs(service).concat();
        let first = said.split(|byte| *byte == b'\n').find(|line| line.len() > 1000).unwrap();
        assert_eq!(first.len(), 1 << 20);
        assert!(
            holds(&said, "é \"quoted\" <&> \u{1b}[1m"),
            "{}",
            String::from_utf8_lossy(&said[said.len() - 80..])
        );
    }
    let ttys: Vec<bool> = file.of_kind("container").iter().map(|c| c["tty"].as_bool().unwrap()).collect();
    assert_eq!(ttys.iter().filter(|tty| **tty).count(), 1);
    assert_eq!(file.of_kind("node")[0]["asked"], "file");
    assert!(file.of_kind("node")[0]["clock_skew_ms"].as_i64().unwrap().abs() < 5000);
    // A named node that does not answer is recorded as a gap; the logs of the other nodes are read all the same.
    let away = dir.path().join("away");
    let output = snap(&stack, &away, &["--node", "gone=unix:///nonexistent/docker.sock"]);
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), record["complete"].as_bool()), (Some(1), Some(false)));
    assert!(record["gaps"][0].as_str().unwrap().starts_with("node gone: "), "{record}");
    assert_eq!(blobs(&Bundle::read(&away)), blobs(&file));
}

/// A file system of 1 MiB that is unmounted when dropped.
struct Small(e2e::folder::Folder);

impl Small {
    fn new() -> Self {
        let dir = e2e::folder::Folder::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "none"])
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "a file system for this test needs root");
        Self(dir)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_and_little_memory_leaves_the_ends() {
    let (stack, small, dir) = (Stack::new(), Small::new(), e2e::folder::Folder::new());
    // 40 MB that hardly compress.
    let noise = "echo begin; head -c 30000000 /dev/urandom | base64; echo end; exec sleep 1000";
    stack.deploy(&[("noise", noise, "")]);
    stack.wait_for_log("noise", "end\n");
    let output = snap(&stack, &small.0.path().join("snap"), &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
    assert!(text.contains("No space left"), "{text}");
    assert_eq!(fs::read_dir(small.0.path()).unwrap().count(), 0, "nothing is left of it");
    let out = dir.path().join("snap");
    let output = snap(&stack, &out, &["--memory", "32MiB", "--max-bytes", "1GiB"]);
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bundle = Bundle::read(&out);
    let (log, stream) = (bundle.logs("noise").concat(), bundle.of_kind("stream")[0].clone());
    assert!(log.starts_with(b"begin\n") && log.ends_with(b"end\n"));
    assert_eq!((output.status.code(), stream["ended"].as_str()), (Some(1), Some("cap")), "{record}");
    let kept = log.split(|byte| *byte == b'\n').count() as u64 - 1;
    let (lines, elided) = (stream["lines"].as_u64().unwrap(), stream["elided_lines"].as_u64().unwrap());
    assert_eq!(kept - 1 + elided, lines, "every line is there or counted");
    assert!(holds(&log, &format!("[log-snap: {elided} lines, ")));
    assert!(stream["notes"].to_string().contains("--memory"), "{stream}");
    assert!(record["peak_memory"].as_u64().unwrap() < 48 << 20, "{record}");
}
