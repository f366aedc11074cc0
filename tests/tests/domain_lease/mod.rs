//! Helpers of the tests of leases: each test gets its own base domain on a real swarm and runs the tool there.

#![allow(dead_code)] // each test binary uses its own part

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A test's base domain and investigation. Objects that belong to them are removed when dropped.
pub struct Scene {
    pub id: String,
    pub base: String,
}

impl Scene {
    pub fn new() -> Self {
        e2e::require_engine();
        let ulid = lib_common::new_id();
        let id = ulid[ulid.len() - 10..].to_lowercase();
        let scene = Self { base: format!("{id}.test"), id };
        scene.docker(&["node", "ls"]);
        scene
    }

    pub fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").args(args).output().expect("docker");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "test {}: docker {args:?}: {stderr}", self.id);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn label(&self) -> String {
        format!("redfix.test={}", self.id)
    }

    /// Creates a service without tasks, which needs no image.
    pub fn service(&self, name: &str, args: &[&str]) {
        let label = self.label();
        let fixed = [
            "service",
            "create",
            "--quiet",
            "--detach",
            "--no-resolve-image",
            "--replicas",
            "0",
            "--label",
            &label,
        ];
        self.docker(&[&fixed, args, &["--name", name, "redfix/none:latest"]].concat());
    }

    /// The config objects of this test's leases, tombstones of released leases included.
    pub fn leases(&self) -> Vec<Value> {
        let filter = format!("label=redfix.investigation={}", self.id);
        let ids = self.docker(&["config", "ls", "-q", "--filter", &filter]);
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&self.docker(&[&["config", "inspect"], &ids[..]].concat())).unwrap()
    }

    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = e2e::unset("warm-domain-alloc");
        command.args(args).args(["--investigation", &self.id]);
        command
    }

    /// The command that makes leases. It ignores the networks of other tests.
    pub fn alloc(&self, args: &[&str]) -> Command {
        self.tool(&[&["--base", &self.base, "--shared-network", "proxy"], args].concat())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let list = |args: &[&str], label: &str| {
            let output = Command::new("docker").args(args).args(["-q", "--filter", label]).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        let (test, lease) =
            (format!("label={}", self.label()), format!("label=redfix.investigation={}", self.id));
        for (kind, label) in [("service", &test), ("config", &test), ("network", &test), ("config", &lease)] {
            // Remove 200 at a time: one after another, thousands of leases would take minutes.
            for ids in list(&[kind, "ls"], label).lines().collect::<Vec<_>>().chunks(200) {
                let _ = Command::new("docker").args([&[kind, "rm"], ids].concat()).output();
            }
        }
    }
}

pub fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // Ignore the error: a tool that was killed or refused its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub fn ok(command: Command, input: &str) -> String {
    let output = finish(command, input);
    assert!(output.status.success(), "{}: {}", output.status, stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The records of a type in a stream. A torn last line, which a killed writer leaves, is skipped.
pub fn records(stream: &str, kind: &str) -> Vec<Value> {
    let whole = stream.rfind('\n').map_or(0, |at| at + 1);
    e2e::records(&stream.as_bytes()[..whole]).into_iter().filter(|r| r["type"] == kind).collect()
}

pub fn field(values: &[Value], name: &str) -> BTreeSet<String> {
    values.iter().map(|value| value[name].as_str().unwrap().to_owned()).collect()
}

pub fn cases(count: usize) -> String {
    let case = |n: usize| {
        format!(
            "{{\"type\":\"case.failed\",\"v\":1,\"case\":\"r{n}x@1/t\",\"recipe\":\"r{n}x\",\"version\":\"1\",\
             \"test\":\"t\",\"stage\":\"custom\",\"source\":\"test\"}}\n"
        )
    };
    (0..count).map(case).collect()
}

pub fn kill(child: &Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).output();
}
