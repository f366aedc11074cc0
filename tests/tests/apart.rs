//! Tests of `check/apart`: a command in it sees nothing of the machine's processes, network and control groups, all its
//! processes end with it, and what a killed call leaves is removed by the next call.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use e2e::bench::kill;
use e2e::{root, wait_for};

fn apart(command: &[&str]) -> Command {
    let mut apart = Command::new(root().join("check/apart"));
    apart.args(command).stdin(Stdio::null());
    apart
}

fn output(command: &[&str]) -> Output {
    apart(command).output().expect("check/apart")
}

/// Starts a call that runs the script, prints its id, and then waits.
fn standing(script: &str) -> (Child, String) {
    let script = format!("{script} && echo $APART && while :; do sleep 0.1; done");
    let mut child = apart(&["bash", "-c", &script]).stdout(Stdio::piped()).spawn().expect("check/apart");
    let mut name = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut name).expect("its name");
    (child, name.trim().to_owned())
}

/// Command lines of the processes that contain this word.
fn processes(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(word)).collect()
}

#[test]
fn it_ends_as_its_command_does() {
    assert_eq!(output(&["sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(output(&["--frobnicate"]).status.code(), Some(2));
    let (mut child, _) = standing("trap 'exit 5' TERM");
    kill(child.id(), "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(5));
}

#[test]
fn nothing_of_others_is_seen_there_and_nothing_can_be_downloaded() {
    let (mut other, name) = standing("true");
    let script = "ps -e -o args= | wc -l; ip -o link show up | wc -l; ip route show default | wc -l; \
                  find /sys/fs/cgroup -name 'redfix-*' | wc -l";
    let seen = output(&["sh", "-c", script]);
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    let counts: Vec<u32> = seen.lines().map(|line| line.trim().parse().expect("a number")).collect();
    assert!(counts[0] <= 4, "its own shell and what it pipes: {seen}");
    assert_eq!(counts[1..], [1, 0, 0], "links, default routes, control groups of others");
    kill(other.id(), "-TERM");
    other.wait().expect("it ends");
    assert!(!Path::new("/run/redfix-apart").join(name).exists());
}

#[test]
fn what_a_killed_call_left_is_gone_with_the_next() {
    let engine = root().join("scripts/engine").display().to_string();
    let (mut child, name) = standing(&format!("{engine} up --name $APART-k"));
    let engine = format!("redfix-engine/{name}-k");
    assert!(!processes(&engine).is_empty(), "its engine runs");
    kill(child.id(), "-KILL");
    child.wait().expect("it ends");
    wait_for("its processes to end", 180, || processes(&engine).is_empty());
    assert!(output(&["true"]).status.success());
    // Another call that runs at the same time may sweep it first.
    let record = format!("/run/redfix-apart/{name}");
    for left in [format!("/run/{engine}"), format!("/var/lib/{engine}"), format!("/tmp/{name}"), record] {
        wait_for(&format!("{left} to be gone"), 180, || !Path::new(&left).exists());
    }
}
