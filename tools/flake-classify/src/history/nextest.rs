//! Reads what cargo-nextest writes: its `JUnit` dialect, or the lines of `--message-format libtest-json` (and
//! `libtest-json-plus`). Each retry is a run of its own. Pure.

use serde::Deserialize;

use lib_common::record::run::TestOutcome;

use super::{Bad, PastResult, PastRun, junit, word};

pub fn parse(bytes: &[u8]) -> Result<Vec<PastRun>, Bad> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => lines(bytes),
        _ => junit::parse(bytes, true),
    }
}

/// One line. Lines about suites are skipped: they repeat what those about their tests say.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: String,
    name: Option<String>,
    exec_time: Option<f64>,
    stdout: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

fn lines(bytes: &[u8]) -> Result<Vec<PastRun>, Bad> {
    let mut all = vec![PastRun::default()];
    let mut open: Vec<String> = Vec::new();
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(text)
            .map_err(|e| Bad::at(number, format!("not a line of libtest-json: {e}")))?;
        let (true, Some(name)) = (line.kind == "test", line.name.clone()) else { continue };
        if line.event == "started" {
            open.push(name);
            continue;
        }
        open.retain(|known| *known != name);
        let outcome = match line.event.as_str() {
            "ok" => TestOutcome::Pass,
            "failed" | "timeout" => TestOutcome::Fail,
            "ignored" => TestOutcome::Skip,
            other => return Err(Bad::at(number, format!("'{other}' is not a known event"))),
        };
        add(&mut all, &name, Some(outcome), &line);
    }
    // A test that started and never ended shows that the runner was stopped.
    for name in open {
        let (test, attempt) = split(&name);
        push(&mut all, attempt, PastResult { test, outcome: None, duration_ms: 0, message: None });
    }
    Ok(all)
}

fn add(all: &mut Vec<PastRun>, name: &str, outcome: Option<TestOutcome>, line: &Line) {
    let (test, attempt) = split(name);
    let duration_ms = word::seconds(line.exec_time.unwrap_or(0.0));
    let said = [&line.message, &line.stdout, &line.reason];
    let message = said.into_iter().flatten().find(|text| !text.trim().is_empty()).cloned();
    push(all, attempt, PastResult { test, outcome, duration_ms, message });
}

/// `crate::binary$module::test#2` is the second attempt of `crate::binary$module::test`.
fn split(name: &str) -> (String, usize) {
    let retry = name.rsplit_once('#').and_then(|(test, number)| Some((test, number.parse::<usize>().ok()?)));
    match retry {
        Some((test, number)) if (1..=1000).contains(&number) && !test.is_empty() => (test.to_owned(), number),
        _ => (name.to_owned(), 1),
    }
}

fn push(all: &mut Vec<PastRun>, attempt: usize, result: PastResult) {
    while all.len() < attempt {
        all.push(PastRun { id: format!("#{}", all.len() + 1), ..PastRun::default() });
    }
    let run = &mut all[attempt - 1];
    run.duration_ms = run.duration_ms.saturating_add(result.duration_ms);
    run.results.push(result);
}
