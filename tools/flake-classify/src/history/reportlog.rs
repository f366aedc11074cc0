//! Reads what pytest-reportlog writes (`pytest --report-log`): one JSON object a line, and three reports for each test
//! (setup, call, teardown). Pure.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use lib_common::record::run::TestOutcome;

use super::{Bad, PastResult, PastRun, word};

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
pub fn parse(bytes: &[u8]) -> Result<Vec<PastRun>, Bad> {
    let mut all: Vec<PastRun> = Vec::new();
    let mut session = Session::default();
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(text)
            .map_err(|e| Bad::at(number, format!("not a line of pytest-reportlog: {e}")))?;
        match line.kind.as_deref() {
            Some("SessionStart") => all.append(&mut std::mem::take(&mut session).end(all.len())),
            Some("TestReport") => session.report(line).map_err(|cause| Bad::at(number, cause))?,
            Some(_) => {}
            None => return Err(Bad::at(number, "not a line of pytest-reportlog: no $report_type")),
        }
    }
    all.append(&mut session.end(all.len()));
    Ok(all)
}

#[derive(Default)]
struct Session {
    runs: Vec<PastRun>,
    /// How many attempts of each test were followed by a rerun.
    reruns: HashMap<String, usize>,
    /// Tests whose current attempt is not closed, in the order of their first report, with its reports so far.
    open: Vec<(String, Attempt)>,
}

#[derive(Default)]
struct Attempt {
    outcome: Option<TestOutcome>,
    duration: f64,
    start: Option<f64>,
    message: Option<String>,
}

impl Session {
    fn report(&mut self, line: Line) -> Result<(), String> {
        let (Some(test), Some(phase)) = (line.nodeid, line.when) else {
            return Err("a test report without nodeid or when".into());
        };
        let at = self.open.iter().position(|(known, _)| *known == test).unwrap_or_else(|| {
            self.open.push((test.clone(), Attempt::default()));
            self.open.len() - 1
        });
        let attempt = &mut self.open[at].1;
        let said = line.outcome.unwrap_or_default();
        let rerun = said == "rerun";
        // A failed setup or teardown is an error of the environment, not a failure of the test.
        let red = if phase == "call" { TestOutcome::Fail } else { TestOutcome::Error };
        let now = match said.as_str() {
            "passed" if phase == "call" => Some(TestOutcome::Pass),
            "passed" => None,
            "failed" | "rerun" => Some(red),
            "skipped" => Some(TestOutcome::Skip),
            other => return Err(format!("'{other}' is not an outcome of pytest")),
        };
        attempt.duration += line.duration.unwrap_or(0.0);
        attempt.start = attempt.start.or(line.start);
        if let Some(now) = now {
            // A failed call stays a failure, whatever the teardown's report says.
            if attempt.outcome != Some(TestOutcome::Fail) {
                attempt.outcome = Some(now);
            }
            if attempt.message.is_none() && matches!(now, TestOutcome::Fail | TestOutcome::Error) {
                attempt.message = line.longrepr.as_ref().and_then(message);
            }
        }
        if rerun {
            let (test, attempt) = self.open.remove(at);
            let number = *self.reruns.entry(test.clone()).and_modify(|n| *n += 1).or_insert(1);
            self.close(number, test, attempt);
        }
        Ok(())
    }

    fn close(&mut self, number: usize, test: String, attempt: Attempt) {
        while self.runs.len() < number {
            self.runs.push(PastRun::default());
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
        });
    }

    /// Ends the session and returns its runs. `before` is the number of runs of earlier sessions in the file.
    fn end(mut self, before: usize) -> Vec<PastRun> {
        for (test, attempt) in std::mem::take(&mut self.open) {
            let number = self.reruns.get(&test).map_or(1, |reruns| reruns + 1);
            self.close(number, test, attempt);
        }
        for (number, run) in (before + 1..).zip(&mut self.runs) {
            run.id = if number == 1 { String::new() } else { format!("#{number}") };
        }
        self.runs
    }
}

/// The failure's message. `longrepr` is an object with the crash's message, or a text.
fn message(longrepr: &Value) -> Option<String> {
    let crash = longrepr.pointer("/reprcrash/message").and_then(Value::as_str);
    crash.or(longrepr.as_str()).map(ToOwned::to_owned)
}
