//! `log-snap` on a swarm of three nodes, one of which is lost.
//!
//! Makes its own engine (`scripts/engine --nodes 3`, needs root), because the engine of the other tests has a single node.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use e2e::{root, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A private engine of three nodes. It is removed when dropped.
struct Trio {
    name: String,
    env: BTreeMap<String, String>,
}

impl Trio {
    fn new() -> Self {
        let name = format!("trio{}", std::process::id());
        let mut trio = Self { name, env: BTreeMap::new() };
        trio.engine(&["up", "--nodes", "3"]);
        let lines = String::from_utf8(trio.engine(&["env"]).stdout).unwrap();
        let pairs = lines.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        trio.env = pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
        let built =
            trio.with(Command::new(root().join("ground/images/build")).arg("busybox")).status().unwrap();
        assert!(built.success());
        trio
    }

    fn engine(&self, args: &[&str]) -> Output {
        let output = Command::new(root().join("scripts/engine"))
            .args(["--name", &self.name])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "engine {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn with<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(&self.env).stdin(Stdio::null())
    }

    fn docker(&self, args: &[&str]) -> String {
        let output = self.with(Command::new("docker").args(args)).output().unwrap();
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn snap(&self, out: &Path, more: &[&str], nodes: bool) -> (i32, Value) {
        let mut command = Command::new(e2e::tool("log-snap"));
        command.args(["--stack", "s", "--engine-timeout", "5s", "--out"]).arg(out).args(more);
        self.with(&mut command);
        if !nodes {
            command.env_remove("REDFIX_NODES");
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
    }
}

impl Drop for Trio {
    fn drop(&mut self) {
        let _ = Command::new(root().join("scripts/engine")).args(["--name", &self.name, "down"]).status();
    }
}

/// The service's name and the source of each log.
fn sources(bundle: &Path) -> Vec<(String, String)> {
    let index = fs::read_to_string(bundle.join("index.jsonl")).unwrap();
    let entries = index.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries
        .filter(|entry| entry["kind"] == "stream")
        .map(|entry| (text(&entry["name"]), text(&entry["source"])))
        .collect()
}

fn expected(rows: [(&str, &str); 3]) -> Vec<(String, String)> {
    rows.map(|(name, source)| (name.to_owned(), source.to_owned())).to_vec()
}

#[test]
fn each_node_is_read_where_it_is_and_a_lost_one_is_a_gap() {
    let (trio, dir) = (Trio::new(), e2e::folder::Folder::new());
    let yaml = "version: \"3.8\"\nservices:\n  web:\n    image: redfix/busybox:latest\n    stop_signal: SIGKILL\n    \
                command: [\"/bin/sh\", \"-c\", \"echo hello; exec sleep 1000\"]\n    \
                deploy: {endpoint_mode: dnsrr, mode: global}\n";
    fs::write(dir.path().join("s.yml"), yaml).unwrap();
    let file = dir.path().join("s.yml");
    trio.docker(&["stack", "deploy", "--resolve-image", "never", "-c", file.to_str().unwrap(), "s"]);
    wait_for("three tasks", 180, || {
        trio.docker(&["service", "ls", "--format", "{{.Replicas}}"]).starts_with("3/3")
    });
    let out = |name: &str| -> PathBuf { dir.path().join(name) };

    let (code, record) = trio.snap(&out("files"), &[], true);
    assert_eq!(
        (code, sources(&out("files"))),
        (0, expected([("web.n1", "file"), ("web.n2", "file"), ("web.n3", "file")])),
        "{record}"
    );
    let (code, record) = trio.snap(&out("engines"), &["--no-files"], true);
    let engines = expected([("web.n1", "container"), ("web.n2", "container"), ("web.n3", "container")]);
    assert_eq!((code, sources(&out("engines"))), (0, engines), "{record}");
    // When only the manager is named, the other nodes' logs are read through it.
    let (code, record) = trio.snap(&out("manager"), &[], false);
    let through = expected([("web.n1", "file"), ("web.n2", "task"), ("web.n3", "task")]);
    assert_eq!((code, sources(&out("manager"))), (0, through), "{record}");

    // One node is lost while `log-snap` is attached to all.
    let mut attach = Command::new(e2e::tool("log-snap"));
    attach
        .args(["attach", "-v", "--stack", "s", "--deadline", "8s", "--idle", "2s", "--out"])
        .arg(out("gone"));
    trio.with(&mut attach).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut attach = attach.spawn().unwrap();
    let mut said = Vec::new();
    let mut errors = attach.stderr.take().unwrap();
    while !said.ends_with(b"recording s\n") {
        let mut byte = [0];
        errors.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
    // Wait until `log-snap` has the log file of n3 open.
    let open = || fs::read_dir(format!("/proc/{}/fd", attach.id())).unwrap().flatten();
    wait_for("the log of n3 to be read", 180, || {
        open().any(|fd| {
            fs::read_link(fd.path()).is_ok_and(|path| path.to_string_lossy().contains("/n3/data/containers/"))
        })
    });
    let pid = fs::read_to_string(format!("/run/redfix-engine/{}/n3/pid", trio.name)).unwrap();
    assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
    wait_for("the swarm to miss it", 180, || {
        trio.docker(&["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]).contains("n3 Down")
    });
    assert!(Command::new("kill").args(["-TERM", &attach.id().to_string()]).status().unwrap().success());
    let output = attach.wait_with_output().unwrap();
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), record["complete"].as_bool()), (Some(1), Some(false)), "{record}");
    let gaps: Vec<&str> = record["gaps"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(gaps.iter().any(|gap| gap.starts_with("engine events of n3: ")), "{gaps:?}");
    assert!(!gaps.iter().any(|gap| gap.contains("web.n1") || gap.contains("web.n2")), "{gaps:?}");
    // The log of n3 is complete up to then: its file outlives its engine.
    assert_eq!((record["streams"].as_u64(), record["lines"].as_u64()), (Some(3), Some(3)), "{record}");
}
