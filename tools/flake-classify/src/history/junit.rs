//! `JUnit` files: one file is one run. Pure.

use std::collections::BTreeSet;

use lib_common::junit::{self, Report, Test};
use lib_common::record::run::TestOutcome;

use super::{Bad, Odd, Result, Run, word};

/// `retries`: each red attempt that the runner repeated is a run of its own, as nextest and Surefire write them;
/// without, a test that was ever red in the file is red.
pub fn parse(bytes: &[u8], retries: bool, odd: &mut Odd) -> std::result::Result<Vec<Run>, Bad> {
    let Report { tests, odd: passed, uncollected } = junit::parse(bytes)?;
    odd.merge(passed);
    let mut all = vec![Run::default()];
    for test in &tests {
        add(&mut all, test, retries, odd);
    }
    // A suite's host is a machine only where the run was on one: Playwright names its projects there.
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

/// The attempts in their order, in runs 1, 2, ...: of a test that passed at last the red ones come before it, of one that
/// never did after it.
fn add(all: &mut Vec<Run>, test: &Test, retries: bool, odd: &mut Odd) {
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
            all.push(Run { id: format!("#{number}"), retry: true, ..Run::default() });
        }
        let run = &mut all[number - 1];
        let place = Some(Box::new(test.place.clone()));
        run.results.push(Result {
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
