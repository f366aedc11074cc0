//! `swarm-isolate` on a swarm of three nodes: containers and volumes that only their own node's engine shows, and a node
//! that dies. Needs an engine of three nodes (`scripts/engine --nodes 3`) with `REDFIX_NODES` in the environment.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use e2e::bench::{Bench, held_slots, kill, told};
use e2e::stack::IMAGE;
use e2e::{docker, wait_for};
use serde_json::json;

/// Every node with its engine's address, as `scripts/engine env` prints them.
fn nodes() -> BTreeMap<String, String> {
    let text = std::env::var("REDFIX_NODES").unwrap_or_default();
    let nodes: BTreeMap<String, String> = text
        .split_whitespace()
        .filter_map(|node| node.split_once('='))
        .map(|(name, host)| (name.to_owned(), host.to_owned()))
        .collect();
    assert!(nodes.len() >= 3, "this test needs three nodes in REDFIX_NODES: scripts/engine --nodes 3");
    nodes
}

/// The bench's containers and volumes on a node, which only the node's own engine shows.
fn local_objects(host: &str, name: &str) -> Vec<String> {
    let lists: [&[&str]; 3] = [
        &["ps", "-a", "--format", "container {{.Names}}"],
        &["volume", "ls", "--format", "volume {{.Name}}"],
        &["network", "ls", "--format", "network {{.Name}}"],
    ];
    let list = |args: &&[&str]| docker(["-H", host].iter().chain(args.iter()));
    let all: Vec<String> = lists.iter().map(list).collect();
    all.join("").lines().filter(|line| line.contains(name)).map(ToOwned::to_owned).collect()
}

/// A compose file with one task on each node, each with its own volume.
fn compose() -> String {
    format!(
        r#"version: "3.8"
services:
  app:
    image: {IMAGE}
    command: ["sleep", "3600"]
    stop_signal: SIGKILL
    networks: [internal]
    volumes: ["data:/data"]
    deploy: {{mode: global, endpoint_mode: dnsrr}}
networks: {{internal: {{driver: overlay}}}}
volumes: {{data: {{}}}}
"#
    )
}

fn on_every_node(bench: &Bench, nodes: &BTreeMap<String, String>) -> bool {
    nodes.values().all(|host| local_objects(host, &bench.name).iter().any(|o| o.starts_with("container")))
}

/// A shell command that waits until every node has a container of the stack.
fn wait_for_all(nodes: &BTreeMap<String, String>) -> String {
    let filter = "--filter label=com.docker.stack.namespace=$REDFIX_STACK";
    let each = nodes
        .values()
        .map(|host| format!("until [ -n \"$(docker -H {host} ps -q {filter})\" ]; do sleep 0.2; done"));
    each.collect::<Vec<_>>().join("; ")
}

/// Takes a slot for a moment, again and again, through the engine at `host`. The file `counts` gets the number of holders at
/// each time.
fn hold_slots(host: &str, how: &str, rounds: u32, folder: &std::path::Path) -> std::process::Child {
    let count = |step: &str| {
        format!("flock lock sh -c 'n=$(($(cat inside) {step})); echo $n >inside; echo $n >>counts'")
    };
    let once =
        format!("{} --host {host} {how} --wait 3m -- sh -c \"$HOLD\"", e2e::tool("swarm-isolate").display());
    Command::new("sh")
        .args(["-ec", &format!("for round in $(seq {rounds}); do {once}; done")])
        .env("HOLD", format!("{}; sleep 0.4; {}", count("+ 1"), count("- 1")))
        .current_dir(folder)
        .spawn()
        .unwrap()
}

#[test]
fn slots_are_the_swarms_whichever_manager_is_asked() {
    let nodes = nodes();
    let folder = e2e::folder::Folder::new();
    fs::write(folder.path().join("inside"), "0").unwrap();
    let two_each = nodes.values().chain(nodes.values());
    let mut holders: Vec<_> =
        two_each.map(|host| hold_slots(host, "--slot-only", 4, folder.path())).collect();
    let mut all = hold_slots(nodes.values().next_back().unwrap(), "--slot-only=all", 2, folder.path());
    assert!(all.wait().unwrap().success(), "who wants all of them is served among many");
    for holder in &mut holders {
        assert!(holder.wait().unwrap().success());
    }
    let counts = fs::read_to_string(folder.path().join("counts")).unwrap();
    let counts: Vec<u32> = counts.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(
        (counts.len(), counts.iter().max(), counts.last()),
        (2 * (4 * 6 + 2), Some(&3), Some(&0)),
        "{counts:?}"
    );
    assert_eq!(held_slots(), Vec::<String>::new());
}

