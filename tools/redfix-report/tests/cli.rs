//! The binary as a shell meets it.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Ledger, flake, genuine};
use tempfile::TempDir;

const UNKNOWN: &str = r#"{"type":"x.y","n":1.10,"big":12345678901234567890123}"#;

fn tool() -> Command {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_redfix-report"));
    tool.env_clear().env("PATH", "/usr/bin:/bin");
    tool
}

fn fed(mut tool: Command, input: &[u8]) -> Output {
    let mut child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A tool that stops at a bad line, or at its usage, does not read the rest.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn args(list: &[&str]) -> Command {
    let mut tool = tool();
    tool.args(list);
    tool
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it says, however it is wrapped.
fn words(output: &Output) -> String {
    out(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a ledger that passes and the evidence that it names.
fn folder(ledger: &Ledger) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ledger.jsonl"), ledger.text()).unwrap();
    fs::create_dir_all(dir.path().join("evidence/run")).unwrap();
    fs::write(dir.path().join("evidence/run/out.log"), "what the run said\n").unwrap();
    dir
}

fn both() -> Ledger {
    Ledger([flake().0, genuine().0].concat())
}

fn ledger(dir: &TempDir) -> String {
    dir.path().join("ledger.jsonl").display().to_string()
}

#[test]
fn a_whole_ledger_passes_from_a_file_and_from_standard_input() {
    let dir = folder(&both());
    let file = args(&[&ledger(&dir)]).output().unwrap();
    assert_eq!((file.status.code(), err(&file).as_str()), (Some(0), ""));
    assert!(out(&file).starts_with("GATE M1 PASS 2/2 proven\nGATE M2 PASS 2/2 fixed\n"));
    let evidence = dir.path().display().to_string();
    for list in [vec!["--evidence", evidence.as_str()], vec!["--evidence", &evidence, "-"]] {
        let piped = fed(args(&list), both().text().as_bytes());
        assert_eq!((piped.status.code(), out(&piped)), (Some(0), out(&file)));
    }
    let mut by_environment = args(&["--gate", "M1"]);
    by_environment.env("REDFIX_LEDGER", ledger(&dir));
    assert_eq!(fed(by_environment, both().text().as_bytes()).status.code(), Some(0));
}

#[test]
fn only_the_selected_gate_decides() {
    let mut unfixed = both();
    unfixed.remove("fix.verdict", 0);
    let dir = folder(&unfixed);
    let with = |gates: &[&str]| {
        let gates = gates.iter().flat_map(|gate| ["--gate", gate]);
        tool().args(gates).arg(ledger(&dir)).output().unwrap()
    };
    assert_eq!(with(&["M1"]).status.code(), Some(0));
    assert!(out(&with(&["m1"])).starts_with("GATE M1 PASS 2/2 proven\nREVIEW"));
    for gates in [&["M2"][..], &["M1", "M2"], &["M2,M1"], &[]] {
        assert_eq!(with(gates).status.code(), Some(1), "{gates:?}");
    }
    assert!(out(&with(&["M2"])).starts_with("GATE M2 FAIL 1/2 fixed\n"));
    assert_eq!(with(&["M3"]).status.code(), Some(2));
}

#[test]
fn evidence_that_cannot_be_seen_or_was_changed_proves_nothing() {
    let piped = fed(tool(), both().text().as_bytes());
    assert_eq!(piped.status.code(), Some(1));
    assert!(out(&piped).contains("its folder is not known"));
    let dir = folder(&both());
    fs::write(dir.path().join("evidence/run/out.log"), "something else\n").unwrap();
    let changed = args(&["--gate", "M1", &ledger(&dir)]).output().unwrap();
    assert_eq!(changed.status.code(), Some(1));
    assert!(out(&changed).contains("is not what was recorded"));
}

#[test]
fn nothing_passes_on_nothing() {
    for input in ["", "{}\n", &format!("{UNKNOWN}\n")] {
        let empty = fed(tool(), input.as_bytes());
        assert_eq!(empty.status.code(), Some(1));
        assert!(out(&empty).starts_with("GATE M1 FAIL 0/0 proven\nGATE M2 FAIL 0/0 fixed\n"));
    }
}

#[test]
fn a_bad_line_stops_with_its_number_and_a_torn_last_line_of_a_file_is_set_aside() {
    let bad = fed(tool(), format!("{UNKNOWN}\nnot json\n").as_bytes());
    assert_eq!(bad.status.code(), Some(2));
    assert!(err(&bad).contains("standard input line 2: not a JSON object"), "{}", err(&bad));
    let lenient = fed(args(&["--lenient"]), format!("{UNKNOWN}\nnot json\n").as_bytes());
    assert_eq!(lenient.status.code(), Some(1));
    let headless = fed(tool(), b"{\"type\":\"log.snapped\",\"v\":1}\n");
    assert_eq!(headless.status.code(), Some(2));
    let dir = folder(&both());
    let mut torn = fs::OpenOptions::new().append(true).open(dir.path().join("ledger.jsonl")).unwrap();
    torn.write_all(b"{\"type\":\"run.fin").unwrap();
    let read = args(&[&ledger(&dir)]).output().unwrap();
    assert_eq!(read.status.code(), Some(0));
    assert!(err(&read).contains("torn last line set aside"));
    let absent = args(&["/no/such/ledger"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(2));
    assert!(err(&absent).starts_with("redfix-report: opening the ledger: /no/such/ledger: "));
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_keeps_the_gates_answer() {
    let dir = folder(&both());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = args(&[&ledger(&dir)]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("writing the report: standard output"));
    let mut failing = both();
    failing.remove("fix.verdict", 0);
    for (ledger_of, code) in [(both(), 0), (failing, 1)] {
        let dir = folder(&ledger_of);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = args(&[&ledger(&dir)]).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(code), ""));
    }
}

#[test]
fn out_gets_the_report_and_standard_output_the_gates() {
    let dir = folder(&both());
    let path = dir.path().join("report.md");
    fs::write(&path, "older").unwrap();
    let output = args(&["--format", "md", "--out", path.to_str().unwrap(), &ledger(&dir)]).output().unwrap();
    assert_eq!(out(&output), "GATE M1 PASS 2/2 proven\nGATE M2 PASS 2/2 fixed\n");
    assert!(fs::read_to_string(&path).unwrap().contains("| recipe | failure |"));
    let nowhere = args(&["--out", "/no/such/report", &ledger(&dir)]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn colour_only_where_it_is_wanted() {
    let dir = folder(&both());
    assert!(!out(&args(&[&ledger(&dir)]).output().unwrap()).contains('\x1b'));
    let colored = out(&args(&["--color", "always", &ledger(&dir)]).output().unwrap());
    assert!(colored.starts_with("\x1b[32mGATE M1 PASS 2/2 proven\x1b[0m\n"));
}

/// A program of that name which ends as told; the PATH on which it is.
fn fake(dir: &Path, name: &str, script: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", dir.display())
}

#[test]
fn a_rederivation_sees_every_line_and_its_no_fails_m1() {
    let dir = folder(&both());
    let bin = tempfile::tempdir().unwrap();
    let seen = bin.path().join("seen");
    let with = |script: &str, gate: &str| {
        let path = fake(bin.path(), "flake-classify", script);
        args(&["--recheck", "--recheck-timeout", "10s", "--gate", gate, &ledger(&dir)])
            .env("PATH", path)
            .output()
            .unwrap()
    };
    let agrees = with(&format!("[ \"$1\" = --recheck ] && cat >{}", seen.display()), "M1");
    assert_eq!(agrees.status.code(), Some(0), "{}", err(&agrees));
    assert_eq!(fs::read_to_string(&seen).unwrap(), both().text());
    let said = format!("echo 'flake-classify: {}: not so' >&2; exit 1", support::GITEA);
    let disagrees = with(&said, "M1");
    assert_eq!(disagrees.status.code(), Some(1));
    assert!(out(&disagrees).starts_with("GATE M1 FAIL 1/2 proven\n"));
    assert!(out(&disagrees).contains("a re-derivation disagrees"));
    assert_eq!(with(&said, "M2").status.code(), Some(0));
    let broken = with("echo oh >&2; exit 2", "M1");
    assert_eq!(broken.status.code(), Some(2));
    assert!(err(&broken).contains("re-deriving the verdicts"));
}

#[test]
fn a_rederivation_has_a_deadline() {
    let dir = folder(&both());
    let bin = tempfile::tempdir().unwrap();
    let output = args(&["--recheck", "--recheck-timeout", "200ms", &ledger(&dir)])
        .env("PATH", fake(bin.path(), "flake-classify", "exec sleep 60"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(err(&output).contains("no answer within"));
}

/// A bundle for each `log.snapped` of [`both`], by their index alone.
fn bundles(dir: &TempDir) {
    for record in both().0.iter().filter(|record| record["type"] == "log.snapped") {
        let folder = dir.path().join(record["path"].as_str().unwrap());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.jsonl"), "{}\n{\"blake3\":\"0\",\"complete\":true}\n").unwrap();
    }
}

#[test]
fn verified_bundles_pass_m1_and_a_changed_one_fails_it() {
    let dir = folder(&both());
    bundles(&dir);
    let bin = tempfile::tempdir().unwrap();
    let with = |script: &str| {
        let path = fake(bin.path(), "log-snap", script);
        args(&["--verify-evidence", "--bundle-timeout", "10s", "--gate", "M1", &ledger(&dir)])
            .env("PATH", path)
            .output()
            .unwrap()
    };
    let good = with("[ \"$1\" != verify ] || [ -e \"$3/index.jsonl\" ]");
    assert_eq!(good.status.code(), Some(0), "{} {}", out(&good), err(&good));
    let changed =
        "case $1$3 in verify*/g2/*) echo 'log-snap: verifying: g2: blobs/x: changed' >&2; exit 1;; esac";
    let bad = with(changed);
    assert_eq!(bad.status.code(), Some(1));
    assert!(out(&bad).starts_with("GATE M1 FAIL 1/2 proven\n"));
    assert!(
        words(&bad).contains("log bundle of attempt g2: verifying: g2: blobs/x: changed"),
        "{}",
        out(&bad)
    );
    fs::write(dir.path().join("evidence/l1/logs/index.jsonl"), "{\"blake3\":\"1\"}\n").unwrap();
    let other = with("true");
    assert!(words(&other).contains("is another bundle than the one recorded"), "{}", out(&other));
    fs::remove_dir_all(dir.path().join("evidence/l1")).unwrap();
    assert!(words(&with("true")).contains("folder evidence/l1/logs is not there"));
    let slow = args(&["--verify-evidence", "--bundle-timeout", "100ms", &ledger(&dir)])
        .env("PATH", fake(bin.path(), "log-snap", "exec sleep 60"))
        .output()
        .unwrap();
    assert_eq!(slow.status.code(), Some(75), "{}", err(&slow));
}

#[test]
fn without_log_snap_nothing_is_verified_and_the_report_says_so_in_a_word() {
    let dir = folder(&both());
    bundles(&dir);
    // Beside the others, log-snap would be found there.
    let alone = dir.path().join("redfix-report");
    fs::copy(env!("CARGO_BIN_EXE_redfix-report"), &alone).unwrap();
    let with = |list: &[&str]| {
        let mut tool = Command::new(&alone);
        tool.args(list).arg(ledger(&dir)).env_clear().env("PATH", "/nowhere").output().unwrap()
    };
    let report = with(&["--gate", "M1"]);
    assert_eq!(report.status.code(), Some(0), "{}", err(&report));
    assert!(words(&report).contains("not known: log-snap is not installed"), "{}", out(&report));
    let asked = with(&["--verify-evidence"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(err(&asked).contains("verifying the log bundles: log-snap: not found"), "{}", err(&asked));
}

#[test]
fn the_first_error_of_a_red_run_and_its_log_are_shown() {
    let dir = folder(&both());
    bundles(&dir);
    let bin = tempfile::tempdir().unwrap();
    let script = r#"case "$1" in
first-error) echo '{"service":"app","signature":"0","why":"the first clear error","name":"app.1","at":"2026-11-23T09:00:01Z","text":"FATAL: \u001b[31mno <b>room</b>"}';;
cat) printf '%s\n' "$*" "09:00:01 app.1 FATAL: no <b>room</b>";;
esac"#;
    let path = fake(bin.path(), "log-snap", script);
    let page =
        |format: &str| out(&args(&["--format", format, &ledger(&dir)]).env("PATH", &path).output().unwrap());
    for format in ["text", "md", "csv", "junit", "json"] {
        assert!(page(format).contains("FATAL: no"), "{format}");
    }
    let html = page("html");
    assert!(html.contains("from its first error on") && html.contains("cat --service=app --since=2026"));
    assert!(!html.contains("<b>room") && !html.contains('\u{1b}'));
    let silent = fake(bin.path(), "log-snap", "exit 1");
    let none = args(&[&ledger(&dir)]).env("PATH", silent).output().unwrap();
    assert!(none.status.success() && words(&none).contains("not known: no line looks like an error"));
}

#[test]
fn a_review_passes_its_input_through_and_names_the_ledger() {
    let dir = folder(&both());
    let evidence = dir.path().display().to_string();
    let review = |more: &[&str]| {
        let mut list = vec!["review", "--gate", "M1", "--reviewer", "ada", "--evidence", &evidence];
        list.extend(more);
        args(&list)
    };
    let input = format!("{UNKNOWN}\r\n{}", both().text());
    let passed = fed(review(&["--note", "looked at the runs"]), input.as_bytes());
    assert_eq!((passed.status.code(), err(&passed).as_str()), (Some(0), ""));
    let all = out(&passed);
    let own = all.strip_prefix(&input).expect("every line was passed on as it came");
    assert!(own.contains(r#""type":"review.recorded""#) && own.contains(r#""pass":true"#), "{own}");
    assert!(own.contains("01KAS3Q5T0000000000000000A"), "{own}");
    let report = fed(args(&["--evidence", &evidence]), all.as_bytes());
    assert!(out(&report).contains("REVIEW M1 PASS by ada\nREVIEW M2 NONE\n"), "{}", out(&report));
    let changed = fed(args(&["--evidence", &evidence]), format!("{all}{{}}\n").as_bytes());
    assert!(out(&changed).contains("REVIEW M1 OLD by ada"));
    let rejected = fed(review(&["--reject"]), both().text().as_bytes());
    assert_eq!(rejected.status.code(), Some(1));
    assert!(out(&rejected).contains(r#""pass":false"#));
    let failing = fed(review(&[]), b"{}\n");
    assert_eq!(failing.status.code(), Some(1));
    assert!(out(&failing).contains(r#""pass":false"#));
}

#[test]
fn a_review_goes_into_the_ledger_and_never_by_the_author() {
    let dir = folder(&both());
    let review = |author: &str| {
        args(&["review", "--gate", "M2", "--reviewer", "ada", "--ledger", &ledger(&dir), &ledger(&dir)])
            .env("REDFIX_AUTHOR", author)
            .output()
            .unwrap()
    };
    let own = review("ada");
    assert_eq!(own.status.code(), Some(2));
    assert!(err(&own).contains("ada: is the author"));
    assert_eq!(review("Ada <ada@example>").status.code(), Some(2));
    let done = review("Bob <bob@example>");
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert_eq!(out(&done).lines().count(), 1);
    let report = args(&["--gate", "M2", &ledger(&dir)]).output().unwrap();
    assert!(out(&report).starts_with("GATE M2 PASS 2/2 fixed\nREVIEW M2 PASS by ada\n"));
}

#[test]
fn help_shows_examples_and_usage_errors_are_two() {
    let help = args(&["--help"]).output().unwrap();
    assert!(out(&help).contains("Examples:") && help.status.success());
    assert_eq!(args(&["--no-such-flag"]).output().unwrap().status.code(), Some(2));
}
