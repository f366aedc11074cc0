//! `swarm-isolate` on a real swarm: however a run ends, nothing of it is left, and the record says what happened.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::run::{DEPLOY, Run, kill};
use e2e::{first, pipe, records, tool, wait_for};
use serde_json::Value;

/// The tool, ready to deploy the stack and then run `script`.
fn deploying(bench: &Run, options: &[&str], script: &str) -> Command {
    bench.script(options, &format!("{DEPLOY}{script}"))
}

#[test]
fn success_leaves_nothing_and_proves_it() {
    let bench = Run::new("ok");
    let input = b"{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\n";
    let running = "until [ -n \"$(docker ps -q --filter label=com.docker.stack.namespace=$REDFIX_STACK)\" ]; do sleep 0.2; done";
    let mut command = deploying(&bench, &[], &format!("env >seen; {running}"));
    let output = pipe(&mut command, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.starts_with(input), "pass-through is byte for byte");
    let all = records(&output.stdout);
    let run = first(&all, "run.finished");
    assert_eq!(run["outcome"], "pass");
    assert_eq!(run["cleanup"]["left"], Value::Array(vec![]));
    let created = run["cleanup"]["created"].to_string();
    for kind in ["service/", "container/", "network/", "config/", "volume/"] {
        assert!(created.contains(kind), "{kind} in {created}");
    }
    let seen = fs::read_to_string(bench.path("seen")).unwrap();
    let stack = run["stack"].as_str().unwrap();
    for line in
        [format!("REDFIX_STACK={stack}"), "REDFIX_CONDITION=isolated".into(), "REDFIX_FACTOR_FIX=none".into()]
    {
        assert!(seen.lines().any(|l| l == line), "{line} in the environment");
    }
    assert!(!seen.contains("REDFIX_LEDGER="), "children do not write the ledger");
    let folder = bench.path("out").join(run["evidence"]["path"].as_str().unwrap());
    let hash = lib_common::evidence::root_hash(&folder).unwrap();
    assert_eq!(run["evidence"]["blake3"], hash.as_str());
    bench.assert_nothing_left();
}

#[test]
fn a_failing_command_keeps_its_code_and_its_tests_become_records() {
    let bench = Run::new("red");
    let junit = r#"mkdir -p $REDFIX_EVIDENCE/junit; echo '<testsuite name="s"><testcase classname="a" name="b"><failure message="boom"/></testcase></testsuite>' >$REDFIX_EVIDENCE/junit/x.xml; echo PASSWORD=hunter22; exit 3"#;
    let output = deploying(&bench, &[], junit).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let all = records(&output.stdout);
    assert_eq!(first(&all, "run.finished")["outcome"], "fail");
    let test = first(&all, "test.finished");
    assert_eq!((&test["outcome"], &test["test"]), (&"fail".into(), &"a::b".into()));
    let folder = bench.path("out").join(first(&all, "run.finished")["attempt_id"].as_str().unwrap());
    let log = fs::read_to_string(folder.join("command.log")).unwrap();
    assert!(log.contains("[REDACTED:") && !log.contains("hunter22"), "{log}");
    bench.assert_nothing_left();
}

#[test]
fn a_timeout_is_told_apart() {
    let bench = Run::new("late");
    let output =
        deploying(&bench, &["--timeout", "3s", "--grace", "1s"], "trap '' TERM; sleep 60").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(bench.last_run()["outcome"], "timeout");
    bench.assert_nothing_left();
}

#[test]
fn ctrl_c_and_sigterm_tear_down_and_are_recorded() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let bench = Run::new("stop");
        let mut child = bench.start(&[], &format!("{DEPLOY}sleep 60"));
        bench.wait_until_deployed();
        kill(&child, signal);
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(number), "the signal's death is passed on");
        let run = bench.last_run();
        assert_eq!((&run["outcome"], &run["signal"]), (&"aborted".into(), &number.into()));
        bench.assert_nothing_left();
    }
}

#[test]
fn what_double_forks_and_leaves_the_group_is_ended() {
    let bench = Run::new("fork");
    let marker = format!("7{}", std::process::id());
    let output =
        deploying(&bench, &[], &format!("setsid sh -c 'setsid sleep {marker} & sleep {marker} &'; sleep 1"))
            .output()
            .unwrap();
    assert!(output.status.success());
    let alive = Command::new("pgrep").args(["-f", &format!("sleep {marker}")]).output().unwrap();
    assert!(alive.stdout.is_empty(), "{}", String::from_utf8_lossy(&alive.stdout));
    bench.assert_nothing_left();
}

#[test]
fn a_second_run_waits_for_the_slot() {
    let bench = Run::new("slot");
    let mut child = bench.start(&[], &format!("{DEPLOY}sleep 8"));
    bench.wait_until_deployed();
    let output = deploying(&bench, &["--wait", "1s"], "true").output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&format!("held by {}@", child.id())) && told.contains("hint:"), "{told}");
    assert!(child.wait().unwrap().success());
    bench.assert_nothing_left();
}

