//! Reads `JUnit` files. One file is one run. Pure.

use std::collections::BTreeSet;

use lib_common::junit::{self, Report, Test};
use lib_common::record::run::TestOutcome;

use super::{Bad, Odd, PastResult, PastRun, word};

/// With `retries`, each attempt of a test that the runner repeated (as nextest and Surefire write them) is in a run of
/// its own. Without, a test that was ever red in the file is red.
pub fn parse(bytes: &[u8], retries: bool, odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let Report { tests, odd: passed, uncollected } = junit::parse(bytes)?;
    odd.merge(passed);
    let mut all = vec![PastRun::default()];
    for test in &tests {
        add(&mut all, test, retries, odd);
    }
    // The host is the run's machine only if all suites name the same one: Playwright writes its projects there.
    let hosts: BTreeSet<&String> = tests.iter().filter_map(|test| test.machine.as_ref()).collect();
    let machine = hosts.first().filter(|_| hosts.len() == 1).map(|host| (*host).clone());
    let started = all[0].started;
    for run in &mut all {
        run.machine.clone_from(&machine);
        run.started = run.started.or(started);
        run.unver = uncollected.as_ref().map(|file| format!("the tests of {file} could not be collected"));
    }
    if tests.is_empty() {
        all[0].unver = Some("it has no test".into());
    }
    Ok(all)
}

/// Adds the attempts of a test to the runs 1, 2, ..., in their order: of a test that passed in the end, the red attempts
/// come before that; of a test that never passed, they come after its first failure.
fn add(all: &mut Vec<PastRun>, test: &Test, retries: bool, odd: &mut Odd) {
    let mut started = |written: &Option<String>| {
        let written = written.as_deref()?;
        word::time(written).or_else(|| {
            odd.note("time of a test that cannot be read", "", written);
            None
        })
    };
    let mut attempts: Vec<_> = test
        .retries
        .iter()
        .map(|retry| (retry.outcome, retry.duration_ms, retry.message.clone(), started(&retry.started)))
        .collect();
    let told = (test.outcome, test.duration_ms, test.message.clone(), started(&test.started));
    let is_red = matches!(test.outcome, TestOutcome::Fail | TestOutcome::Error);
    attempts.insert(if is_red { 0 } else { attempts.len() }, told);
    if !retries {
        let of = |wanted| attempts.iter().position(|attempt| attempt.0 == wanted);
        let red = of(TestOutcome::Fail).or_else(|| of(TestOutcome::Error));
        let last = attempts.len() - 1;
        attempts = vec![attempts.swap_remove(red.unwrap_or(last))];
    }
    for (number, (outcome, duration_ms, message, started)) in (1..).zip(attempts) {
        if all.len() < number {
            all.push(PastRun { id: format!("#{number}"), retry: true, ..PastRun::default() });
        }
        let run = &mut all[number - 1];
        let place = Some(Box::new(test.place.clone()));
        run.results.push(PastResult {
            test: test.id.clone(),
            outcome: Some(outcome),
            duration_ms,
            message,
            place,
        });
        run.started = run.started.into_iter().chain(started).min();
        run.duration_ms = run.duration_ms.saturating_add(duration_ms);
    }
}
