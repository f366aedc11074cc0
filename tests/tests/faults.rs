//! Faults of `swarm-isolate`: it is killed at chosen moments, with or without its reaper, or the engine restarts. After each
//! fault nothing is left, bystanders are untouched, and the record says what happened.
//!
//! `campaign.rs` injects such faults at random and in large numbers.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::process::Command;

use e2e::bench::{Bench, Bystander, held_slots, kill, reapers, restart_engine, told};
use e2e::{objects_named, wait_for};

#[test]
fn the_reaper_finishes_what_a_killed_tool_began() {
    let bench = Bench::new("kill");
    let bystander = Bystander::new("kill");
    let untouched = bystander.state();
    // The command outlives its parent, clears its environment and leaves the session: it must be ended all the same.
    let marker = format!("86{}", std::process::id());
    let script = format!("sleep {marker} & setsid sleep {marker} & env -i sleep {marker}");
    let mut child = bench.start(&[], &script);
    bench.wait_until_deployed();
    let before = reapers();
    assert_eq!(before.len(), 1, "one reaper for one tool");
    kill(child.id(), "-KILL");
    // The reaper must not hold the tool's standard error open, or a reader would wait for it.
    let mut stderr = child.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut String::new()).unwrap();
    child.wait().unwrap();
    bench.wait_until_finished(180);
    bench.assert_over();
    let run = bench.runs().remove(0);
    assert_eq!(run["outcome"], "aborted");
    assert!(run["reason"].as_str().unwrap().starts_with("swarm-isolate was killed"), "{run:#}");
    assert!(run["cleanup"]["created"].to_string().contains("volume/"), "{run:#}");
    assert_eq!(run["cleanup"]["left"], serde_json::json!([]));
    let folder = bench.dir.path().join("out").join(run["evidence"]["path"].as_str().unwrap());
    let hash = lib_common::evidence::root_hash(&folder).unwrap();
    assert_eq!(run["evidence"]["blake3"], hash.as_str());
    let alive = Command::new("pgrep").args(["-f", &format!("sleep {marker}")]).output().unwrap();
    assert!(alive.stdout.is_empty(), "{}", String::from_utf8_lossy(&alive.stdout));
    assert_eq!(bystander.state(), untouched);
    wait_for("the reaper to end", 180, || reapers().is_empty());
}

#[test]
fn reap_finishes_what_tool_and_reaper_left_and_records_it() {
    let bench = Bench::new("both");
    let mut child = bench.start(&[], "sleep 60");
    bench.wait_until_deployed();
    // Kill the reaper first: it would act as soon as the tool is dead.
    reapers().into_iter().chain([child.id()]).for_each(|pid| kill(pid, "-KILL"));
    child.wait().unwrap();
    let there = objects_named(&bench.name);
    assert_ne!(there, Vec::<String>::new(), "nobody was left to tear it down");
    let dry = bench.tool(&["reap", "--dry-run"]);
    assert!(dry.status.success() && told(&dry).contains("would tear down iso-both"), "{}", told(&dry));
    assert!(told(&dry).contains("would finish attempt"), "{}", told(&dry));
    assert!(bench.runs().is_empty() && !held_slots().is_empty(), "a dry run changes nothing");
    let reap = bench.tool(&["reap"]);
    assert!(reap.status.success() && told(&reap).contains("a dead predecessor left"), "{}", told(&reap));
    bench.assert_over();
    assert_eq!(bench.runs()[0]["outcome"], "aborted");
    let again = bench.tool(&["reap"]);
    assert!(again.status.success() && again.stderr.is_empty(), "{}", told(&again));
    bench.assert_over();
}

#[test]
fn the_next_run_finishes_what_tool_and_reaper_left() {
    let bench = Bench::new("next");
    let mut child = bench.start(&[], "sleep 60");
    bench.wait_until_deployed();
    reapers().into_iter().chain([child.id()]).for_each(|pid| kill(pid, "-KILL"));
    child.wait().unwrap();
    let next = bench.run(&[], "exit 0");
    assert!(next.status.success() && told(&next).contains("a dead predecessor left"), "{}", told(&next));
    assert_eq!(objects_named(&bench.name), Vec::<String>::new());
    assert_eq!(held_slots(), Vec::<String>::new());
}

#[test]
fn a_second_signal_leaves_at_once_and_the_reaper_goes_on() {
    let bench = Bench::new("twice");
    let mut child = bench.start(&["--grace", "60s"], "trap '' TERM; sleep 1; sleep 600");
    bench.wait_until_deployed();
    kill(child.id(), "-INT");
    // Repeat the signal until the tool has ended: the second one may arrive before the first was handled.
    wait_for("the tool to leave", 180, || {
        kill(child.id(), "-INT");
        child.try_wait().unwrap().is_some()
    });
    bench.wait_until_finished(180);
    bench.assert_over();
}

#[test]
fn a_service_that_traps_term_is_removed_by_force() {
    let compose = r#"version: "3.8"
services:
  app:
    image: redfix/busybox:latest
    command: ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    stop_grace_period: 10m
    deploy: {endpoint_mode: dnsrr}
"#;
    let bench = Bench::with("trap", compose);
    let running = "until [ -n \"$(docker ps -q --filter label=com.docker.stack.namespace=$REDFIX_STACK)\" ]; do sleep 0.2; done";
    let output = bench.run(&["--teardown-timeout", "16s"], running);
    assert!(output.status.success(), "{}", told(&output));
    bench.assert_over();
}

#[test]
fn an_engine_that_restarts_in_the_middle_costs_nothing_but_the_run() {
    let bench = Bench::new("engine");
    let mut child = bench.start(&[], "sleep 600");
    bench.wait_until_deployed();
    // The tool gets SIGTERM while no engine runs: it must wait for the engine and then finish the teardown.
    restart_engine(|| kill(child.id(), "-TERM"));
    wait_for("the tool to end", 180, || child.try_wait().unwrap().is_some());
    bench.wait_until_finished(180);
    bench.assert_over();
    assert_eq!(bench.runs()[0]["outcome"], "aborted");
}
