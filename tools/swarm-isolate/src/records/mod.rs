//! Turns a finished attempt into its records.

pub mod isolation;
pub mod killed;
pub mod newly;
pub mod outcome;
pub mod report;
pub mod sweep;
#[cfg(test)]
pub mod testing;

use std::path::Path;
use std::time::Duration;

use lib_common::case::CaseKey;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::{Cleanup, Evidence, Guard, Outcome, RunFinished, TestFinished, TestOutcome};
use lib_common::signature::signature;
use lib_common::text::Text;
use lib_common::{evidence, junit};

use crate::context::Context;
use crate::finished::{End, Finished, Ran};
use crate::plan::Subject;

/// The records of one attempt, in the order in which they are written.
pub struct Records {
    pub run: RunFinished,
    pub tests: Vec<TestFinished>,
    pub cases: Vec<CaseFailed>,
}

/// Makes the records. Never fails, because a run without a record would be lost; problems with its evidence become
/// notes. `keep` says that the evidence outlives this call, so that it gets a hash.
pub fn of(context: &Context, finished: &Finished, keep: bool) -> Records {
    let (attempt, ran, subject) = (&finished.attempt, &finished.ran, context.subject);
    let mut notes: Vec<String> = context.reaper.note.iter().chain(&ran.notes).cloned().collect();
    notes.extend(sweep::irregular(&attempt.folder));
    let (report, wrong) = report::read(&attempt.folder);
    notes.extend(wrong);
    let (tests, broken) = junit::read(&attempt.folder);
    notes.extend(broken.iter().map(|file| format!("not a JUnit file: {file}")));
    let tests: Vec<TestFinished> =
        tests.into_iter().map(|test| test_finished(context, &attempt.id, test)).collect();
    let (outcome, reason) = judged(context, finished);
    let (exit_code, signal) = outcome::codes(&ran.end);
    let evidence = if keep { hashed(context.base, &attempt.folder, &mut notes) } else { None };
    let refused = matches!(ran.end, End::Taken(_)).then(|| "enrol".to_owned());
    let run = RunFinished {
        attempt_id: attempt.id.clone(),
        recipe: subject.recipe.clone(),
        version: subject.version.clone(),
        cases: subject.cases.clone(),
        reference: report.reference,
        harness: report.harness,
        tests: report.tests,
        engine: context.engine.version().to_owned(),
        node: context.remover.nodes.name.clone(),
        boot_id: crate::proc::boot_id(),
        stack: attempt.names.stack.clone(),
        domain: Some(attempt.names.domain.clone()),
        factors: attempt.factors.clone(),
        outcome,
        reason,
        exit_code,
        signal,
        stage: report.stage.or(refused),
        started: ran.started.clone(),
        duration_ms: milliseconds(ran.took),
        signature: tests.iter().find_map(|test| test.signature.clone()),
        isolation: isolation::of(&context.args.load, &context.remover.nodes.name, finished),
        cleanup: Cleanup {
            created: finished.teardown.created.clone(),
            left: finished.teardown.left.clone(),
            duration_ms: milliseconds(finished.teardown.took),
            others_unchanged: finished.changes.others.is_empty(),
            others_changed: finished.changes.others.clone(),
            unproved: finished.teardown.unproved.clone(),
            kept: finished.teardown.kept.clone(),
            networks: finished.teardown.networks.clone(),
        },
        refusals: refusals(context, ran),
        guard: Some(Guard {
            requests: ran.guard.requests,
            refused: ran.guard.refused,
            unseen: ran.guard.unseen.clone(),
        }),
        harm: finished.changes.harm.clone(),
        notes,
        evidence,
    };
    let cases = newly::red(&run, &tests, subject, context.seen);
    Records { run, tests, cases }
}

fn refusals(context: &Context, ran: &Ran) -> Vec<Text> {
    let mut redactor = context.vocabulary.redactor();
    ran.guard.refusals.iter().map(|refusal| Text(redactor.text(refusal.as_bytes()))).collect()
}

/// The outcome by the command's own end, unless something makes the run as a whole invalid.
fn judged(context: &Context, finished: &Finished) -> (Outcome, Option<String>) {
    let (outcome, reason) = outcome::of(&finished.ran.end, finished.ran.checked.as_ref());
    let is_sample = matches!(outcome, Outcome::Pass | Outcome::Fail | Outcome::Timeout);
    if let Some(how) =
        finished.ran.guard.died.as_ref().filter(|_| is_sample || finished.ran.end == End::Unguarded)
    {
        return (Outcome::Infra, Some(how.clone()));
    }
    if !is_sample {
        return (outcome, reason);
    }
    if let [first, ..] = finished.ran.guard.unseen.as_slice() {
        let more = finished.ran.guard.unseen.len() - 1;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return (Outcome::GuardBypassed, Some(format!("the guard never saw {first}{more} being created")));
    }
    if !finished.changes.disturbed.is_empty() {
        let what = finished.changes.disturbed.join(", ");
        return (Outcome::Disturbed, Some(format!("somebody changed {what}")));
    }
    if let Some(conflict) = &finished.ran.conflict {
        return (Outcome::Infra, Some(format!("{conflict}, which neighbours and the run fought for")));
    }
    match isolation::never_loaded(&context.args.load, finished) {
        Some(why) => (Outcome::Disturbed, Some(why)),
        None => (outcome, reason),
    }
}

fn test_finished(context: &Context, attempt: &str, test: junit::Test) -> TestFinished {
    let Subject { recipe, version, .. } = context.subject;
    let case = CaseKey { recipe: recipe.clone(), version: version.clone(), test: test.id.clone() };
    // A test that its runner repeated is red if any try was red: a run is one sample, and retries hide flakes.
    let red = test.retries.first().filter(|_| test.outcome == TestOutcome::Pass);
    let outcome = red.map_or(test.outcome, |retry| retry.outcome);
    let message = red.and_then(|retry| retry.message.clone()).or(test.message);
    let message = message.map(|text| Text(context.vocabulary.redactor().text(text.as_bytes())));
    let failed = matches!(outcome, TestOutcome::Fail | TestOutcome::Error);
    TestFinished {
        attempt_id: attempt.to_owned(),
        case: case.to_string(),
        recipe: case.recipe,
        test: test.id,
        outcome,
        duration_ms: test.duration_ms,
        signature: message.as_ref().filter(|_| failed).map(|text| signature(&text.0)),
        message,
    }
}

/// The evidence folder, relative to the ledger's folder, with its hash.
fn hashed(base: &Path, folder: &Path, notes: &mut Vec<String>) -> Option<Evidence> {
    let path = folder.strip_prefix(base).unwrap_or(folder).display().to_string();
    match evidence::root_hash(folder) {
        Ok(blake3) => Some(Evidence { path, blake3 }),
        Err(error) => {
            notes.push(format!("the evidence has no hash: {error}"));
            None
        }
    }
}

pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
