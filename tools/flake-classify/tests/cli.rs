//! The binary: pass-through, records, exit codes, bad input, lost readers.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const CASE: &str = "mumble@1/custom/t.py::t";
const FOREIGN: &str = "{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\n";

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flake-classify"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["CAP", "ORDER_FREE", "SPACING", "ACCEPT_CORRELATED", "INVESTIGATION", "COLOR", "MAX_LINE"] {
        command.env_remove(format!("REDFIX_{name}"));
    }
    command
}

fn feed(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // A tool that stops early closes its end; what it says decides, not this write.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn run(args: &[&str], input: &str) -> Output {
    feed(tool(args), input)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One line: the head, then `body`.
fn line(kind: &str, body: &Value) -> String {
    let head = json!({"type": kind, "v": 1, "ts": "2026-06-18T00:00:00.000Z", "investigation": "01INV", "tool": "t/1"});
    let both = [head, body.clone()].into_iter().flat_map(|part| part.as_object().unwrap().clone());
    format!("{}\n", Value::Object(both.collect()))
}

fn failed() -> String {
    let contrasts = json!([{"factor": "fix", "levels": ["none", "p1"]}]);
    let body = json!({"case": CASE, "recipe": "mumble", "version": "1", "test": "custom/t.py::t", "stage": "custom",
        "source": "s.xml", "contrasts": contrasts});
    line("case.failed", &body)
}

/// `i`/`l` isolated/loaded green, `I`/`L` red; one run every five minutes, ids `PREFIX-NN`.
fn history(prefix: &str, letters: &str, fix: &str) -> String {
    let one = |(number, letter): (usize, char)| {
        let load = if letter.eq_ignore_ascii_case(&'i') { "isolated" } else { "loaded" };
        let outcome = if letter.is_ascii_uppercase() { "fail" } else { "pass" };
        let (id, minute) = (format!("{prefix}-{number:02}"), number * 5);
        let run = json!({"attempt_id": id, "recipe": "mumble", "version": "1", "cases": [CASE], "engine": "20.10.24",
            "node": "n", "boot_id": "b", "stack": "s", "factors": {"load": load, "fix": fix}, "outcome": outcome,
            "started": format!("2026-06-18T0{}:{:02}:00Z", minute / 60, minute % 60), "duration_ms": 60_000,
            "isolation": {"proved": true, "slots_held": 1, "slots_total": 1, "other_deploys": 0},
            "cleanup": {"created": [], "left": [], "duration_ms": 1, "others_unchanged": true}});
        let test = json!({"attempt_id": id, "case": CASE, "recipe": "mumble", "test": "custom/t.py::t",
            "outcome": outcome, "duration_ms": 5});
        line("run.finished", &run) + &line("test.finished", &test)
    };
    letters.chars().enumerate().map(one).collect()
}

fn records(text: &str, kind: &str) -> Vec<Value> {
    let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|record| record["type"] == kind).collect()
}

#[test]
fn passes_everything_on_and_appends_the_verdicts() {
    let input =
        format!("{FOREIGN}{}{}{}", failed(), history("a", "iLiLi", "none"), history("f", "lll", "p1"));
    let output = run(&[], &input);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty());
    let text = stdout(&output);
    assert_eq!(&text[..input.len()], input, "byte for byte");
    let verdict = &records(&text[input.len()..], "flake.verdict")[0];
    assert_eq!(verdict["verdict"], "load-flake");
    assert_eq!(verdict["cause"], "load");
    assert_eq!(verdict["routes"], json!(["harness-pr"]));
    assert_eq!(verdict["investigation"], "01INV");
    assert_eq!(verdict["attempts"].as_array().unwrap().len(), 5);
    let fix = &records(&text[input.len()..], "fix.verdict")[0];
    assert_eq!((&fix["verdict"], &fix["fix"]), (&"fixed".into(), &"p1".into()));
}

#[test]
fn a_second_pass_adds_nothing() {
    let input = format!("{}{}{}", failed(), history("a", "iLiLi", "none"), history("f", "ll", "p1"));
    let once = stdout(&run(&[], &input));
    assert_eq!(stdout(&run(&[], &once)), once);
    let more = format!("{once}{}", history("g", "l", "p1"));
    let twice = stdout(&run(&[], &more));
    let added = &twice[more.len()..];
    assert_eq!(records(added, "fix.verdict")[0]["verdict"], "fixed");
    assert!(records(added, "flake.verdict").is_empty(), "{added}");
}

#[test]
fn next_prints_only_plans_and_says_when_all_is_settled() {
    let output = run(&["--next"], &failed());
    assert_eq!(output.status.code(), Some(1));
    let (text, plan) = (stdout(&output), records(&stdout(&output), "run.planned"));
    assert_eq!(text.lines().count(), 1);
    assert_eq!(plan[0]["factors"], json!({"fix": "none", "load": "isolated"}));
    assert_eq!(plan[0]["investigation"], "01INV");
    let decided = format!("{}{}", failed(), history("a", "iLiLi", "none"));
    let plan = records(&stdout(&run(&["--next"], &decided)), "run.planned");
    assert_eq!(plan[0]["factors"], json!({"fix": "p1", "load": "loaded"}));
    let fixed = run(&["--next"], &format!("{decided}{}", history("f", "lll", "p1")));
    assert_eq!((fixed.status.code(), stdout(&fixed)), (Some(0), String::new()));
}

