//! Reads what cargo-nextest writes: its `JUnit` dialect, or the lines of `--message-format libtest-json` (and
//! `libtest-json-plus`). Each retry is a run of its own. Pure.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use lib_common::junit::milliseconds;
use lib_common::record::run::TestOutcome;

use super::{Bad, Odd, PastResult, PastRun, junit, word};

pub fn parse(bytes: &[u8], odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let start = bytes.trim_ascii_start();
    let is_xml = matches!(start, [b'<', ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0xef, 0xbb, 0xbf, ..]);
    if is_xml { junit::parse(bytes, true, odd) } else { lines(bytes, odd) }
}

/// One line. Lines about suites are skipped: they repeat what those about their tests say.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: Option<String>,
    name: Option<String>,
    exec_time: Option<Value>,
    stdout: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

/// Types of lines that are about no single test (libtest's `formatters/json.rs`); `report` has no event.
const OTHERS: [&str; 4] = ["suite", "report", "bench", "discovery"];

fn lines(bytes: &[u8], odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let mut all = vec![PastRun::default()];
    let mut open: Vec<String> = Vec::new();
    let mut told: HashSet<(String, usize)> = HashSet::new();
    let (mut bad, mut known) = (None, false);
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("line {number}");
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            // The output of a test may stand between the lines.
            Err(e) => {
                bad.get_or_insert_with(|| Bad::at(number, format!("not a line of libtest-json: {e}")));
                odd.note("line that is not of libtest-json", place, &String::from_utf8_lossy(text));
                continue;
            }
        };
        known |= line.kind == "test" || OTHERS.contains(&line.kind.as_str());
        let (true, Some(name), Some(event)) = (line.kind == "test", &line.name, &line.event) else {
            if !OTHERS.contains(&line.kind.as_str()) {
                odd.note("line of a type that is not known", place, &line.kind);
            }
            continue;
        };
        if event == "started" {
            open.push(name.clone());
            continue;
        }
        let (test, attempt) = split(name);
        open.retain(|known| known != name && *known != test);
        let outcome = match event.as_str() {
            "ok" => Some(TestOutcome::Pass),
            "failed" | "timeout" => Some(TestOutcome::Fail),
            "ignored" => Some(TestOutcome::Skip),
            other => {
                odd.note("event of a test that is not known, taken as unver", place, other);
                None
            }
        };
        // Nextest reports only the last attempt, and it repeats a test only after a red one.
        for earlier in 1..attempt {
            if told.insert((test.clone(), earlier)) {
                push(&mut all, earlier, result(&test, Some(TestOutcome::Fail)));
            }
        }
        told.insert((test.clone(), attempt));
        push(&mut all, attempt, ended(&test, outcome, &line));
    }
    // A test that started and never ended shows that the runner was stopped.
    for name in open {
        let (test, attempt) = split(&name);
        push(&mut all, attempt, result(&test, None));
    }
    match bad {
        Some(bad) if !known => Err(bad),
        _ if !known => Err(Bad::whole("no line of libtest-json")),
        _ => {
            if all[0].results.is_empty() {
                all[0].unver = Some("it has no test".into());
            }
            Ok(all)
        }
    }
}

fn ended(test: &str, outcome: Option<TestOutcome>, line: &Line) -> PastResult {
    let duration_ms = match &line.exec_time {
        Some(Value::String(seconds)) => milliseconds(seconds).unwrap_or(0),
        Some(number) => word::seconds(number.as_f64().unwrap_or(0.0)),
        None => 0,
    };
    let said = [&line.message, &line.stdout, &line.reason];
    let message = said.into_iter().flatten().find(|text| !text.trim().is_empty()).cloned();
    PastResult { duration_ms, message, ..result(test, outcome) }
}

fn result(test: &str, outcome: Option<TestOutcome>) -> PastResult {
    PastResult { test: test.to_owned(), outcome, duration_ms: 0, message: None, place: None }
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
        all.push(PastRun { id: format!("#{}", all.len() + 1), retry: true, ..PastRun::default() });
    }
    let run = &mut all[attempt - 1];
    run.duration_ms = run.duration_ms.saturating_add(result.duration_ms);
    run.results.push(result);
}
