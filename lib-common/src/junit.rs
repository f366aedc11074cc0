//! `JUnit` files as outcomes of single tests.

use std::fs;
use std::path::{Path, PathBuf};

use junit_parser::{TestCase, TestStatus, TestSuite};

use crate::record::run::TestOutcome;

/// One test case of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// `classname::name`, or the name alone.
    pub id: String,
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    pub message: Option<String>,
}

/// Every test in the `*.xml` files below `folder`, and the files that could not be read, with the reason.
#[must_use]
pub fn read(folder: &Path) -> (Vec<Test>, Vec<String>) {
    let mut files = Vec::new();
    find(folder, &mut files);
    files.sort();
    let (mut tests, mut broken) = (Vec::new(), Vec::new());
    for file in files {
        match fs::read_to_string(&file).map_err(|e| e.to_string()).and_then(|xml| parse(&xml)) {
            Ok(found) => tests.extend(found),
            Err(cause) => broken.push(format!("{}: {cause}", file.display())),
        }
    }
    (tests, broken)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() {
            find(&path, files);
        // A link may lead anywhere, and a pipe would be waited for.
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "xml") {
            files.push(path);
        }
    }
}

/// Every test of one file, in its order. The error is the parser's, without the file's name.
pub fn parse(xml: &str) -> Result<Vec<Test>, String> {
    let report = junit_parser::from_reader(xml.as_bytes()).map_err(|e| e.to_string())?;
    let mut tests = Vec::new();
    report.suites.iter().for_each(|suite| collect(suite, &mut tests));
    Ok(tests)
}

fn collect(suite: &TestSuite, tests: &mut Vec<Test>) {
    tests.extend(suite.cases.iter().map(test));
    suite.suites.iter().for_each(|inner| collect(inner, tests));
}

fn test(case: &TestCase) -> Test {
    let (outcome, message) = match &case.status {
        TestStatus::Success => (TestOutcome::Pass, None),
        TestStatus::Failure(f) => (TestOutcome::Fail, Some(both(&f.message, &f.text))),
        TestStatus::Error(e) => (TestOutcome::Error, Some(both(&e.message, &e.text))),
        TestStatus::Skipped(s) => (TestOutcome::Skip, Some(both(&s.message, &s.text))),
    };
    let class = case.classname.as_deref().unwrap_or_default();
    let name = &case.original_name;
    let id = if class.is_empty() { name.clone() } else { format!("{class}::{name}") };
    Test { id, outcome, duration_ms: milliseconds(case.time), message: message.filter(|m| !m.is_empty()) }
}

fn both(message: &str, text: &str) -> String {
    [message, text]
        .iter()
        .filter(|part| !part.trim().is_empty())
        .map(|part| part.trim())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Seconds of a `JUnit` file; what is negative or absurd becomes 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn milliseconds(seconds: f64) -> u64 {
    if seconds.is_finite() && (0.0..1e9).contains(&seconds) { (seconds * 1000.0).round() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_common_dialects() {
        let xml = r#"<?xml version="1.0"?><testsuites><testsuite name="custom" tests="3">
            <testcase classname="custom/test_x.py" name="test_a" time="1.25"/>
            <testcase classname="custom/test_x.py" name="test_b" time="0"><failure message="boom">trace</failure></testcase>
            <testcase name="alone"><skipped/></testcase></testsuite></testsuites>"#;
        let tests = parse(xml).unwrap();
        assert_eq!(tests[0].id, "custom/test_x.py::test_a");
        assert_eq!((tests[0].outcome, tests[0].duration_ms), (TestOutcome::Pass, 1250));
        assert_eq!(tests[1].message.as_deref(), Some("boom\ntrace"));
        assert_eq!((tests[2].id.as_str(), tests[2].outcome), ("alone", TestOutcome::Skip));
        assert_eq!(parse(r#"<testsuite name="s"><testcase name="t"/></testsuite>"#).unwrap().len(), 1);
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
}
