//! Tests of the binary with histories of other CIs: their verdicts, their conditions, missing and broken files.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn tool(dir: &Path, args: &[&str]) -> Output {
    feed(dir, args, "")
}

fn feed(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flake-classify"));
    command.args(args).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in [
        "CAP",
        "ORDER_FREE",
        "SPACING",
        "ACCEPT_CORRELATED",
        "ACCEPT_CLAIMED",
        "CONDITION",
        "RECIPE",
        "VERSION",
    ] {
        command.env_remove(format!("REDFIX_{name}"));
    }
    let mut child = command.spawn().unwrap();
    // The tool may end before it has read everything, so this write may fail.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn records(output: &Output, kind: &str) -> Vec<Value> {
    let all = text(&output.stdout);
    let all = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|record| record["type"] == kind).collect()
}

fn verdict(output: &Output, case: &str) -> Value {
    let all = records(output, "flake.verdict");
    all.into_iter()
        .find(|record| record["case"] == case)
        .unwrap_or_else(|| panic!("{}", text(&output.stderr)))
}

/// A folder with one CSV file: each row a letter as its load and outcome (`i`, `l` green, `I`, `L` red), a day apart.
fn csv(letters: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = String::from("run,test,outcome,started,machine,commit,load\n");
    for (day, letter) in (1..).zip(letters.chars()) {
        let load = if letter.eq_ignore_ascii_case(&'i') { "isolated" } else { "loaded" };
        let outcome = if letter.is_ascii_uppercase() { "fail" } else { "pass" };
        writeln!(rows, "b{day},t,{outcome},2026-06-{day:02} 03:00:00,n1,c1,{load}").unwrap();
    }
    fs::write(dir.path().join("h.csv"), rows).unwrap();
    dir
}

