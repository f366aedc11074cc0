//! What pytest-reportlog writes (`pytest --report-log`): one JSON object a line, three reports a test. A subtest, of
//! pytest 9 or of pytest-subtests, has reports of its own, which are results of its test. Pure.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use lib_common::record::run::TestOutcome;

use super::{Bad, Odd, Result, Run, word};

/// A line; only reports of tests have a `nodeid` and a phase.
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

/// One session is one run; what pytest-rerunfailures repeated is a run of its own.
pub fn parse(bytes: &[u8], odd: &mut Odd) -> std::result::Result<Vec<Run>, Bad> {
    let mut all: Vec<Run> = Vec::new();
    let mut session = Session::default();
    let (mut bad, mut known) = (None, false);
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("line {number}");
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            // The last line of a session that was killed.
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
    runs: Vec<Run>,
    /// Attempts of each test that a rerun has ended.
    reruns: HashMap<String, usize>,
    /// The tests in the order of their first report, with what is known of the attempt under way.
    open: Vec<(String, Attempt)>,
    /// A file of tests that could not be read: nobody knows what the session lacks.
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
        // A set-up or teardown that fails says nothing about the test itself. Where a worker of xdist crashed in the
        // test, the phase is `???`.
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

    /// One that failed makes its test red; the others say nothing that the test's own report does not.
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
            self.runs.push(Run { retry: !self.runs.is_empty(), ..Run::default() });
        }
        let run = &mut self.runs[number - 1];
        let duration_ms = word::seconds(attempt.duration);
        run.started = run.started.into_iter().chain(attempt.start.and_then(word::epoch)).min();
        run.duration_ms = run.duration_ms.saturating_add(duration_ms);
        run.results.push(Result {
            test,
            outcome: attempt.outcome,
            duration_ms,
            message: attempt.message,
            place: None,
        });
    }

    /// The session's runs; `before`: runs of earlier sessions in the file.
    fn end(mut self, before: usize) -> Vec<Run> {
        for (test, attempt) in std::mem::take(&mut self.open) {
            let number = self.reruns.get(&test).map_or(1, |reruns| reruns + 1);
            self.close(number, test, attempt);
        }
        if self.runs.is_empty() && self.started {
            self.runs.push(Run { unver: Some("no test of it ended".into()), ..Run::default() });
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
    /// A fail stays one, whatever the teardown says.
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

/// The last line of the crash, and the text; `longrepr` is an object or a text.
fn message(longrepr: &Value) -> Option<String> {
    let crash = longrepr.pointer("/reprcrash/message").and_then(Value::as_str);
    crash.or(longrepr.as_str()).map(ToOwned::to_owned)
}
