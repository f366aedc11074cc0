//! The command that `swarm-isolate` runs: its environment, its output, how its outcome is decided, how it is ended.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::process::{Command, Stdio};

use e2e::run::{DEPLOY, Run, kill, said};
use e2e::{first, pipe, records, tool};
use serde_json::Value;

#[test]
fn a_harness_is_told_by_its_own_variables_and_says_what_it_tested() {
    let run = Run::new("env");
    let commit = "4ca7f4180c2b7a1e9d5f3b6c8e0a1d2f3b4c5d6e";
    let input = r#"{"type":"case.failed","v":1,"ts":"t","investigation":"i","tool":"x/1","case":"t@1.0/a","recipe":"t","version":"1.0","ref":{"commit":"0000000000000000000000000000000000000000","kind":"tag"},"test":"a","stage":"custom","source":"s"}"#;
    let script = format!(
        r#"env >seen; echo '{{"ref":{{"commit":"{commit}","kind":"pull-request"}},"stage":"custom","harness":"h1","own":1}}' >$REDFIX_EVIDENCE/run.json"#
    );
    let options = [
        "--env",
        "APP={domain}",
        "--env",
        "RUNS={evidence}/runs",
        "--env",
        "R={recipe}@{version}",
        "--env",
        "SHA={ref}",
    ];
    let output = pipe(&mut run.script(&options, &script), input.as_bytes());
    assert!(output.status.success(), "{}", said(&output));
    let seen = fs::read_to_string(run.path("seen")).unwrap();
    let last = run.last_run();
    let folder = run.path("out").join(last["attempt_id"].as_str().unwrap());
    for line in [
        format!("APP={}", last["domain"].as_str().unwrap()),
        format!("RUNS={}/runs", folder.display()),
        "R=t@1.0".into(),
        format!("SHA={}", "0".repeat(40)),
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    assert_eq!(last["ref"]["commit"], commit, "what was really tested counts, not what was asked for");
    assert_eq!((&last["stage"], &last["harness"]), (&"custom".into(), &"h1".into()));
    assert_eq!(last["notes"], Value::Null, "{last:#}");
    assert!(last["isolation"]["nodes"][0]["foreign_cpu_during"].is_number(), "{last:#}");
}

#[test]
fn a_pseudo_terminal_is_a_terminal_and_its_output_is_redacted_evidence() {
    let run = Run::new("pty");
    let script = "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && stty size && cat && read -r x; echo PASSWORD=hunter22; echo done >&2";
    let output = run.output(&["-v", "--pty", "--timeout", "20s"], script);
    assert!(output.status.success(), "{}", said(&output));
    let log = run.evidence("command.log");
    assert!(log.starts_with("50 200\n") && log.contains("[REDACTED:") && log.ends_with("done\n"), "{log:?}");
    assert!(!log.contains("hunter22") && !log.contains('\r'), "{log:?}");
    assert!(said(&output).contains(&log), "-v shows the same: {}", said(&output));
    assert_eq!(records(&output.stdout).len(), 1, "standard output carries records only");
}

#[test]
fn with_records_elsewhere_the_commands_streams_and_code_are_its_own() {
    let run = Run::new("through");
    let script =
        r"[ ! -e /proc/self/fd/7 ] || exit 1; printf 'a\0\377\nTOKEN=hunter22'; printf 'err\r' >&2; exit 7";
    let inner = run.script(&["--records", "7"], script);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" "$@" 7>>records"#]).arg(tool("swarm-isolate"));
    let output = run.by(shell, &inner).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert_eq!(output.stdout, b"a\0\xff\nTOKEN=hunter22", "byte for byte");
    assert_eq!(output.stderr, b"err\r");
    let all = records(&fs::read(run.path("records")).unwrap());
    assert_eq!(first(&all, "run.finished")["exit_code"], 7);
    assert!(!run.evidence("command.log").contains("hunter22"), "what is kept is redacted all the same");

    // Output is passed on at once, not when the command ends.
    let mut live =
        run.script(&["--records", "out.jsonl"], "echo first; until [ -e go ]; do sleep 0.05; done");
    let mut child = live.stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut heard).unwrap();
    assert_eq!(&heard, b"first\n");
    fs::write(run.path("go"), "").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_check_decides_from_recorded_state() {
    let run = Run::new("check");
    let promote = "echo x | docker config create ${REDFIX_STACK}_promoted - >/dev/null; exit 3";
    let check =
        "docker config inspect ${REDFIX_STACK}_promoted >/dev/null 2>&1 || { echo not promoted; exit 1; }";
    let output = run.output(&["--check", check], promote);
    let last = run.last_run();
    assert_eq!((&last["outcome"], &last["exit_code"]), (&"pass".into(), &3.into()), "{last:#}");
    assert_eq!(output.status.code(), Some(0));
    let output = run.output(&["--check", check], "exit 0");
    let last = run.last_run();
    assert_eq!((&last["outcome"], &last["exit_code"]), (&"fail".into(), &0.into()), "{last:#}");
    assert_eq!(last["reason"], "the check says no: not promoted");
    assert_eq!(output.status.code(), Some(1), "a harness that exits 0 whatever happened is not believed");
    let output = run.output(&["--check", "no-such-check"], "exit 0");
    assert_eq!((&run.last_run()["outcome"], output.status.code()), (&"infra".into(), Some(75)));
    run.assert_nothing_left();
}

#[test]
fn a_silent_command_is_ended_and_a_talking_one_is_not() {
    let run = Run::new("idle");
    let options = ["--idle-timeout", "2s"];
    let talking = "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.5; done";
    assert!(run.output(&options, talking).status.success(), "{:#}", run.last_run());
    let output = run.output(&options, "echo once; sleep 600");
    assert_eq!(output.status.code(), Some(1));
    let last = run.last_run();
    assert_eq!(last["outcome"], "timeout");
    assert!(last["reason"].as_str().unwrap().contains("--idle-timeout"), "{last:#}");
}

#[test]
fn outcomes_that_say_nothing_about_the_case_are_kept_apart() {
    let run = Run::new("ends");
    for (script, outcome, code) in [
        ("exit 1", "fail", 1),
        ("exec /nonexistent/harness", "infra", 127),
        ("exit 142", "timeout", 142),
        ("exit 143", "aborted", 143),
        ("kill -KILL $$", "infra", 137),
    ] {
        let output = run.output(&[], script);
        let last = run.last_run();
        assert_eq!(
            (&last["outcome"], output.status.code()),
            (&outcome.into(), Some(code)),
            "{script}: {last:#}"
        );
        assert_eq!(last["reason"].is_string(), outcome != "fail", "{script}: {last:#}");
    }
}

#[test]
fn a_test_newly_red_becomes_a_case_once() {
    let run = Run::new("newly");
    let script = |state: &str| {
        format!(
            r#"echo '<testsuite><testcase classname="backup/x" name="b">{state}</testcase><testcase classname="c" name="d"/></testsuite>' >$REDFIX_EVIDENCE/j.xml; echo '{{"ref":{{"commit":"4ca7f4180c2b7a1e9d5f3b6c8e0a1d2f3b4c5d6e","kind":"tag"}}}}' >$REDFIX_EVIDENCE/run.json"#
        )
    };
    let cases =
        || run.records().into_iter().filter(|record| record["type"] == "case.failed").collect::<Vec<_>>();
    assert!(run.output(&[], &script("")).status.success());
    assert_eq!(cases().len(), 0);
    let red = script("<failure message=\"PASSWORD=hunter22\"/>");
    assert!(run.output(&["--runs", "2"], &red).status.success());
    assert!(run.output(&[], &red).status.success());
    let all = cases();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!((&all[0]["case"], &all[0]["stage"]), (&"t@unversioned/backup/x::b".into(), &"backup".into()));
    assert_eq!(all[0]["last_green"]["ref"]["kind"], "tag", "{:#}", all[0]);
    assert!(!all[0]["message"].to_string().contains("hunter22"));
}

#[test]
fn evidence_of_links_and_pipes_costs_no_record() {
    let run = Run::new("odd");
    let script = "cd $REDFIX_EVIDENCE && ln -s /etc/passwd link && mkfifo x.xml && ln -s / all && echo '[]' >run.json && echo broken >y.xml";
    let output = run.output(&[], script);
    assert!(output.status.success(), "{}", said(&output));
    let last = run.last_run();
    let notes = last["notes"].to_string();
    for note in
        ["link was no regular file", "x.xml was no regular", "not a JSON object", "not a JUnit file: "]
    {
        assert!(notes.contains(note), "{note} in {notes}");
    }
    let folder = run.path("out").join(last["evidence"]["path"].as_str().unwrap());
    assert_eq!(last["evidence"]["blake3"], lib_common::evidence::root_hash(&folder).unwrap().as_str());
}

#[test]
fn a_companion_lives_from_before_the_command_until_just_before_the_teardown() {
    let run = Run::new("mate");
    let companion = r#"cut -d' ' -f22 /proc/$$/stat >mate; trap 'n=$(docker service ls -q --filter label=com.docker.stack.namespace=$REDFIX_STACK | wc -l)
        echo "{\"type\":\"x.seen\",\"v\":1,\"host\":\"$DOCKER_HOST\",\"services\":$n}"; exit' TERM; while :; do sleep 0.1; done"#;
    let script =
        format!("cut -d' ' -f22 /proc/$$/stat >command; {DEPLOY} until [ -e mate ]; do sleep 0.1; done");
    let output = run.output(&["--companion", companion], &script);
    assert!(output.status.success(), "{}", said(&output));
    let all = records(&output.stdout);
    let seen = first(&all, "x.seen");
    assert_eq!(seen["services"], 1, "the stack was still there when it ended");
    assert_eq!(seen["host"], std::env::var("DOCKER_HOST").unwrap().as_str(), "it sees the engine itself");
    let started = |name: &str| -> u64 { fs::read_to_string(run.path(name)).unwrap().trim().parse().unwrap() };
    assert!(started("mate") <= started("command"));
    run.assert_nothing_left();
}

#[test]
fn what_a_companion_starts_to_finish_its_work_is_not_ended_with_it() {
    let run = Run::new("last");
    // Two hundred processes make it likely that reading the group's members takes longer than the gap between two reads.
    let companion = r#"for i in $(seq 200); do sleep 600 & done; : >ready
        trap 'for i in $(seq 20); do sleep 0.01 || exit; done; echo "{\"type\":\"x.done\",\"v\":1}"; exit' TERM
        while :; do wait; done"#;
    let output = run.output(&["--companion", companion], "until [ -e ready ]; do sleep 0.1; done");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(first(&records(&output.stdout), "x.done")["v"], 1);
}

#[test]
fn a_stop_while_it_waits_leaves_no_run_and_no_intent() {
    let run = Run::new("early");
    // A load that never reaches the required level keeps the tool waiting.
    let options =
        ["--condition", "loaded", "--load-with", "touch loaded; sleep 600", "--min-foreign-cpu", "1.5"];
    let mut child = run.start(&options, "touch ran");
    e2e::wait_for("the load", 180, || run.path("loaded").exists());
    kill(&child, "-INT");
    child.wait().unwrap();
    assert!(!run.path("ran").exists());
    run.assert_nothing_left();
}
