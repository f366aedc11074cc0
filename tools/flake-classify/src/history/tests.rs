//! Tests of the readers: which runs each format gives, and which error a bad file gives.

use lib_common::record::run::TestOutcome::{Error, Fail, Pass, Skip};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const FORMATS: [Format; 6] = [
    Format::Junit,
    Format::Nextest,
    Format::Csv,
    Format::Jsonl,
    Format::PytestReportlog,
    Format::CcciResults,
];

fn read(format: Format, text: &str) -> Vec<PastRun> {
    parse(format, text.as_bytes(), &Options::default(), &mut Odd::default()).unwrap()
}

fn bad(format: Format, text: &str) -> (Option<u64>, String) {
    let bad = parse(format, text.as_bytes(), &Options::default(), &mut Odd::default()).unwrap_err();
    (bad.line, bad.cause)
}

/// Each run as `ID: TEST OUTCOME, ...`.
fn told(runs: &[PastRun]) -> Vec<String> {
    let result = |result: &PastResult| {
        let outcome = result.outcome.map_or("unver".into(), |outcome| format!("{outcome:?}"));
        format!("{} {outcome}", result.test)
    };
    let run = |run: &PastRun| {
        let results: Vec<String> = run.results.iter().map(result).collect();
        format!("{}: {}", run.id, results.join(", "))
    };
    runs.iter().map(run).collect()
}

#[test]
fn csv_columns_by_name_and_rows_of_one_run_together() {
    let runs = read(
        Format::Csv,
        "Build,test,result,timestamp,seconds,sha,runner,condition,factor.path,suite,error,more\n\
         7,a,PASSED,2026-06-17 12:00:00,1.5,c1,n1,Loaded,warm,web,,x\n\
         8,\"b, c\",failed,1781697660,2,c1,n2,isolated,,web,\"boom\nat 3\",\n\
         7,b,,2026-06-17T11:59:00Z,,c1,n1,loaded,warm,web,,\n",
    );
    assert_eq!(told(&runs), ["7: a Pass, b unver", "8: b, c Fail"]);
    let first = &runs[0];
    assert_eq!(first.started.unwrap().to_string(), "2026-06-17T11:59:00Z");
    assert_eq!((first.duration_ms, first.commit.as_deref()), (1500, Some("c1")));
    assert_eq!((first.machine.as_deref(), first.load.as_deref()), (Some("n1"), Some("loaded")));
    assert_eq!((first.factors["path"].as_str(), first.recipe.as_deref()), ("warm", Some("web")));
    assert!(first.named && runs[1].factors.is_empty());
    assert_eq!(runs[1].results[0].message.as_deref(), Some("boom\nat 3"));
    assert_eq!(told(&read(Format::Csv, "test,outcome\na,ok\na,ok\n")), ["#2: a Pass", "#3: a Pass"]);
}

#[test]
fn a_bad_row_is_named() {
    for (text, line, cause) in [("a,b\n", 1, "no column 'test'"), ("test,x\n", 1, "no column 'outcome'")] {
        assert_eq!(bad(Format::Csv, text), (Some(line), cause.to_owned()), "{text}");
    }
    assert_eq!(bad(Format::Jsonl, "{\"test\":\"a\",\"outcome\":\"ok\"}\n\n[]\n").0, Some(3));
    assert_eq!(bad(Format::Jsonl, "{\"test\":\"a\"}\n"), (Some(1), "no column 'outcome'".into()));
    let options = Options { load_column: Some("lane".into()) };
    assert_eq!(
        parse(Format::Csv, b"test,outcome\n", &options, &mut Odd::default()).unwrap_err().cause,
        "no column 'lane'"
    );
    let lanes = b"test,outcome,lane,load\na,ok,isolated,loaded\n";
    let lanes = parse(Format::Csv, lanes, &options, &mut Odd::default()).unwrap();
    assert_eq!(lanes[0].load.as_deref(), Some("isolated"));
}

