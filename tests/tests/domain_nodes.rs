//! `warm-domain-alloc` on a swarm of three managers: leases survive the loss of one manager, and volumes on other nodes are
//! taken into account. Needs `scripts/engine --nodes 3 up` and its `REDFIX_NODES`.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use e2e::wait_for;
use serde_json::Value;

/// Name and engine address of each node.
fn nodes() -> Vec<(String, String)> {
    let text = std::env::var("REDFIX_NODES")
        .expect("REDFIX_NODES: eval \"$(scripts/engine --name NAME env)\" of three nodes");
    let nodes: Vec<_> = text.split(' ').filter_map(|node| node.split_once('=')).collect();
    assert_eq!(nodes.len(), 3, "three nodes are needed: {text}");
    nodes.into_iter().map(|(name, url)| (name.to_owned(), url.to_owned())).collect()
}

fn at(url: &str, args: &[&str]) -> Output {
    Command::new("timeout").args(["10", "docker", "-H", url]).args(args).output().unwrap()
}

fn say(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn tool(url: &str, investigation: &str, args: &[&str]) -> Command {
    let mut command = e2e::unset("warm-domain-alloc");
    command.args(args).args(["--investigation", investigation, "--host", url]);
    command
}

/// A manager that is lost and comes back: its engine's process is stopped (SIGSTOP) until this is dropped.
struct Lost(String);

impl Lost {
    fn new(url: &str) -> Self {
        let socket = Path::new(url.strip_prefix("unix://").expect("a private engine"));
        let pid = std::fs::read_to_string(socket.with_file_name("pid")).expect("the engine's pid file");
        let lost = Self(pid.trim().to_owned());
        lost.signal("-STOP");
        lost
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0]).status().unwrap().success());
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-CONT", &self.0]).status();
    }
}

fn leased(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|r| r["type"] == "domain.leased")
        .collect()
}

fn domains(records: &[Value]) -> BTreeSet<String> {
    records.iter().map(|record| record["domain"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn leases_survive_the_loss_of_the_leading_manager() {
    let nodes = nodes();
    let id = lib_common::new_id().to_lowercase();
    let base = format!("{}.test", &id[18..]);
    let case = |n: usize| {
        serde_json::json!({"type": "case.failed", "v": 1, "case": format!("r{n}x@1/t"), "recipe": format!("r{n}x"),
            "version": "1", "test": "t", "stage": "custom", "source": "test"})
    };
    let input = (0..8).map(|n| case(n).to_string() + "\n").collect::<Vec<_>>().concat();
    let alloc = |url: &str, holder: &str| {
        let args =
            ["--base", &base, "--shared-network", "proxy", "--holder", holder, "--engine-timeout", "8s"];
        let mut child = tool(url, &id, &args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child
    };
    let leader = |(_, url): &&(String, String)| {
        say(&at(url, &["node", "inspect", "self", "--format", "{{.ManagerStatus.Leader}}"])) == "true"
    };
    let lost = nodes.iter().find(leader).expect("a leader").clone();
    let rest: Vec<&(String, String)> = nodes.iter().filter(|node| **node != lost).collect();

    // Some tools run when the manager is lost. Leases that they printed must hold, however these tools end.
    let before: Vec<_> =
        (0..4).map(|n| (format!("{id}-{n}"), alloc(&rest[n % 2].1, &format!("{id}-{n}")))).collect();
    let gone = Lost::new(&lost.1);
    let mut printed = Vec::new();
    for (_, child) in before {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 75)), "{:?}: {said}", output.status);
        printed.extend(leased(&output));
    }
    // The other two managers keep the quorum.
    wait_for("another leader", 180, || rest.iter().any(leader));
    let mut all = Vec::new();
    for n in 0..4 {
        wait_for("leases without the third manager", 180, || {
            let output = alloc(&rest[n % 2].1, &format!("{id}-{n}")).wait_with_output().unwrap();
            let done = output.status.success();
            if done {
                all.extend(leased(&output));
            }
            done
        });
    }
    assert_eq!((all.len(), domains(&all).len()), (32, 32));
    assert!(domains(&printed).is_subset(&domains(&all)), "what was printed is not lost");

    // The lost manager comes back and sees the same leases.
    drop(gone);
    let leases = || tool(&lost.1, &id, &["list"]).output().unwrap();
    wait_for("the lost manager to see the leases", 180, || {
        domains(&leased(&leases())).is_superset(&domains(&all))
    });
    for n in 0..4 {
        wait_for("the release", 180, || {
            tool(&nodes[n % 3].1, &id, &["release", "--holder", &format!("{id}-{n}")])
                .status()
                .unwrap()
                .success()
        });
    }
    assert!(!leased(&leases()).iter().any(|record| record["domain"].as_str().unwrap().ends_with(&base)));
}

#[test]
fn a_volume_on_another_node_keeps_its_lease() {
    let nodes = nodes();
    let (here, there) = (&nodes[0].1, &nodes[2].1);
    let id = lib_common::new_id().to_lowercase();
    let base = format!("{}.test", &id[18..]);
    let output =
        tool(here, &id, &["--base", &base, "--shared-network", "proxy", "--recipe", "old", "--ttl", "1ms"])
            .output()
            .unwrap();
    let stack = leased(&output)[0]["stack"].as_str().unwrap().to_owned();
    let all: Vec<String> = nodes.iter().map(|(name, url)| format!("{name}={url}")).collect();
    let gc = |nodes: &str| {
        let mut args = vec!["gc", "--holder", &*id];
        args.extend(nodes.split(' ').filter(|node| !node.is_empty()).flat_map(|node| ["--nodes", node]));
        let output = tool(here, &id, &args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).matches("domain.released").count()
    };
    assert_eq!(gc(""), 0, "the other nodes' volumes are not seen");
    assert_eq!(gc(&all[..2].join(" ")), 0, "one node is missing");
    let volume = format!("{stack}_data");
    assert!(at(there, &["volume", "create", &volume]).status.success());
    assert_eq!(gc(&all.join(" ")), 0, "a volume is left on the third node");
    // Its name is not granted to anybody either.
    let label = stack.split('_').next().unwrap();
    let pattern = [
        "--base",
        &base,
        "--shared-network",
        "proxy",
        "--recipe",
        "x",
        "--holder",
        "other",
        "--pattern",
        label,
        "--nodes",
        &all[2],
    ];
    tool(here, &id, &["release", "--holder", &id]).status().unwrap();
    let output = tool(here, &id, &pattern).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("volume {volume}")));
    assert!(at(there, &["volume", "rm", &volume]).status.success());
    let again =
        tool(here, &id, &["--base", &base, "--shared-network", "proxy", "--recipe", "old", "--ttl", "1ms"])
            .output()
            .unwrap();
    assert_eq!(leased(&again).len(), 1);
    assert_eq!(gc(&all.join(" ")), 1);
}
