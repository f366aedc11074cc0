//! Reads `JUnit` files. One file is one run. Pure.

use lib_common::junit::{self, Test};
use lib_common::record::run::TestOutcome;

use super::{Bad, PastResult, PastRun, word};

/// With `retries`, each attempt of a test that the runner repeated (as nextest and Surefire write them) is in a run of
/// its own. Without, a test that was ever red in the file is red.
pub fn parse(bytes: &[u8], retries: bool) -> Result<Vec<PastRun>, Bad> {
    let xml = std::str::from_utf8(bytes).map_err(|e| {
        let line = memchr::memchr_iter(b'\n', &bytes[..e.valid_up_to()]).count();
        Bad::at(line as u64 + 1, "not UTF-8")
    })?;
    let tests = junit::parse(xml).map_err(|cause| place(&cause))?;
    let mut all = vec![PastRun::default()];
    for test in tests {
        add(&mut all, &test, retries);
    }
    // Retries that do not name machine and start have those of the first attempts.
    let (first, more) = all.split_at_mut(1);
    for run in more {
        run.machine.clone_from(&first[0].machine);
        run.started = run.started.or(first[0].started);
    }
    Ok(all)
}

/// Separates the line's number from the parser's message.
fn place(cause: &str) -> Bad {
    let parts = cause.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    match parts.and_then(|(line, cause)| Some((line.parse().ok()?, cause))) {
        Some((line, cause)) => Bad::at(line, cause),
        None => Bad { line: None, cause: cause.to_owned() },
    }
}

/// Adds the attempts of a test to the runs 1, 2, ...: the red ones that were repeated, then the last one.
fn add(all: &mut Vec<PastRun>, test: &Test, retries: bool) {
    let started = |text: &Option<String>| text.as_deref().and_then(word::time);
    let mut attempts: Vec<_> = test
        .retries
        .iter()
        .map(|retry| (retry.outcome, retry.duration_ms, retry.message.clone(), started(&retry.started)))
        .collect();
    attempts.push((test.outcome, test.duration_ms, test.message.clone(), started(&test.started)));
    if !retries {
        let red = attempts.iter().position(|attempt| attempt.0 == TestOutcome::Fail);
        attempts = vec![attempts.swap_remove(red.unwrap_or(attempts.len() - 1))];
    }
    for (number, (outcome, duration_ms, message, started)) in (1..).zip(attempts) {
        if all.len() < number {
            all.push(PastRun { id: format!("#{number}"), ..PastRun::default() });
        }
        let run = &mut all[number - 1];
        run.results.push(PastResult { test: test.id.clone(), outcome: Some(outcome), duration_ms, message });
        run.started = run.started.into_iter().chain(started).min();
        run.duration_ms = run.duration_ms.saturating_add(duration_ms);
        if run.machine.is_none() {
            run.machine.clone_from(&test.machine);
        }
    }
}