#[test]
fn load_is_measured_and_a_load_that_is_none_is_refused() {
    let bench = Run::new("load");
    let none =
        ["--condition", "loaded", "--load-with", "sleep 60", "--min-foreign-cpu", "1.5", "--wait", "1s"];
    let output = deploying(&bench, &none, "touch ran").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!bench.path("ran").exists());
    let load = e2e::root().join("ground/load").display().to_string();
    let load = format!("{load} cpu 8");
    let output =
        deploying(&bench, &["--condition", "loaded", "--load-with", &load], "sleep 2").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = bench.last_run();
    assert_eq!(run["factors"]["load"], "loaded");
    assert_eq!(run["isolation"]["proved"], true, "{run:#}");
    assert!(run["isolation"]["foreign_cpu_during"].as_f64().unwrap() > 0.5, "{run:#}");
    bench.assert_nothing_left();
}

/// Files and folders below `folder` that other users may read or enter, with their modes.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let mode = entry.symlink_metadata().unwrap().permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            found.push(format!("{mode:o} {}", entry.display()));
        }
        if entry.is_dir() {
            found.extend(open_to_others(&entry));
        }
    }
    found
}

#[test]
fn nobody_else_may_read_what_a_run_leaves() {
    let bench = Run::new("modes");
    let snap = format!("{} attach", tool("log-snap").display());
    let call = deploying(&bench, &["--companion", &snap], "echo said; sleep 1");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(tool("swarm-isolate"));
    let output = bench.by(shell, &call).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(first(&bench.records(), "log.snapped")["path"].is_string());
    let out = bench.path("out");
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(open_to_others(&out), Vec::<String>::new());
}

/// A script for `--until` that plans isolated runs until the ledger has three.
const THREE_RUNS: &str = r#"n=$(grep -c '"type":"run.finished"'); [ $n -ge 3 ] && exit 0
echo '{"type":"run.planned","v":1,"ts":"t","investigation":"i","tool":"x/1","case":"t@1/x","factors":{"load":"isolated","fix":"none"},"why":"w","minimum_runs":1,"expected_runs":1,"if_pass":"p","if_fail":"f"}'
exit 1"#;

fn count_runs(ledger: &Path) -> usize {
    fs::read_to_string(ledger).unwrap_or_default().matches("\"type\":\"run.finished\"").count()
}

#[test]
fn until_is_asked_after_each_run_and_what_the_ledger_holds_is_not_repeated() {
    let bench = Run::new("until");
    let mut child = bench.start(&["--until", THREE_RUNS], &format!("{DEPLOY}sleep 1"));
    wait_for("the first record", 180, || count_runs(&bench.ledger()) == 1);
    kill(&child, "-TERM");
    child.wait().unwrap();
    let before = count_runs(&bench.ledger());
    assert!((1..3).contains(&before), "{before} runs before the second start");
    let output = deploying(&bench, &["--until", THREE_RUNS], "sleep 1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count_runs(&bench.ledger()), 3);
    let runs = records(&output.stdout).iter().filter(|r| r["type"] == "run.finished").count();
    assert_eq!(runs, 3, "the whole history goes down the pipe");
    bench.assert_nothing_left();
}

#[test]
fn what_a_companion_prints_joins_the_stream_if_it_is_a_record() {
    let bench = Run::new("mate");
    let mate = r#"echo '{"type":"x.seen","v":1}'; echo 'no record'; sleep 60"#;
    let output = deploying(&bench, &["--companion", mate], "sleep 1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && told.contains("left out 1 lines that the companion printed"),
        "{told}"
    );
    assert_eq!(first(&records(&output.stdout), "x.seen")["v"], 1);
    bench.assert_nothing_left();
}

#[test]
fn a_dead_reader_costs_no_record() {
    let bench = Run::new("pipe");
    let mut child =
        deploying(&bench, &[], "exit 0").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "a tool that changed something says that it cannot say so");
    assert_eq!(bench.last_run()["outcome"], "pass");
    bench.assert_nothing_left();
}

/// Forwards a TCP port on the loopback interface to the engine's socket until the test ends.
fn engine_over_tcp() -> String {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;
    let socket = std::env::var("DOCKER_HOST").unwrap();
    let socket = socket.strip_prefix("unix://").expect("the private engine listens on a socket").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(engine) = UnixStream::connect(&socket) else { continue };
            e2e::relay::join(client, engine);
        }
    });
    format!("tcp://{address}")
}

#[test]
fn an_engine_elsewhere_works_and_its_node_is_not_claimed_to_be_measured() {
    let bench = Run::new("tcp");
    let host = engine_over_tcp();
    let output = deploying(&bench, &["--host", &host], "exit 0").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = bench.last_run();
    assert_eq!((&run["outcome"], &run["isolation"]["proved"]), (&"pass".into(), &false.into()), "{run:#}");
    assert!(run["isolation"]["why"].as_str().unwrap().contains("could not be measured"), "{run:#}");
    bench.assert_nothing_left();
}
