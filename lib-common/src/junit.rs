//! Reads `JUnit` files into the outcomes of single tests.

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use junit_parser::{RerunOrFlaky, RerunOrFlakyKind, TestCase, TestStatus, TestSuite};

use crate::record::run::TestOutcome;

/// One test case of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// `classname::name`, or the name alone.
    pub id: String,
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    pub message: Option<String>,
    /// Its own `timestamp`, else that of its suite, as it is written.
    pub started: Option<String>,
    /// The suite's `hostname`.
    pub machine: Option<String>,
    /// Failed attempts of the test in the same run, which the harness repeated: `flakyFailure`, `rerunFailure`,
    /// `flakyError` and `rerunError`. `outcome` is the last attempt's.
    pub retries: Vec<Retry>,
}

/// A failed attempt of a test that was repeated in the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    pub message: Option<String>,
    pub started: Option<String>,
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
        // Symbolic links are left out because they may lead out of the folder, named pipes because reading would block.
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "xml") {
            files.push(path);
        }
    }
}

/// Every test of one file, in the file's order. The error names the line, not the file.
pub fn parse(xml: &str) -> Result<Vec<Test>, String> {
    let mut lines = Lines { rest: xml.as_bytes(), line: 1 };
    let report = junit_parser::from_reader(&mut lines).map_err(|e| format!("line {}: {e}", lines.line))?;
    let mut tests = Vec::new();
    report.suites.iter().for_each(|suite| collect(suite, &mut tests));
    Ok(tests)
}

/// Counts the lines that the parser has taken, because its errors do not name the line.
struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Read for Lines<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.rest.len().min(into.len());
        into[..size].copy_from_slice(&self.rest[..size]);
        self.consume(size);
        Ok(size)
    }
}

impl BufRead for Lines<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest)
    }

    fn consume(&mut self, size: usize) {
        let (taken, rest) = self.rest.split_at(size.min(self.rest.len()));
        self.line += memchr::memchr_iter(b'\n', taken).count();
        self.rest = rest;
    }
}

fn collect(suite: &TestSuite, tests: &mut Vec<Test>) {
    tests.extend(suite.cases.iter().map(|case| test(suite, case)));
    suite.suites.iter().for_each(|inner| collect(inner, tests));
}

fn test(suite: &TestSuite, case: &TestCase) -> Test {
    let (outcome, message) = match &case.status {
        TestStatus::Success => (TestOutcome::Pass, None),
        TestStatus::Failure(f) => (TestOutcome::Fail, Some(both(&f.message, &f.text))),
        TestStatus::Error(e) => (TestOutcome::Error, Some(both(&e.message, &e.text))),
        TestStatus::Skipped(s) => (TestOutcome::Skip, Some(both(&s.message, &s.text))),
    };
    let class = case.classname.as_deref().unwrap_or_default();
    let name = &case.original_name;
    let id = if class.is_empty() { name.clone() } else { format!("{class}::{name}") };
    Test {
        id,
        outcome,
        duration_ms: milliseconds(case.time),
        message: message.filter(|m| !m.is_empty()),
        started: case.timestamp.clone().or_else(|| suite.timestamp.clone()),
        machine: suite.hostname.clone(),
        retries: case.reruns.iter().map(retry).collect(),
    }
}

fn retry(rerun: &RerunOrFlaky) -> Retry {
    let is_error = matches!(rerun.kind, RerunOrFlakyKind::FlakyError | RerunOrFlakyKind::RerunError);
    let trace = rerun.stack_trace.as_deref().unwrap_or(&rerun.text);
    Retry {
        outcome: if is_error { TestOutcome::Error } else { TestOutcome::Fail },
        duration_ms: milliseconds(rerun.time),
        message: Some(both(&rerun.message, trace)).filter(|m| !m.is_empty()),
        started: rerun.timestamp.clone(),
    }
}

fn both(message: &str, text: &str) -> String {
    [message, text]
        .iter()
        .filter(|part| !part.trim().is_empty())
        .map(|part| part.trim())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Seconds as a `JUnit` file has them. Negative and absurd values, and those that are no number, become 0.
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
    fn retries_are_kept_apart_from_the_result() {
        let xml = r#"<testsuites><testsuite name="s" timestamp="2026-06-17T23:18:04" hostname="n1">
            <testcase name="t"><flakyFailure message="boom" timestamp="2026-06-17T23:18:05Z" time="1">trace</flakyFailure></testcase>
            <testcase name="u"><failure message="boom"/><rerunError message="again"/></testcase></testsuite></testsuites>"#;
        let tests = parse(xml).unwrap();
        assert_eq!((tests[0].outcome, tests[0].machine.as_deref()), (TestOutcome::Pass, Some("n1")));
        assert_eq!(tests[0].started.as_deref(), Some("2026-06-17T23:18:04"));
        let retry = &tests[0].retries[0];
        assert_eq!((retry.outcome, retry.duration_ms), (TestOutcome::Fail, 1000));
        assert_eq!(
            (retry.message.as_deref(), retry.started.as_deref()),
            (Some("boom\ntrace"), Some("2026-06-17T23:18:05Z"))
        );
        assert_eq!((tests[1].outcome, tests[1].retries[0].outcome), (TestOutcome::Fail, TestOutcome::Error));
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = parse("<testsuites>\n<testsuite name=\"s\">\n<testcase name=</testsuite>\n").unwrap_err();
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
}