#[test]
fn what_is_on_other_nodes_is_torn_down_and_proved() {
    let nodes = nodes();
    let bench = Bench::with("three", &compose());
    let output = bench.run(&[], &wait_for_all(&nodes));
    assert!(output.status.success(), "{}", told(&output));
    bench.assert_over();
    let run = bench.runs().remove(0);
    let created = run["cleanup"]["created"].to_string();
    for name in nodes.keys().skip(1) {
        assert!(created.contains(&format!(" on {name}")), "{name} in {created}");
    }
    assert!(created.matches("volume/").count() >= 3, "{created}");
    assert_eq!(run["cleanup"]["left"], json!([]));
    assert!(run["cleanup"].get("unproved").is_none(), "{run:#}");
    for (name, host) in &nodes {
        assert_eq!(local_objects(host, &bench.name), Vec::<String>::new(), "on {name}");
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(run["boot_id"], boot.trim(), "three engines on one machine are one machine");
}

#[test]
fn a_node_that_was_not_named_proves_nothing_and_is_a_debt() {
    let nodes = nodes();
    let bench = Bench::with("unseen", &compose());
    let own = docker(["info", "--format", "{{.Name}}"]).trim().to_owned();
    let unseen = nodes.keys().find(|name| **name != own).unwrap();
    let given: Vec<String> = nodes
        .iter()
        .filter(|(name, _)| *name != unseen)
        .map(|(name, host)| format!("{name}={host}"))
        .collect();
    let mut command = bench.command(&[], &wait_for_all(&nodes));
    let output = command.env("REDFIX_NODES", given.join(" ")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let run = bench.runs().remove(0);
    let unproved = run["cleanup"]["unproved"].to_string();
    assert!(unproved.contains(&format!("no --node {unseen}=HOST was given")), "{unproved}");
    assert_eq!(run["outcome"], "pass", "the run itself was one");
    assert_eq!(held_slots(), Vec::<String>::new(), "a debt holds no slot");
    let volume = local_objects(&nodes[unseen], &bench.name);
    assert!(volume.iter().any(|object| object.starts_with("volume")), "the debt is real: {volume:?}");
    let mut blind = Command::new(e2e::tool("swarm-isolate"));
    let blind = blind.arg("reap").env("REDFIX_NODES", given.join(" ")).output().unwrap();
    assert_eq!(blind.status.code(), Some(2), "still blind: {}", told(&blind));
    let reap = bench.tool(&["reap"]);
    assert!(reap.status.success(), "{}", told(&reap));
    assert_eq!(local_objects(&nodes[unseen], &bench.name), Vec::<String>::new());
    bench.assert_over();
}

#[test]
fn a_node_that_dies_in_the_middle_is_a_debt_until_it_is_back() {
    let nodes = nodes();
    let bench = Bench::with("dies", &compose());
    let own = docker(["info", "--format", "{{.Name}}"]).trim().to_owned();
    let (name, host) = nodes.iter().rfind(|(name, _)| **name != own).unwrap();
    let folder = host.strip_prefix("unix://").and_then(|path| path.strip_suffix("/docker.sock"));
    let folder = folder.expect("the private engine's socket");
    let engine = folder.strip_prefix("/run/redfix-engine/").and_then(|rest| rest.split_once('/')).unwrap().0;
    let go = bench.dir.path().join("go");
    let script = format!("until [ -e {} ]; do sleep 0.2; done", go.display());
    let mut child = bench.start(&["--teardown-timeout", "90s"], &script);
    wait_for("a container on every node", 180, || on_every_node(&bench, &nodes));
    let pid: u32 = fs::read_to_string(format!("{folder}/pid")).unwrap().trim().parse().unwrap();
    kill(pid, "-KILL");
    fs::write(&go, "").unwrap();
    let status = child.wait().unwrap();
    let back =
        Command::new(e2e::root().join("scripts/engine")).args(["--name", engine, "up"]).output().unwrap();
    assert!(back.status.success(), "{}", told(&back));
    assert_eq!(status.code(), Some(2));
    let run = bench.runs().remove(0);
    let unproved = run["cleanup"]["unproved"].to_string();
    assert!(unproved.contains(&format!("node {name} ")), "{unproved}");
    assert_eq!(held_slots(), Vec::<String>::new(), "a debt holds no slot");
    for (other, host) in nodes.iter().filter(|(other, _)| *other != name) {
        let left = local_objects(host, &bench.name);
        let beyond = left.iter().filter(|object| !object.starts_with("network"));
        assert_eq!(beyond.count(), 0, "{left:?} on {other}");
    }
    wait_for("the node to be back", 180, || {
        docker(["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]).contains(&format!("{name} Ready"))
    });
    let reap = bench.tool(&["reap"]);
    assert!(reap.status.success(), "{}", told(&reap));
    bench.assert_over();
    assert_eq!(local_objects(host, &bench.name), Vec::<String>::new());
}
