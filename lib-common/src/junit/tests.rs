//! What one file or folder gives; `tests/dialects` beside flake-classify has a file of every writer.

use std::fs;

use super::*;

#[test]
fn reads_the_common_dialects() {
    let xml = r#"<?xml version="1.0"?><testsuites><testsuite name="custom" tests="3">
        <testcase classname="custom/test_x.py" name="test_a" time="1.25"/>
        <testcase classname="custom/test_x.py" name="test_b" time="0"><failure message="boom">trace</failure></testcase>
        <testcase name="alone"><skipped/></testcase></testsuite></testsuites>"#;
    let tests = parse(xml.as_bytes()).unwrap().tests;
    assert_eq!(tests[0].id, "custom/test_x.py::test_a");
    assert_eq!((tests[0].outcome, tests[0].duration_ms), (TestOutcome::Pass, 1250));
    assert_eq!(tests[1].message.as_deref(), Some("boom\ntrace"));
    assert_eq!((tests[2].id.as_str(), tests[2].outcome), ("alone", TestOutcome::Skip));
    assert_eq!(parse(br#"<testsuite name="s"><testcase name="t"/></testsuite>"#).unwrap().tests.len(), 1);
}

#[test]
fn retries_are_kept_apart_from_the_result() {
    let xml = r#"<testsuites><testsuite name="s" timestamp="2026-06-17T23:18:04" hostname="n1">
        <testcase name="t"><flakyFailure message="boom" timestamp="2026-06-17T23:18:05Z" time="1">trace</flakyFailure></testcase>
        <testcase name="u"><failure message="boom"/><rerunError message="again"/></testcase></testsuite></testsuites>"#;
    let tests = parse(xml.as_bytes()).unwrap().tests;
    assert_eq!((tests[0].outcome, tests[0].machine.as_deref()), (TestOutcome::Pass, Some("n1")));
    assert_eq!(tests[0].started.as_deref(), Some("2026-06-17T23:18:04"));
    let retry = &tests[0].retries[0];
    assert_eq!((retry.outcome, retry.duration_ms), (TestOutcome::Fail, 1000));
    assert_eq!(
        (retry.message.as_deref(), retry.started.as_deref()),
        (Some("boom\ntrace"), Some("2026-06-17T23:18:05Z"))
    );
    assert_eq!((tests[1].outcome, tests[1].retries[0].outcome), (TestOutcome::Fail, TestOutcome::Fail));
}

#[test]
fn a_broken_line_is_named() {
    let error = parse(b"<testsuites>\n<testsuite name=\"s\">\n<testcase name=</testsuite>\n")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("line 3: "), "{error}");
}

#[test]
fn a_broken_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("junit")).unwrap();
    fs::write(dir.path().join("junit/x.xml"), "<testsuites><testsuite").unwrap();
    let (tests, broken) = read(dir.path());
    assert!(tests.is_empty());
    assert!(broken.len() == 1 && broken[0].contains("x.xml"), "{broken:?}");
}

fn outcomes(xml: &str) -> Vec<TestOutcome> {
    parse(xml.as_bytes()).unwrap().tests.iter().map(|test| test.outcome).collect()
}

#[test]
fn the_worst_counts_and_a_test_that_did_not_run_is_none() {
    use TestOutcome::{Error, Fail, Pass, Skip};
    for (inside, outcome) in [
        ("/>", Pass),
        (" status='run' result='completed'/>", Pass),
        (" status='notrun' result='suppressed'/>", Skip),
        (" disabled='true'/>", Skip),
        ("><disabled/></testcase>", Skip),
        (" status='notrun'><failure/></testcase>", Fail),
        ("><failure message='x'/><error message='test teardown failure'/></testcase>", Fail),
        ("><error message='test teardown failure'/><failure message='x'/></testcase>", Fail),
        ("><skipped/><failure/></testcase>", Fail),
        ("><skipped type='todo'/><failure/></testcase>", Skip),
        ("><error message='refused'/></testcase>", Fail),
        ("><error message='failed on setup with x'/></testcase>", Error),
    ] {
        let xml = format!("<testsuite><testcase name='t'{inside}</testsuite>");
        assert_eq!(outcomes(&xml), [outcome], "{inside}");
    }
}

#[test]
fn tests_count_wherever_they_are() {
    let xml = "<testsuites timestamp='2026-06-17T23:18:04'><testcase name='root'/><testsuite name='a' hostname='n1'>
        <properties><property name='x'>y</property></properties>
        <testsuite name='b'><group><testcase name='deep'/></group></testsuite></testsuite></testsuites>
        <?xml version='1.0'?><testsuite name='c'><error>no class</error></testsuite>";
    let tests = parse(xml.as_bytes()).unwrap().tests;
    let ids: Vec<(&str, &str)> =
        tests.iter().map(|test| (test.id.as_str(), test.place.suite.as_str())).collect();
    assert_eq!(ids, [("root", ""), ("deep", "a/b"), ("c::<init>", "c")]);
    assert_eq!(tests[1].started.as_deref(), Some("2026-06-17T23:18:04"));
    assert_eq!((tests[1].machine.as_deref(), tests[2].outcome), (Some("n1"), TestOutcome::Error));
}

#[test]
fn one_odd_value_costs_no_test() {
    let xml = "<testsuite>\n<testcase name='a &amp; b' time='&lt;&lt;computed>>' line='-1' status='odd'><failure>expected \
        &lt;200> &#0; & <![CDATA[<x>]]> <b>bold</b><system-out>noise</system-out></failure></testcase></testsuite>";
    let report = parse(xml.as_bytes()).unwrap();
    assert_eq!(report.tests[0].id, "a & b");
    assert_eq!(report.tests[0].message.as_deref(), Some("expected <200> \u{fffd} & <x> bold"));
    let odd: Vec<String> = report.odd.lines().collect();
    assert_eq!(odd.len(), 2);
    assert!(odd[1].ends_with("first in line 2: '<<computed>>'"), "{odd:?}");
}

#[test]
fn what_is_no_junit_says_so_and_what_is_cut_too() {
    let bad = parse(b"<?xml version='1.0'?><coverage><packages/></coverage>").unwrap_err();
    assert!(bad.is_other_kind && bad.to_string() == "not JUnit: its root is <coverage>", "{bad}");
    let cut = parse(b"<testsuites>\n<testsuite>\n<testcase name='a'/>\n").unwrap_err();
    assert_eq!((cut.to_string().as_str(), cut.is_other_kind), ("line 4: it ends within <testsuite>", false));
}

#[test]
fn equal_names_of_two_files_are_two_tests() {
    let dir = tempfile::tempdir().unwrap();
    let xml = "<testsuite name='s'><testcase name='t'/></testsuite>";
    for file in ["a.xml", "b.XML", "shard/test.xml", "shard/test_attempts/attempt_1.xml"] {
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, xml).unwrap();
    }
    std::os::unix::fs::symlink("..", dir.path().join("shard/up")).unwrap();
    let (tests, notes) = read(dir.path());
    let ids: Vec<&str> = tests.iter().map(|test| test.id.as_str()).collect();
    assert_eq!(ids, ["a.xml::t", "b.XML::t", "shard/test.xml::t", "shard/test.xml::t"]);
    assert!(notes.is_empty(), "{notes:?}");
}