/// What was passed over, by reason.
fn odd(format: Format, text: &str) -> (Vec<PastRun>, Vec<String>) {
    let mut odd = Odd::default();
    let runs = parse(format, text.as_bytes(), &Options::default(), &mut odd).unwrap();
    (runs, odd.lines().collect())
}

#[test]
fn one_odd_value_costs_no_row_and_is_told() {
    let text =
        "test,outcome,started,duration,load\na,maybe,yesterday,long,busy\nb,ok,,\"0,16\",\n,ok,,,\nc,ok\n";
    let (runs, odd) = odd(Format::Csv, text);
    assert_eq!(told(&runs), ["#2: a unver", "#3: b Pass"]);
    assert_eq!((runs[0].load.as_deref(), runs[0].started, runs[1].duration_ms), (Some("busy"), None, 160));
    let expected = [
        "condition that is neither isolated nor loaded, so the run does not count', first in line 2: 'busy'",
        "duration that is no number', first in line 2: 'long'",
        "outcome that is no word known, taken as unver', first in line 2: 'maybe'",
        "row with more or fewer cells than the header', first in line 5: '2 cells where the header has 5'",
        "row without a test', first in line 4",
        "time of a run that cannot be read', first in line 2: 'yesterday'",
    ];
    assert_eq!(odd, expected.map(|line| format!("passed over: 1 of '{line}")));
}

#[test]
fn jsonl_has_the_same_names() {
    let runs = read(
        Format::Jsonl,
        "{\"run\":7,\"test\":\"a\",\"outcome\":true,\"ts\":1781697600000,\"duration_ms\":12,\"x\":[1]}\r\n\
         {\"run\":7,\"test\":\"b\",\"status\":\"error\",\"message\":null}\n",
    );
    assert_eq!(told(&runs), ["7: a Pass, b Error"]);
    assert_eq!((runs[0].started.unwrap().as_second(), runs[0].duration_ms), (1_781_697_600, 12));
}

const RETRIES: &str = r#"<testsuites><testsuite name="s" timestamp="2026-06-17T23:18:04.123+00:00" hostname="n1">
    <testcase classname="c" name="flaky" time="2"><flakyFailure message="boom" time="1"/></testcase>
    <testcase classname="c" name="red"><failure message="one"/><rerunFailure message="two"/></testcase>
    <testcase classname="c" name="ok"/><testcase classname="c" name="off"><skipped/></testcase></testsuite></testsuites>"#;

#[test]
fn junit_is_one_run_and_a_retry_undoes_nothing() {
    let runs = read(Format::Junit, RETRIES);
    assert_eq!(told(&runs), [": c::flaky Fail, c::red Fail, c::ok Pass, c::off Skip"]);
    assert_eq!(runs[0].started.unwrap().to_string(), "2026-06-17T23:18:04.123Z");
    assert_eq!(
        (runs[0].machine.as_deref(), runs[0].results[0].message.as_deref()),
        (Some("n1"), Some("boom"))
    );
}

#[test]
fn nextest_retries_are_runs_of_their_own() {
    let runs = read(Format::Nextest, RETRIES);
    assert_eq!(
        told(&runs),
        [": c::flaky Fail, c::red Fail, c::ok Pass, c::off Skip", "#2: c::flaky Pass, c::red Fail"]
    );
    assert_eq!((runs[1].machine.as_deref(), runs[1].started), (Some("n1"), runs[0].started));
}

#[test]
fn nextest_lines() {
    let runs = read(
        Format::Nextest,
        r#"{"type":"suite","event":"started","test_count":2}
{"type":"test","event":"started","name":"k::b$t::a"}
{"type":"test","event":"failed","name":"k::b$t::a","exec_time":0.5,"stdout":"thread panicked"}
{"type":"test","event":"ok","name":"k::b$t::a#2","exec_time":0.25}
{"type":"test","event":"ignored","name":"k::b$t::c"}
{"type":"test","event":"started","name":"k::b$t::d"}
{"type":"test","event":"started","name":"k::b$t::e"}
{"type":"test","event":"ok","name":"k::b$t::e#2","exec_time":0.25}
"#,
    );
    let first = ": k::b$t::a Fail, k::b$t::c Skip, k::b$t::e Fail, k::b$t::d unver";
    assert_eq!(told(&runs), [first, "#2: k::b$t::a Pass, k::b$t::e Pass"]);
    assert_eq!(runs[0].results[0].message.as_deref(), Some("thread panicked"));
    let text = "{\"type\":\"report\",\"total_time\":0.8}\nnoise\n{\"type\":\"test\",\"event\":\"melted\",\"name\":\"a\"}\n";
    let (runs, odd) = odd(Format::Nextest, text);
    assert_eq!((told(&runs), odd.len()), (vec![": a unver".to_owned()], 2));
    assert!(odd[0].contains("taken as unver', first in line 3: 'melted'"), "{odd:?}");
    assert_eq!(bad(Format::Nextest, "{\"x\":1}\n").0, Some(1));
}

