//! Tests of `ground/load`: it runs as many loops as it says, all of them end with it, and invalid arguments are refused.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use e2e::bench::kill;
use e2e::{root, wait_for};

fn load(args: &[&str]) -> Child {
    Command::new(root().join("ground/load")).args(args).stderr(Stdio::piped()).spawn().unwrap()
}

fn loops_of(load: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{load}/task/{load}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn are_gone(pids: &[u32]) -> bool {
    pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
}

/// The numbers 5 and 0.057 of `load: 5 loops: what takes 0.057 s on a core of its own takes 0.2 s`.
fn announced(load: &mut Child) -> (usize, f64) {
    let mut line = String::new();
    BufReader::new(load.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    (words[1].parse().expect(&line), words[5].parse().expect(&line))
}

#[test]
fn a_slow_load_has_the_loops_that_its_measurement_calls_for() {
    let cores = f64::from(u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap());
    let mut load = load(&["slow", "0.2"]);
    let (count, alone) = announced(&mut load);
    let said = f64::from(u32::try_from(count).unwrap());
    let wanted = (0.2 * cores / alone - 1.0).max(1.0);
    // The printed time is rounded to three digits, so the expected count is not exact.
    assert!((said - wanted).abs() <= 1.0 + 0.02 * wanted, "{count} loops for {alone} s");
    wait_for("the loops", 180, || loops_of(load.id()).len() == count);
    let loops = loops_of(load.id());
    kill(load.id(), "-TERM");
    assert_eq!(load.wait().unwrap().code(), Some(128 + 15));
    assert!(are_gone(&loops), "{loops:?}");
}

#[test]
fn a_killed_load_takes_its_loops_with_it() {
    let mut load = load(&["cpu", "3"]);
    wait_for("the loops", 180, || loops_of(load.id()).len() == 3);
    let loops = loops_of(load.id());
    kill(load.id(), "-KILL");
    load.wait().unwrap();
    wait_for("the loops to end", 180, || are_gone(&loops));
}

#[test]
fn a_core_that_does_not_tell_its_time_is_an_error() {
    let load = load(&["slow", "0.2"]);
    // Wait until Python runs: `python3` may be a shell script that starts it.
    let exe = format!("/proc/{}/exe", load.id());
    let is_python = || std::fs::read_link(&exe).unwrap().display().to_string().contains("/python");
    wait_for("a core being timed", 180, || is_python() && !loops_of(load.id()).is_empty());
    kill(loops_of(load.id())[0], "-KILL");
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "load: timing the cores: one of them did not answer\n");
}

#[test]
fn what_is_no_load_is_refused_with_its_value() {
    for (args, named) in [
        (["cpu", "0"], "0: 1 to 1024 loops"),
        (["cpu", "1025"], "1025: 1 to 1024 loops"),
        (["slow", "0.05"], "0.05: 0.1 to 60 seconds"),
        (["slow", "nan"], "nan: 0.1 to 60 seconds"),
    ] {
        let output = load(&args).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{said}");
    }
}
