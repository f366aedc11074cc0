//! `swarm-wait` over its whole table: each mode and restart condition with each way in which a process can behave, on a real
//! engine, with the word that must come out and the longest time until then. By fifths, of which CI runs one in turn.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::stack::{IMAGE, Stack, try_docker};
use e2e::{docker, first, records, require_engine, tool, wait_for};
use lib_common::swarm::label;

/// Fifths run in tests of their own.
const FIFTHS: usize = 5;

/// A process, and what `docker service create` is told of it.
struct Behaviour {
    name: &'static str,
    options: &'static [&'static str],
    command: &'static [&'static str],
}

const HEALTH: [&str; 3] = ["--health-interval=1s", "--health-retries=2", "--health-timeout=2s"];

const BEHAVIOURS: [Behaviour; 8] = [
    Behaviour { name: "stays", options: &[], command: &["sleep", "3600"] },
    Behaviour { name: "ends well", options: &[], command: &["true"] },
    Behaviour { name: "ends badly", options: &[], command: &["sh", "-c", "exit 3"] },
    Behaviour { name: "ends well late", options: &[], command: &["sh", "-c", "sleep 3"] },
    Behaviour { name: "ends badly late", options: &[], command: &["sh", "-c", "sleep 3; exit 3"] },
    Behaviour { name: "healthy", options: &["--health-cmd=true"], command: &["sleep", "3600"] },
    Behaviour {
        name: "unhealthy",
        options: &["--health-cmd=echo refused; exit 1"],
        command: &["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"],
    },
    Behaviour {
        name: "leant on, ends well",
        options: &["--label=traefik.http.routers.x.rule=Host(`x`)"],
        command: &["true"],
    },
];

/// The word for a cell: the record's `state`, and of a wedge its `cause`.
#[allow(clippy::match_same_arms)] // a line for each reason
fn expected(mode: &str, condition: &str, behaviour: &str) -> &'static str {
    let (is_job, again) = (mode.ends_with("-job"), condition != "none");
    match behaviour {
        "stays" | "healthy" if is_job => "deadline",
        "stays" | "healthy" => "converged",
        // A job's task is to end; nothing restarts it, and a router on it changes nothing.
        "ends well" | "ends well late" | "leant on, ends well" if is_job => "converged",
        "ends well" | "ends well late" if condition == "none" => "converged",
        "ends well" | "ends well late" | "leant on, ends well" if condition == "any" => "crash-loop",
        "ends well" | "ends well late" | "leant on, ends well" => "gave-up",
        "ends badly" | "ends badly late" if again => "crash-loop",
        "ends badly" | "ends badly late" => "gave-up",
        // The engine ends it, it exits with 0, and that is all that the engine writes down.
        "unhealthy" if is_job => "converged",
        "unhealthy" if condition == "any" => "crash-loop",
        "unhealthy" => "gave-up",
        other => panic!("{other}"),
    }
}

/// What `swarm-wait` said of a stack with this one service, and after how long.
fn word(mode: &str, condition: &str, behaviour: &Behaviour) -> (String, Duration) {
    let stack = Stack::new();
    let (name, label) = (format!("{}_once", stack.name), label::of_stack(&stack.name));
    let mut create =
        vec!["service", "create", "-d", "--no-resolve-image", "--stop-grace-period=1s", "--name", &name];
    create.extend([
        "--label",
        &label,
        "--container-label",
        &label,
        "--mode",
        mode,
        "--restart-condition",
        condition,
    ]);
    create.extend(["--restart-delay=500ms"]);
    if !mode.ends_with("-job") {
        create.extend(["--endpoint-mode=dnsrr"]);
    }
    if behaviour.options.iter().any(|option| option.starts_with("--health")) {
        create.extend(HEALTH);
    }
    create.extend(behaviour.options);
    create.push(IMAGE);
    create.extend(behaviour.command);
    docker(create);
    let start = Instant::now();
    let mut wait = Command::new(tool("swarm-wait"));
    wait.arg(&stack.name).args(["--deadline=25s", "--settle=3s", "--same-error=3"]).stdin(Stdio::null());
    let output = wait.output().unwrap();
    let record = first(&records(&output.stdout), "stack.checked").clone();
    try_docker(&["stack", "rm", &stack.name]);
    // Engine 20.10 leaves the containers of a job behind when its service goes, and the running ones run on.
    wait_for("no container of the stack", 60, || {
        let left = docker(["ps", "--all", "--quiet", "--filter", &stack.label()]);
        left.lines().for_each(|container| drop(try_docker(&["rm", "--force", container])));
        left.is_empty()
    });
    let text = |key: &str| record[key].as_str().map(ToOwned::to_owned);
    (text("cause").or_else(|| text("state")).unwrap_or_default(), start.elapsed())
}

fn fifth(number: usize) {
    require_engine();
    let modes = ["replicated", "global", "replicated-job", "global-job"];
    // Jobs know no restart condition `any`.
    let conditions = |mode: &str| {
        if mode.ends_with("-job") { &["on-failure", "none"][..] } else { &["any", "on-failure", "none"] }
    };
    let cells: Vec<_> = modes
        .into_iter()
        .flat_map(|mode| conditions(mode).iter().map(move |condition| (mode, *condition)))
        .flat_map(|(mode, condition)| BEHAVIOURS.iter().map(move |behaviour| (mode, condition, behaviour)))
        .collect();
    assert!(cells.len() >= 60, "{}", cells.len());
    let mine = cells.into_iter().enumerate().filter(|(at, _)| at % FIFTHS == number);
    let running: Vec<_> = mine
        .map(|(_, (mode, condition, behaviour))| {
            thread::spawn(move || {
                let (word, took) = word(mode, condition, behaviour);
                let wanted = expected(mode, condition, behaviour.name);
                let cell = format!("{mode}, {condition}, {}", behaviour.name);
                // Late is a fault here, too: on a machine that is busy with the other cells all have a minute.
                (word != wanted || took > Duration::from_mins(1))
                    .then(|| format!("{cell}: {word} after {} s, expected {wanted}", took.as_secs()))
            })
        })
        .collect();
    let wrong: Vec<String> = running.into_iter().filter_map(|cell| cell.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn matrix_1_of_5() {
    fifth(0);
}

#[test]
fn matrix_2_of_5() {
    fifth(1);
}

#[test]
fn matrix_3_of_5() {
    fifth(2);
}

#[test]
fn matrix_4_of_5() {
    fifth(3);
}

#[test]
fn matrix_5_of_5() {
    fifth(4);
}