#[test]
fn broken_xml_names_its_line() {
    assert_eq!(bad(Format::Junit, "<testsuites>\n<testsuite name=\"s\">\n").0, Some(3));
    assert_eq!(bad(Format::Junit, "<coverage/>"), (None, "not JUnit: its root is <coverage>".into()));
    assert!(bad(Format::Junit, "").1.len() > 3);
}

#[test]
fn reportlog_phases_make_one_result_and_reruns_are_runs() {
    let report = |test: &str, when: &str, outcome: &str, start: f64| {
        format!(
            r#"{{"$report_type":"TestReport","nodeid":"{test}","when":"{when}","outcome":"{outcome}","start":{start},"duration":0.5,"longrepr":{{"reprcrash":{{"message":"assert {when}"}}}}}}"#
        )
    };
    let text = [
        r#"{"pytest_version":"8","$report_type":"SessionStart"}"#.to_owned(),
        report("a", "setup", "passed", 1_781_697_600.0),
        report("a", "call", "failed", 1_781_697_601.0),
        report("a", "teardown", "failed", 1_781_697_602.0),
        report("b", "setup", "failed", 1_781_697_603.0),
        report("b", "teardown", "passed", 1_781_697_603.0),
        report("c", "setup", "passed", 1_781_697_604.0),
        report("c", "call", "rerun", 1_781_697_604.0),
        report("c", "setup", "passed", 1_781_697_605.0),
        report("c", "call", "passed", 1_781_697_605.0),
        report("c", "teardown", "passed", 1_781_697_606.0),
        report("d", "setup", "skipped", 1_781_697_607.0),
        report("e", "setup", "passed", 1_781_697_608.0),
        r#"{"exitstatus":1,"$report_type":"SessionFinish"}"#.to_owned(),
        r#"{"pytest_version":"8","$report_type":"SessionStart"}"#.to_owned(),
        report("a", "call", "passed", 1_781_697_700.0),
    ];
    let runs = read(Format::PytestReportlog, &text.join("\n"));
    let expected = [": c Fail, a Fail, b Error, d Skip, e unver", "#2: c Pass", "#3: a Pass"];
    assert_eq!(told(&runs), expected);
    assert_eq!(runs[0].started.unwrap().as_second(), 1_781_697_600);
    let red = runs[0].results.iter().find(|result| result.test == "a").unwrap();
    assert_eq!((red.message.as_deref(), red.duration_ms), (Some("assert call"), 1500));
    let (runs, odd) = odd(Format::PytestReportlog, "{\"$report_type\":\"SessionStart\"}\n{}\n{\"$rep");
    assert_eq!((runs[0].unver.as_deref(), odd.len()), (Some("no test of it ended"), 2));
    assert_eq!(bad(Format::PytestReportlog, "{\"$report_type\":").0, Some(1));
}

