//! The swarm's slots under competition: never more holders than slots, nobody starves, the dead are found out.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::stack::try_docker;
use e2e::{docker, first, objects_named, pipe, records, require_engine, tool, wait_for};
use serde_json::Value;

fn isolate(args: &[&str]) -> Command {
    let mut command = Command::new(tool("swarm-isolate"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// State, holder and so on of each slot, as the tool shows them.
fn slots() -> Vec<Value> {
    let output = isolate(&["slots"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    records(&output.stdout)
}

fn held() -> usize {
    slots().iter().filter(|slot| slot["state"] == "held").count()
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn wait_for_slots(count: usize) {
    wait_for(&format!("{count} held slots"), 180, || held() == count);
}

/// Makes a config while it runs: what the engine sees of who is inside.
fn work(name: &str, seconds: &str) -> String {
    format!(
        "echo x | docker config create {name} - >/dev/null && sleep {seconds}; docker config rm {name} >/dev/null"
    )
}

/// Creations and removals of configs, as the engine tells them.
struct Events {
    child: Child,
    seen: Arc<Mutex<Vec<(u64, String, bool)>>>,
}

impl Events {
    fn follow() -> Self {
        let mut child = Command::new("docker")
            .args(["events", "--filter", "type=config", "--format", "{{json .}}"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let (lines, to) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&seen));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap();
                let name = event["Actor"]["Attributes"]["name"].as_str().unwrap_or_default().to_owned();
                let action = event["Action"].as_str().unwrap_or_default();
                if action == "create" || action == "remove" {
                    to.lock().unwrap().push((event["timeNano"].as_u64().unwrap(), name, action == "create"));
                }
            }
        });
        let events = Self { child, seen };
        // The stream is there once it tells of something.
        wait_for("the engine's events", 180, || {
            docker(["config", "ls", "-q"]);
            let probe = format!("probe-{}", nanoseconds());
            try_docker(&["config", "create", &probe, "/proc/self/cmdline"]);
            try_docker(&["config", "rm", &probe]);
            events.seen.lock().unwrap().iter().any(|(_, name, _)| name.starts_with("probe-"))
        });
        events
    }

    fn all(&self) -> Vec<(u64, String, bool)> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nanoseconds() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

#[test]
fn eight_processes_for_three_slots() {
    require_engine();
    let seconds: u64 = std::env::var("E2E_STORM_SECONDS").map_or(45, |text| text.parse().unwrap());
    let events = Events::follow();
    let end = Instant::now() + Duration::from_secs(seconds);
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            std::thread::spawn(move || {
                let mut asked = Vec::new();
                for round in 0.. {
                    if Instant::now() >= end {
                        break;
                    }
                    let exclusive = worker == 0;
                    let name = format!("storm-{}-{worker}-{round}", if exclusive { "all" } else { "one" });
                    asked.push((nanoseconds(), name.clone()));
                    let how = if exclusive { "--slot-only=all" } else { "--slot-only" };
                    let script = work(&name, &format!("0.{}", worker + 1));
                    let output = isolate(&[how, "--wait", "3m", "--", "sh", "-c", &script]).output().unwrap();
                    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
                    if exclusive {
                        // The others get their turn.
                        std::thread::sleep(Duration::from_millis(700));
                    }
                }
                asked
            })
        })
        .collect();
    let asked: BTreeMap<String, u64> =
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).map(|(at, name)| (name, at)).collect();
    wait_for("the last event", 180, || {
        events.all().iter().filter(|(_, name, created)| name.starts_with("storm-") && !created).count()
            == asked.len()
    });
    let mut seen = events.all();
    seen.retain(|(_, name, _)| name.starts_with("storm-"));
    seen.sort();

    let (mut inside, mut most) = (0, 0);
    for (at, name, created) in &seen {
        let weight = if name.starts_with("storm-all") { 3 } else { 1 };
        inside += if *created { weight } else { -weight };
        most = most.max(inside);
        assert!(inside <= 3, "{inside} slots' worth of commands ran at {at}: {name}");
    }
    assert_eq!((inside, most), (0, 3), "all three were used, and all is over");

    let created =
        |part: &'static str| seen.iter().filter(move |(_, name, new)| *new && name.starts_with(part));
    let (all, one) = (created("storm-all").count(), created("storm-one").count());
    assert!(one > all && all as u64 >= seconds / 20, "{all} exclusive and {one} shared runs in {seconds} s");
    for (at, name, _) in created("storm-all") {
        // The marker is up within a moment; from then on only who was about to start starts.
        let marked = asked[name] + 2_000_000_000;
        let passed_by = created("storm-one").filter(|(other, _, _)| (marked..*at).contains(other)).count();
        assert!(passed_by <= 10, "{passed_by} newcomers started before {name}, which had asked first");
    }
    assert_eq!(held(), 0);
}

#[test]
fn the_dead_are_found_out_at_once_on_this_host() {
    require_engine();
    let mut holder = isolate(&["--slot-only=all", "--", "sleep", "300"]).spawn().unwrap();
    wait_for_slots(3);
    signal(&holder, "-KILL");
    holder.wait().unwrap();
    wait_for("the command to end with its tool", 180, || slots().iter().all(|slot| slot["dead"] == true));
    // The TTL is a minute: only the kernel can have told.
    let output = isolate(&["--slot-only", "--wait", "20s", "--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // So is one that waits for all of them: its marker stops nobody any more.
    let mut one = isolate(&["--slot-only", "--", "sleep", "300"]).spawn().unwrap();
    wait_for("one holder", 180, || {
        slots().iter().any(|slot| slot["what_for"] == "sleep" && slot["dead"] != true)
    });
    let mut waiter = isolate(&["--slot-only=all", "--", "true"]).spawn().unwrap();
    wait_for("the waiter's marker", 180, || slots().iter().any(|slot| slot["awaited_by"].is_string()));
    signal(&waiter, "-KILL");
    waiter.wait().unwrap();
    let output = isolate(&["--slot-only", "--wait", "20s", "--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    signal(&one, "-TERM");
    assert_eq!(one.wait().unwrap().signal(), Some(15), "the command's death is passed on");
    assert!(isolate(&["reap"]).output().unwrap().status.success());
    assert_eq!(held(), 0);
}

#[test]
fn a_holder_that_slept_through_its_heartbeat_stops_its_command() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let ended = dir.path().join("ended");
    let script = format!("trap 'touch {}; exit 9' TERM; while :; do sleep 0.1; done", ended.display());
    let holder =
        isolate(&["--slot-only=all", "--slot-ttl", "6s", "--", "sh", "-c", &script]).spawn().unwrap();
    wait_for_slots(3);
    signal(&holder, "-STOP");
    let output = isolate(&["--slot-only", "--wait", "60s", "--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!ended.exists(), "it still sleeps");
    signal(&holder, "-CONT");
    let output = holder.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(String::from_utf8_lossy(&output.stderr).contains("holding the slot: somebody else took it"));
    assert!(ended.exists(), "its command was asked to end");
    assert!(isolate(&["--slot-ttl", "6s", "reap"]).output().unwrap().status.success());
    assert_eq!(held(), 0);
}

#[test]
fn streams_exit_codes_and_leave_to_start() {
    require_engine();
    let mut command = isolate(&["--slot-only", "--", "sh", "-c", "cat; echo err >&2; exit 7"]);
    let output = pipe(&mut command, b"in\n\xff");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), b"in\n\xff".as_slice()));
    assert_eq!(output.stderr, b"err\n");
    for (command, code) in [("/nonexistent/program", 127), ("/etc/passwd", 126)] {
        assert_eq!(
            isolate(&["--slot-only", "--", command]).output().unwrap().status.code(),
            Some(code),
            "{command}"
        );
    }
    let refused = |args: &[&str], code, words: &str| {
        let output = isolate(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && stderr.contains(words), "{args:?}: {stderr}");
    };
    refused(&["--slots", "7", "--slot-only", "--", "true"], 2, "slots --resize 7");
    refused(&["--slot-only", "--busy", "exit 3", "--", "true"], 2, "asking whether another CI is deploying");
    refused(&["--slot-only", "--busy", "true", "--wait", "1s", "--", "true"], 75, "another CI is deploying");
    // Opens in ten hours, whatever the time is.
    let hour = nanoseconds() / 3_600_000_000_000 % 24;
    let window = format!("{:02}:00-{:02}:30Z", (hour + 11) % 24, (hour + 11) % 24);
    refused(&["--slot-only", "--window", &window, "--", "true"], 75, "the window opens in ");
    refused(
        &["--slot-only", "--budget", "2s", "--grace", "1s", "--", "sleep", "60"],
        75,
        "the budget is spent",
    );
    assert_eq!(held(), 0);

    let resize = |count: &str| {
        let output = isolate(&["slots", "--resize", count]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        records(&output.stdout)
    };
    assert_eq!((resize("2").len(), resize("3").len()), (2, 3));
}

#[test]
fn a_budget_leaves_time_for_the_teardown() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let name = format!("budget{}", std::process::id());
    let domain = format!("{name}.ci.example");
    let ledger = dir.path().join("ledger.jsonl");
    let script = "docker service create -d --no-resolve-image --endpoint-mode dnsrr --stop-grace-period 1s \
        --label com.docker.stack.namespace=$REDFIX_STACK --name ${REDFIX_STACK}_a redfix/busybox:latest sleep 3600 \
        >/dev/null && sleep 3600";
    let options =
        ["--domain", &domain, "--max-foreign-cpu", "2", "--budget", "22s", "--teardown-timeout", "14s"];
    let output = isolate(&options)
        .args(["--grace", "1s", "--runs", "5", "--ledger"])
        .arg(&ledger)
        .args(["--", "sh", "-c", script])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("budget"), "{stderr}");
    let all = records(&fs::read(&ledger).unwrap());
    let run = first(&all, "run.finished");
    assert_eq!(
        (run["outcome"].as_str(), run["reason"].as_str()),
        (Some("aborted"), Some("the budget was spent"))
    );
    assert_eq!(
        (run["isolation"]["slots_held"].as_u64(), run["isolation"]["slots_total"].as_u64()),
        (Some(3), Some(3))
    );
    assert_eq!(run["cleanup"]["left"], Value::Array(vec![]));
    assert_eq!(objects_named(&name), Vec::<String>::new());
    assert_eq!(held(), 0);
}

#[test]
fn a_series_is_spaced_takes_nodes_in_turn_and_gives_its_lease_back() {
    require_engine();
    let holder = format!("series-{}", std::process::id());
    let lease = |args: &[&str]| {
        let mut command = Command::new(tool("warm-domain-alloc"));
        let output = pipe(command.args(args).args(["--holder", &holder]), b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let leased = lease(&["--base", "ci.example", "--recipe", "t"]);
    let dir = e2e::folder::Folder::new();
    let bins = tool("warm-domain-alloc").parent().unwrap().display().to_string();
    let path = format!("{bins}:{}", std::env::var("PATH").unwrap());
    let series = |path: &str, input: &[u8]| {
        let mut command = isolate(&["--recipe", "t", "--condition", "loaded", "--load-with", "sleep 60"]);
        command
            .args(["--min-foreign-cpu", "0", "--runs", "2", "--apart", "4s", "--", "/bin/sh", "-c"])
            .arg("echo $REDFIX_NODE >>nodes")
            .env("REDFIX_NODES", std::env::var("REDFIX_NODES").unwrap_or_default())
            .env("PATH", path)
            .current_dir(dir.path());
        let output = pipe(&mut command, input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        records(&output.stdout)
    };
    let all = series(&path, &leased);
    let runs: Vec<&Value> = all.iter().filter(|record| record["type"] == "run.finished").collect();
    let starts: Vec<u64> = runs.iter().map(|run| seconds(run["started"].as_str().unwrap())).collect();
    assert!(starts.len() == 2 && starts[1] - starts[0] >= 3, "{starts:?}");
    assert!(runs.iter().all(|run| run["isolation"]["slots_held"] == 1 && run["notes"].is_null()), "{runs:?}");
    let released = first(&all, "domain.released");
    assert_eq!(released["lease_id"], first(&all, "domain.leased")["lease_id"]);
    assert_eq!(lease(&["list"]), b"", "it is given back");
    let nodes = fs::read_to_string(dir.path().join("nodes")).unwrap();
    let first_node = std::env::var("REDFIX_NODES").unwrap_or_default();
    let first_node = first_node.split('=').next().unwrap_or_default().to_owned();
    assert_eq!(nodes.lines().next(), Some(first_node.as_str()));

    let leased = lease(&["--base", "ci.example", "--recipe", "t"]);
    let all = series("/usr/bin:/bin", &leased);
    let run = all.iter().rfind(|record| record["type"] == "run.finished").unwrap();
    assert!(run["notes"].to_string().contains("warm-domain-alloc is not on PATH"), "{}", run["notes"]);
    lease(&["release"]);
}

/// Of a time of day in UTC.
fn seconds(at: &str) -> u64 {
    let parts: Vec<u64> = at[11..19].split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600 + parts[1] * 60 + parts[2]
}