/// What swarm-isolate does with `--until`: ask, run, ask again. It ends, and in the fewest runs.
#[test]
fn the_loop_of_plan_and_run_ends() {
    let mut ledger = failed();
    let mut runs = 0;
    loop {
        let output = run(&["--next"], &ledger);
        if output.status.code() == Some(0) {
            break;
        }
        let plan = &records(&stdout(&output), "run.planned")[0];
        let fix = plan["factors"]["fix"].as_str().unwrap();
        let letter = match (plan["factors"]["load"].as_str().unwrap(), fix) {
            ("isolated", _) => "i",
            (_, "none") => "L",
            _ => "l",
        };
        ledger += &history(&format!("r{runs:02}"), letter, fix);
        runs += 1;
        assert!(runs < 20);
    }
    assert_eq!(runs, 5 + 3);
    assert_eq!(run(&["--require"], &ledger).status.code(), Some(0));
}

#[test]
fn runs_that_never_count_end_the_loop_with_the_reason() {
    // The tests failed, but the runs say that it was the registry.
    let infra = history("a", "IIIII", "none").lines().fold(String::new(), |all, text| {
        let run = text.contains("run.finished");
        all + &(if run { text.replace("\"fail\"", "\"infra\"") } else { text.to_owned() })
            + "
"
    });
    let output = run(&["--next"], &format!("{}{infra}", failed()));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did not count: infra"), "{}", stderr(&output));
}

#[test]
fn require_says_no_while_a_case_is_undecided() {
    let input = format!("{}{}", failed(), history("a", "iL", "none"));
    assert_eq!(run(&["--require"], &input).status.code(), Some(1));
    assert_eq!(run(&[], &input).status.code(), Some(0));
    let verdict = records(&stdout(&run(&[], &input)), "flake.verdict");
    assert_eq!(verdict[0]["verdict"], "inconclusive");
}

#[test]
fn flags_and_their_twins() {
    let input = format!("{}{}", failed(), history("a", "Iii", "none"));
    let verdict = |output: &Output| records(&stdout(output), "flake.verdict")[0].clone();
    assert_eq!(verdict(&run(&[], &input))["verdict"], "flake");
    assert_eq!(verdict(&run(&["--order-free"], &input))["verdict"], "inconclusive");
    let mut twin = tool(&["--order-free"]);
    twin.env("REDFIX_CAP", "40");
    let twin = verdict(&feed(twin, &input));
    assert_eq!((&twin["verdict"], &twin["thresholds"]["cap"]), (&"inconclusive".into(), &40.into()));
    let red = format!("{}{}", failed(), history("a", "IIIII", "none"));
    assert_eq!(verdict(&run(&[], &red))["verdict"], "genuine");
    assert_eq!(verdict(&run(&["--spacing", "1h"], &red))["verdict"], "inconclusive");
    assert_eq!(verdict(&run(&["--spacing", "1h", "--accept-correlated"], &red))["verdict"], "genuine");
    let bad = run(&["--cap", "21"], "");
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("12, 16, 20, 24, 30, 40"));
}

#[test]
fn explain_is_for_people_and_prints_no_record() {
    let output = run(&["--explain"], &format!("{}{}", failed(), history("a", "iLiLi", "none")));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with(CASE) && text.contains("28 to 1, needed 24 to 1"), "{text}");
    assert!(!text.contains("\"type\""));
}

#[test]
fn recheck_finds_a_verdict_that_the_runs_do_not_bear() {
    let ledger = stdout(&run(&[], &format!("{}{}", failed(), history("a", "iLiLi", "none"))));
    let honest = run(&["--recheck"], &ledger);
    assert_eq!(
        (honest.status.code(), stdout(&honest), stderr(&honest)),
        (Some(0), String::new(), String::new())
    );
    let forged = run(&["--recheck"], &ledger.replace("\"verdict\":\"load-flake\"", "\"verdict\":\"flake\""));
    assert_eq!((forged.status.code(), stdout(&forged)), (Some(1), String::new()));
    assert!(
        stderr(&forged).contains(CASE) && stderr(&forged).contains("the runs say load-flake"),
        "{}",
        stderr(&forged)
    );
    let stale = format!("{ledger}{}", history("a0", "I", "none").replace("2026-06-18", "2026-06-17"));
    assert_eq!(run(&["--recheck"], &stale).status.code(), Some(1));
}

#[test]
fn a_bad_line_is_named() {
    let output = run(&[], &format!("{FOREIGN}not json\n"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
    assert_eq!(run(&["--lenient"], "not json\n").stdout, b"not json\n");
    let torn = run(&["--next"], &format!("{}{{\"type\":\"run.fin", failed()));
    assert_eq!(torn.status.code(), Some(1), "the torn last line of a ledger is set aside");
    assert!(stderr(&torn).contains("torn"));
}

#[test]
fn a_reader_that_went_away_ends_it_in_silence() {
    let mut child = tool(&[]).spawn().unwrap();
    drop(child.stdout.take());
    let _ = child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{}{}", failed(), history("a", "iLiLi", "none")).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn a_full_disk_is_an_error() {
    for args in [&[][..], &["--explain"], &["--next"]] {
        let mut command = tool(args);
        command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = feed(command, &failed());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
    }
}

#[test]
fn help_has_examples_and_both_forms_agree() {
    let (long, short) = (run(&["--help"], ""), run(&["-h"], ""));
    assert!(stdout(&long).contains("Examples:") && stdout(&long).contains("REDFIX_SPACING"));
    assert_eq!(long.status.code(), Some(0));
    assert_eq!(stdout(&long), stdout(&short));
}