#[test]
fn a_history_is_judged_and_told_so_that_it_can_be_checked_again() {
    let dir = csv("iLiLi");
    let output = tool(dir.path(), &["--from", "csv", "h.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = verdict(&output, "history@any/t");
    assert_eq!((&said["verdict"], &said["cause"]), (&"load-flake".into(), &"load".into()));
    assert!(
        said["sentence"].as_str().unwrap().contains("by a column of the history, which nothing measured")
    );
    let (cases, runs) = (records(&output, "case.failed"), records(&output, "run.finished"));
    assert_eq!((cases.len(), runs.len(), records(&output, "test.finished").len()), (1, 5, 5));
    assert_eq!((&runs[0]["isolation"]["proved"], &runs[0]["attempt_id"]), (&false.into(), &"b1".into()));
    assert_eq!(cases[0]["last_green"]["ref"]["commit"], "c1");
    let ledger = text(&output.stdout);
    let honest = feed(dir.path(), &["--recheck", "--accept-claimed"], &ledger);
    assert_eq!((honest.status.code(), text(&honest.stderr)), (Some(0), String::new()));
    let strict = feed(dir.path(), &["--recheck"], &ledger);
    assert_eq!(strict.status.code(), Some(1), "a claim is no proof for who does not accept it");
    assert!(text(&strict.stderr).contains("the runs say inconclusive"));
    let again = feed(dir.path(), &["--accept-claimed"], &ledger);
    assert_eq!(text(&again.stdout), ledger, "nothing to add");
}

#[test]
fn the_condition_is_the_users_word() {
    let dir = csv("IIIII");
    let said = |args: &[&str]| {
        let rows = fs::read_to_string(dir.path().join("h.csv")).unwrap().replace(",load\n", ",lane\n");
        fs::write(dir.path().join("n.csv"), rows).unwrap();
        let all = [&["--from", "csv", "n.csv"], args].concat();
        verdict(&tool(dir.path(), &all), "history@any/t")
    };
    let unknown = said(&[]);
    assert_eq!(unknown["verdict"], "genuine");
    assert!(unknown["sentence"].as_str().unwrap().contains("genuine means under the load of this history"));
    assert_eq!(said(&["--condition", "isolated"])["verdict"], "genuine");
    assert_eq!(said(&["--condition", "lane"])["verdict"], "genuine");
    let loaded = said(&["--condition", "loaded"]);
    assert_eq!((&loaded["verdict"], &loaded["loaded"]["fail"]), (&"inconclusive".into(), &5.into()));
    let bad = tool(dir.path(), &["--from", "csv", "--condition", "warp", "n.csv"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(text(&bad.stderr).contains("n.csv: line 1: no column 'warp'"), "{}", text(&bad.stderr));
    let bad = tool(dir.path(), &["--from", "junit", "--condition", "warp", "n.csv"]);
    assert!(text(&bad.stderr).contains("this format has no columns"), "{}", text(&bad.stderr));
}

#[test]
fn the_run_that_made_somebody_ask_does_not_count() {
    let dir = csv("iIi");
    assert_eq!(verdict(&tool(dir.path(), &["--from", "csv", "h.csv"]), "history@any/t")["verdict"], "flake");
    let without = tool(dir.path(), &["--from", "csv", "--selected", "b2", "h.csv"]);
    let said = verdict(&without, "history@any/t");
    assert_eq!(
        (&said["verdict"], &said["excluded"][0]["reason"]),
        (&"inconclusive".into(), &"selected".into())
    );
}

#[test]
fn explain_next_and_require_work_on_a_history() {
    let dir = csv("iL");
    let explained = tool(dir.path(), &["--from", "csv", "--explain", "h.csv"]);
    let said = text(&explained.stdout);
    assert!(said.starts_with("history@any/t\n  inconclusive") && said.contains("it passed before"), "{said}");
    let next = tool(dir.path(), &["--from", "csv", "--next", "h.csv"]);
    assert_eq!((next.status.code(), records(&next, "run.planned").len()), (Some(1), 1));
    assert_eq!(tool(dir.path(), &["--from", "csv", "--require", "h.csv"]).status.code(), Some(1));
}

/// One `JUnit` file: `red` tests of the names a, b, ... Nothing else tells two files apart.
fn junit(path: &Path, red: &[bool], head: &str) {
    let case = |(number, red): (usize, &bool)| {
        let name = char::from(b'a' + u8::try_from(number).unwrap());
        let inside = if *red { "<failure message=\"boom\"/>" } else { "" };
        format!("<testcase name=\"{name}\">{inside}</testcase>\n")
    };
    let cases: String = red.iter().enumerate().map(case).collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("<testsuites><testsuite name=\"s\" {head}>\n{cases}</testsuite></testsuites>"))
        .unwrap();
}

#[test]
fn files_without_a_time_count_where_the_order_means_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (number, red) in [true, false, true, false, false].into_iter().enumerate() {
        junit(&dir.path().join(format!("{number}.xml")), &[red], "");
    }
    let files = ["0.xml", "1.xml", "2.xml", "3.xml", "4.xml"];
    let ordered = tool(dir.path(), &[&["--from", "junit"], &files[..]].concat());
    let said = verdict(&ordered, "history@any/a");
    assert_eq!(said["excluded"][0]["reason"], "start-unreadable");
    let free = tool(dir.path(), &[&["--from", "junit", "--order-free"], &files[..]].concat());
    assert_eq!(verdict(&free, "history@any/a")["verdict"], "flake");
    // A file that is given twice is one run; two files with the same bytes are two runs.
    let twice = tool(dir.path(), &["--from", "junit", "--order-free", "0.xml", "0.xml", "2.xml"]);
    assert_eq!(verdict(&twice, "history@any/a")["isolated"]["fail"], 2);
    // Five red runs of which no time shows that they were apart are not genuine.
    for file in files {
        junit(&dir.path().join(file), &[true], "");
    }
    let reds = tool(dir.path(), &[&["--from", "junit", "--order-free"], &files[..]].concat());
    assert_eq!(verdict(&reds, "history@any/a")["verdict"], "inconclusive");
}

#[test]
fn a_folder_of_junit_files_is_one_run() {
    let dir = tempfile::tempdir().unwrap();
    for night in 1..=5 {
        let head = format!("timestamp=\"2026-06-0{night}T03:00:00\" hostname=\"n{night}\"");
        junit(&dir.path().join(format!("night{night}/a/one.xml")), &[true], &head);
        junit(&dir.path().join(format!("night{night}/two.xml")), &[false, true], &head);
    }
    let nights = ["night1", "night2", "night3", "night4", "night5"];
    let output = tool(dir.path(), &[&["--from", "junit"], &nights[..]].concat());
    assert_eq!(records(&output, "run.finished").len(), 5, "{}", text(&output.stderr));
    // `a` is a test in each of the two files.
    for case in ["history@any/a/one.xml::a", "history@any/b"] {
        assert_eq!(verdict(&output, case)["verdict"], "genuine");
    }
    assert_eq!(records(&output, "case.failed").len(), 2);
    // With the user's key it is one: red in one of the files, red in the night.
    let output = tool(dir.path(), &[&["--from", "junit", "--key", "suite,name"], &nights[..]].concat());
    assert_eq!(verdict(&output, "history@any/s::a")["verdict"], "genuine");
}

#[test]
fn a_run_that_two_paths_lead_to_is_one_run() {
    let dir = tempfile::tempdir().unwrap();
    for night in 1..=4 {
        let head = format!("timestamp=\"2026-06-0{night}T03:00:00\" hostname=\"n{night}\"");
        let folder = dir.path().join(format!("night{night}"));
        junit(&folder.join("one.xml"), &[true], &head);
        std::os::unix::fs::symlink("..", folder.join("up")).unwrap();
        std::os::unix::fs::symlink(".", folder.join("current")).unwrap();
    }
    std::os::unix::fs::symlink("night4", dir.path().join("latest")).unwrap();
    fs::create_dir(dir.path().join("copy")).unwrap();
    fs::copy(dir.path().join("night4/one.xml"), dir.path().join("copy/one.xml")).unwrap();
    let paths = ["copy/", "latest/", "night1/", "night2/", "night3/", "night4/"];
    let output = tool(dir.path(), &[&["--from", "junit"], &paths[..]].concat());
    assert_eq!(records(&output, "run.finished").len(), 4);
    assert_eq!(verdict(&output, "history@any/a")["verdict"], "inconclusive");
    let said = text(&output.stderr);
    for odd in [
        "1 of 'copy of a run",
        "8 of 'link that is not followed', first in night1/current",
        "1 of 'path to what",
    ] {
        assert!(said.contains(odd), "{said}");
    }
}

#[test]
fn one_odd_file_costs_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    for night in 1..=5 {
        let folder = dir.path().join(format!("night{night}"));
        let head = format!("timestamp=\"2026-06-0{night}T03:00:00\" hostname=\"4f5e6d7c8b9{night}\"");
        junit(&folder.join("one.xml"), &[true], &head);
        fs::write(folder.join("coverage.xml"), "<coverage/>").unwrap();
        fs::write(folder.join("cut.xml"), "<testsuites>\n<testsuite>").unwrap();
    }
    let nights = ["night1", "night2", "night3", "night4", "night5"];
    let output = tool(dir.path(), &[&["--from", "junit", "--spacing", "365d"], &nights[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = verdict(&output, "history@any/a");
    assert_eq!(said["isolated"]["fail"], 5);
    assert_eq!(said["verdict"], "inconclusive", "five containers are not five machines");
    let said = text(&output.stderr);
    assert!(said.contains("5 of 'file of another kind', first in night1/coverage.xml"), "{said}");
    assert!(said.contains("5 of 'file that cannot be read', first in night1/cut.xml: 'line 2"), "{said}");
    // Named by itself it costs the others nothing; alone it is an error.
    let beside = tool(dir.path(), &["--from", "junit", "night1/coverage.xml", "night1/one.xml"]);
    assert_eq!(records(&beside, "run.finished").len(), 1, "{}", text(&beside.stderr));
    let alone = tool(dir.path(), &["--from", "junit", "night1/coverage.xml"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(text(&alone.stderr).contains("night1/coverage.xml: not JUnit: its root is <coverage>"));
}

#[test]
fn a_night_on_which_the_whole_sweep_broke_is_no_evidence() {
    let dir = tempfile::tempdir().unwrap();
    for (night, red) in (1..).zip([false, true, false, true]) {
        let red = if red { [true; 6] } else { [false; 6] };
        let head = format!("timestamp=\"2026-06-0{night}T03:00:00\"");
        junit(&dir.path().join(format!("{night}.xml")), &red, &head);
    }
    let files = ["1.xml", "2.xml", "3.xml", "4.xml"];
    let output = tool(dir.path(), &[&["--from", "junit"], &files[..]].concat());
    let said = verdict(&output, "history@any/a");
    let excluded = &said["excluded"][0];
    assert_eq!((&excluded["reason"], &excluded["count"]), (&"sweep-wide".into(), &1.into()));
    assert!(text(&output.stderr).contains("count for no case: 1 (sweep-wide)"), "{}", text(&output.stderr));
    let all = tool(dir.path(), &[&["--from", "junit", "--sweep-wide", "100"], &files[..]].concat());
    assert_eq!(verdict(&all, "history@any/a")["excluded"].as_array().map_or(0, Vec::len), 0);
}

#[test]
fn without_a_case_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    junit(&dir.path().join("1.xml"), &[false], "timestamp=\"2026-06-01T03:00:00\"");
    let green = tool(dir.path(), &["--from", "junit", "1.xml"]);
    assert!(text(&green.stderr).contains("there is no case to decide: no test was red in any run"));
    let runs: String = text(&green.stdout);
    let none = feed(dir.path(), &[], &runs);
    assert_eq!((none.status.code(), text(&none.stdout)), (Some(0), runs));
    assert!(text(&none.stderr).contains("no case.failed among the records"), "{}", text(&none.stderr));
}

#[test]
fn a_bad_file_names_its_line_and_lenient_takes_it_as_a_run_without_results() {
    let dir = tempfile::tempdir().unwrap();
    junit(&dir.path().join("good.xml"), &[true], "timestamp=\"2026-06-01T03:00:00Z\"");
    fs::write(dir.path().join("bad.xml"), "<testsuites>\n<testsuite name=\"s\">\n<testcase").unwrap();
    let strict = tool(dir.path(), &["--from", "junit", "good.xml", "bad.xml"]);
    assert_eq!((strict.status.code(), text(&strict.stdout)), (Some(2), String::new()));
    let said = text(&strict.stderr);
    assert!(said.starts_with("flake-classify: reading a history: bad.xml: line 3: "), "{said}");
    let lenient = tool(dir.path(), &["--from", "junit", "--lenient", "good.xml", "bad.xml"]);
    assert!(text(&lenient.stderr).contains("bad.xml: line 3"));
    assert_eq!(verdict(&lenient, "history@any/a")["excluded"][0]["reason"], "unver");
    fs::create_dir(dir.path().join("empty")).unwrap();
    let empty = tool(dir.path(), &["--from", "junit", "empty"]);
    assert!(text(&empty.stderr).contains("empty: no JUnit file: unver"), "{}", text(&empty.stderr));
    let gone = tool(dir.path(), &["--from", "junit", "gone.xml"]);
    assert!(gone.status.code() == Some(2) && text(&gone.stderr).contains("gone.xml"));
}

#[test]
fn missing_and_broken_results_of_cc_ci_are_unver() {
    let dir = tempfile::tempdir().unwrap();
    for (id, status) in [("101", "fail"), ("102", "pass"), ("ab-7", "unver")] {
        let results = format!(
            r#"{{"schema": 2, "recipe": "mumble", "version": "1.0.0", "ref": "c1", "run_id": "{id}", "started": "2026-06-01T0{}:00:00Z",
               "stages": [{{"name": "custom", "tests": [{{"name": "t", "status": "{status}"}}]}}]}}"#,
            id.len()
        );
        fs::create_dir(dir.path().join(id)).unwrap();
        fs::write(dir.path().join(id).join("results.json"), results).unwrap();
    }
    fs::create_dir(dir.path().join("103")).unwrap();
    fs::create_dir(dir.path().join("104")).unwrap();
    fs::write(dir.path().join("104/results.json"), "{\"schema\": 2,\n").unwrap();
    let output = tool(dir.path(), &["--from", "ccci-results", "101", "102", "ab-7", "103", "104"]);
    let errors = text(&output.stderr);
    assert!(errors.contains("103: no results.json: unver"), "{errors}");
    assert!(errors.contains("104/results.json: line 2: broken"), "{errors}");
    let said = verdict(&output, "mumble@1.0.0/custom/t");
    assert_eq!(said["verdict"], "flake");
    let excluded = &said["excluded"][0];
    assert_eq!((&excluded["reason"], &excluded["count"]), (&"unver".into(), &3.into()));
    let mut named: Vec<&str> =
        excluded["attempts"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    named.sort_unstable();
    assert_eq!(named, ["103", "104", "ab-7"]);
}

#[test]
fn emit_cases_takes_every_format() {
    let dir = csv("iIL");
    let emit = |args: &[&str]| {
        tool(
            dir.path(),
            &[&["--from", "csv", "--emit", "cases", "h.csv", "--contrast", "load=loaded,isolated"], args]
                .concat(),
        )
    };
    let unnamed = emit(&[]);
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(text(&unnamed.stderr).contains("--recipe: it is missing"), "{}", text(&unnamed.stderr));
    let output = emit(&["--recipe", "mumble", "--version-under-test", "1"]);
    let cases = records(&output, "case.failed");
    assert_eq!((output.status.code(), cases.len(), text(&output.stdout).lines().count()), (Some(0), 1, 1));
    assert_eq!((&cases[0]["case"], &cases[0]["baseline"]["load"]), (&"mumble@1/t".into(), &"loaded".into()));
    assert_eq!(cases[0]["contrasts"][0]["levels"], serde_json::json!(["loaded", "isolated"]));
    fs::write(dir.path().join("h.csv"), "test,outcome\nt,ok\n").unwrap();
    assert_eq!(emit(&["--recipe", "mumble", "--version-under-test", "1"]).status.code(), Some(1));
}

#[test]
fn standard_input_is_a_file_named_by_a_dash() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "run,test,outcome,started\n1,t,fail,2026-06-01\n2,t,ok,2026-06-02\n";
    let output = feed(
        dir.path(),
        &["--from", "csv", "-"],
        &rows.replace("06-01", "06-01 00:00").replace("06-02", "06-02 00:00"),
    );
    assert_eq!(verdict(&output, "history@any/t")["verdict"], "flake");
    let bad = feed(dir.path(), &["--from", "csv", "-"], "test,outcome\nt\n");
    assert!(text(&bad.stderr).contains("standard input: line 2"), "{}", text(&bad.stderr));
}

#[test]
fn secrets_in_failure_texts_are_redacted() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("h.csv"), "test,outcome,message\nt,fail,POSTGRES_PASSWORD=hunter22\n").unwrap();
    let output = tool(dir.path(), &["--from", "csv", "h.csv"]);
    assert!(text(&output.stdout).contains("[REDACTED:") && !text(&output.stdout).contains("hunter22"));
}
