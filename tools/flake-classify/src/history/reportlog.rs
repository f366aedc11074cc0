//! Reads what pytest-reportlog writes (`pytest --report-log`): one JSON object a line, and three reports for each test
//! (setup, call, teardown). A subtest, of pytest 9 or of pytest-subtests, has a report of its own, which is a result of
//! its test. Pure.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use lib_common::record::run::TestOutcome;

use super::{Bad, Odd, PastResult, PastRun, word};

/// A line. Only reports of tests have a `nodeid` and a phase (`when`).
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "$report_type")]
    kind: Option<String>,
    nodeid: Option<String>,
    when: Option<String>,
    outcome: Option<String>,
    start: Option<f64>,
    duration: Option<f64>,
    longrepr: Option<Value>,
}

/// One session is one run. Tests that pytest-rerunfailures repeated are in further runs.
pub fn parse(bytes: &[u8], odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let mut all: Vec<PastRun> = Vec::new();
    let mut session = Session::default();
    let (mut bad, mut known) = (None, false);
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("line {number}");
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            // A session that was killed leaves a broken last line.
            Err(e) => {
                bad.get_or_insert_with(|| Bad::at(number, format!("not a line of pytest-reportlog: {e}")));
                odd.note("line that is not of pytest-reportlog", place, &String::from_utf8_lossy(text));
                continue;
            }
        };
        known |= line.kind.is_some();
        match line.kind.as_deref() {
            Some("SessionStart") => {
                all.append(&mut std::mem::take(&mut session).end(all.len()));
                session.started = true;
            }
            Some("TestReport") => session.report(line, &place, odd),
            Some("SubTestReport" | "SubtestReport") => session.subtest(line, &place, odd),
            Some("CollectReport") => session.collected(line),
            Some("SessionFinish" | "WarningMessage") => {}
            other => odd.note("line of a type that is not known", place, other.unwrap_or("no $report_type")),
        }
    }
    all.append(&mut session.end(all.len()));
    match bad {
        Some(bad) if !known => Err(bad),
        _ if !known => Err(Bad::whole("no line of pytest-reportlog")),
        _ => Ok(all),
    }
}

#[derive(Default)]
struct Session {
    started: bool,
    runs: Vec<PastRun>,
    /// How many attempts of each test were followed by a rerun.
    reruns: HashMap<String, usize>,
    /// Tests whose current attempt is not closed, in the order of their first report, with its reports so far.
    open: Vec<(String, Attempt)>,
    /// The first file of tests that pytest could not read. Nobody knows which tests the session lacks then.
    uncollected: Option<String>,
}

#[derive(Default)]
struct Attempt {
    outcome: Option<TestOutcome>,
    duration: f64,
    start: Option<f64>,
    message: Option<String>,
}

impl Session {
    fn report(&mut self, line: Line, place: &str, odd: &mut Odd) {
        let (Some(test), Some(phase)) = (line.nodeid, line.when) else {
            return odd.note("report without nodeid or when", place, "");
        };
        let at = self.at(&test);
        let attempt = &mut self.open[at].1;
        let said = line.outcome.unwrap_or_default();
        let rerun = said == "rerun";
        // A failed setup or teardown is an error of the environment, not a failure of the test. If a worker of xdist
        // crashed in the test, the phase is `???`.
        let is_around = matches!(phase.as_str(), "setup" | "teardown");
        let now = match said.as_str() {
            "passed" if phase == "call" => Some(TestOutcome::Pass),
            "passed" => None,
            "failed" | "rerun" if is_around => Some(TestOutcome::Error),
            "failed" | "rerun" => Some(TestOutcome::Fail),
            "skipped" => Some(TestOutcome::Skip),
            other => {
                odd.note("outcome of a test that is not known, taken as unver", place, other);
                None
            }
        };
        attempt.duration += line.duration.unwrap_or(0.0);
        attempt.start = attempt.start.or(line.start.filter(|start| *start > 0.0));
        if let Some(now) = now {
            attempt.note(now, line.longrepr.as_ref());
        }
        if rerun {
            let (test, attempt) = self.open.remove(at);
            let number = *self.reruns.entry(test.clone()).and_modify(|n| *n += 1).or_insert(1);
            self.close(number, test, attempt);
        }
    }

    /// A subtest that failed makes its test red. The others say nothing that the test's own report does not say.
    fn subtest(&mut self, line: Line, place: &str, odd: &mut Odd) {
        let Some(test) = line.nodeid else { return odd.note("report without nodeid or when", place, "") };
        if line.outcome.as_deref() == Some("failed") {
            let at = self.at(&test);
            self.open[at].1.note(TestOutcome::Fail, line.longrepr.as_ref());
        }
    }

    fn collected(&mut self, line: Line) {
        if line.outcome.as_deref() == Some("failed") {
            self.uncollected.get_or_insert_with(|| line.nodeid.unwrap_or_default());
        }
    }

    fn at(&mut self, test: &str) -> usize {
        self.open.iter().position(|(known, _)| known == test).unwrap_or_else(|| {
            self.open.push((test.to_owned(), Attempt::default()));
            self.open.len() - 1
        })
    }

    fn close(&mut self, number: usize, test: String, attempt: Attempt) {
        while self.runs.len() < number {
            self.runs.push(PastRun { retry: !self.runs.is_empty(), ..PastRun::default() });
        }
        let run = &mut self.runs[number - 1];
        let duration_ms = word::seconds(attempt.duration);
        run.started = run.started.into_iter().chain(attempt.start.and_then(word::epoch)).min();
        run.duration_ms = run.duration_ms.saturating_add(duration_ms);
        run.results.push(PastResult {
            test,
            outcome: attempt.outcome,
            duration_ms,
            message: attempt.message,
            place: None,
        });
    }

    /// Ends the session and returns its runs. `before` is the number of runs of earlier sessions in the file.
    fn end(mut self, before: usize) -> Vec<PastRun> {
        for (test, attempt) in std::mem::take(&mut self.open) {
            let number = self.reruns.get(&test).map_or(1, |reruns| reruns + 1);
            self.close(number, test, attempt);
        }
        if self.runs.is_empty() && self.started {
            self.runs.push(PastRun { unver: Some("no test of it ended".into()), ..PastRun::default() });
        }
        for (number, run) in (before + 1..).zip(&mut self.runs) {
            run.id = if number == 1 { String::new() } else { format!("#{number}") };
            if let Some(file) = &self.uncollected {
                run.unver = Some(format!("the tests of {file} could not be collected"));
            }
        }
        self.runs
    }
}

impl Attempt {
    /// A failed call stays a failure, whatever the teardown's report says.
    fn note(&mut self, now: TestOutcome, longrepr: Option<&Value>) {
        let is_red = matches!(now, TestOutcome::Fail | TestOutcome::Error);
        if self.outcome != Some(TestOutcome::Fail) {
            self.outcome = Some(now);
        }
        if self.message.is_none() && is_red {
            self.message = longrepr.and_then(message);
        }
    }
}

/// The failure's message. `longrepr` is an object with the crash's message, or a text.
fn message(longrepr: &Value) -> Option<String> {
    let crash = longrepr.pointer("/reprcrash/message").and_then(Value::as_str);
    crash.or(longrepr.as_str()).map(ToOwned::to_owned)
}