#[test]
fn a_subtest_makes_its_test_red_and_a_collection_that_fails_its_session_unver() {
    let report = |kind: &str, test: &str, outcome: &str| {
        format!(
            r#"{{"$report_type":"{kind}","nodeid":"{test}","when":"call","outcome":"{outcome}","longrepr":"{outcome}"}}"#
        )
    };
    let text = [
        r#"{"$report_type":"SessionStart"}"#.to_owned(),
        report("SubTestReport", "a", "passed"),
        report("SubTestReport", "a", "failed"),
        report("TestReport", "a", "passed"),
        report("SubTestReport", "b", "passed"),
        report("TestReport", "b", "passed"),
        r#"{"$report_type":"SessionStart"}"#.to_owned(),
        report("CollectReport", "c.py", "failed"),
        report("TestReport", "a", "passed"),
        r#"{"$report_type":"SessionStart"}"#.to_owned(),
        report("CollectReport", "c.py", "failed"),
    ];
    let runs = read(Format::PytestReportlog, &text.join("\n"));
    assert_eq!(told(&runs), [": a Fail, b Pass", "#2: a Pass", "#3: "]);
    let unver: Vec<bool> = runs.iter().map(|run| run.unver.is_some()).collect();
    assert_eq!(unver, [false, true, true]);
}

#[test]
fn ccci_results_of_schema_2() {
    let text = r#"{"schema": 2, "recipe": "mumble", "version": "1.0.0", "pr": 4, "ref": "c0ffee", "run_id": 739,
      "stages": [{"name": "install", "tests": [{"name": "test_health", "status": "pass", "duration": 2}]},
                 {"stage": "custom", "tests": [{"name": "custom/test_x.py::t", "status": "fail", "message": "boom"},
                                               {"name": "odd", "status": "who knows"}]},
                 {"name": "upgrade"}, {"name": "restore"}],
      "results": {"upgrade": "skip"}, "rungs": {"restore": "unver"}, "level": 1}"#;
    let runs = read(Format::CcciResults, text);
    let expected = "739: install/test_health Pass, custom/test_x.py::t Fail, custom/odd unver, upgrade Skip, restore unver";
    assert_eq!(told(&runs), [expected]);
    let run = &runs[0];
    assert_eq!((run.recipe.as_deref(), run.kind.as_deref()), (Some("mumble"), Some("pull-request")));
    assert_eq!((run.unver.as_ref(), run.duration_ms, run.named), (None, 2000, true));
    assert!(read(Format::CcciResults, "{}")[0].unver.is_some());
    assert_eq!(bad(Format::CcciResults, "{\n\"a\":").0, Some(2));
    assert!(bad(Format::CcciResults, "{\"schema\": 1}").1.contains("schema 1"));
}

proptest! {
    #[test]
    fn no_bytes_bring_a_reader_down(bytes in vec(any::<u8>(), 0..300), format in select(FORMATS.to_vec())) {
        fuzz(format, &bytes);
    }

    /// Bytes that resemble a format get further into its reader than random ones.
    #[test]
    fn nor_do_parts_of_what_they_read(
        parts in vec(select(vec![
            "test,outcome,started,load\n", "a,ok,2026-01-01,isolated\n", "\"", ",", "\n",
            "{\"test\":\"a\",\"outcome\":\"fail\",\"started\":", "1e300", "-1", "}", "\n{",
            "\"$report_type\":\"TestReport\",\"nodeid\":\"a\",\"when\":\"call\",\"outcome\":\"failed\",\"start\":",
            "\"type\":\"test\",\"event\":\"failed\",\"name\":\"a#999999999999\"", "\"name\":\"#2\"",
            "<testsuites><testsuite name=\"s\">", "<testcase name=\"t\" time=\"1e400\">", "<flakyFailure/>", "&#0;", "<?xml?>", "<error>",
            "</testcase>", "</testsuite></testsuites>", "{\"schema\":2,\"stages\":[", "{\"name\":\"x\",\"tests\":[{}]}", "]}",
        ]), 0..12),
        format in select(FORMATS.to_vec()),
    ) {
        fuzz(format, parts.concat().as_bytes());
    }
}

#[test]
fn every_outcome_has_a_word() {
    let text = "test,outcome\na,pass\na,fail\na,error\na,skip\na,unver\n";
    let outcomes: Vec<_> = read(Format::Csv, text).iter().map(|run| run.results[0].outcome).collect();
    assert_eq!(outcomes, [Some(Pass), Some(Fail), Some(Error), Some(Skip), None]);
}
