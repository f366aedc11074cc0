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

use crate::command::vocabulary::Vocabulary;
use crate::context::{Attempt, Swarm};
use crate::finished::{End, Finished, Ran};
use crate::load::cli::LoadArgs;
use crate::plan::{Seen, Subject};

/// The records of one attempt, in the order in which they are written.
pub struct Records {
    pub run: RunFinished,
    pub tests: Vec<TestFinished>,
    pub cases: Vec<CaseFailed>,
}

/// Never fails: a run without a record would be lost. What is wrong with its evidence is noted in it. `keep`: the
/// evidence outlives this call.
pub fn of(
    swarm: &Swarm,
    load: &LoadArgs,
    vocabulary: &Vocabulary,
    seen: &Seen,
    finished: &Finished,
    keep: bool,
) -> Records {
    let (attempt, ran, subject) = (&finished.attempt, &finished.ran, &finished.attempt.subject);
    let mut notes: Vec<String> = swarm.reaper.note.iter().chain(&ran.notes).cloned().collect();
    notes.extend(sweep::irregular(&attempt.folder));
    let (report, wrong) = report::read(&attempt.folder);
    notes.extend(wrong);
    let (tests, odd) = junit::read(&attempt.folder);
    notes.extend(odd);
    let tests: Vec<TestFinished> =
        tests.into_iter().map(|test| test_finished(vocabulary, attempt, test)).collect();
    let (outcome, reason) = judged(load, finished);
    let (exit_code, signal) = outcome::codes(&ran.end);
    let evidence = if keep { hashed(&attempt.base, &attempt.folder, &mut notes) } else { None };
    let refused = matches!(ran.end, End::Taken(_)).then(|| "enrol".to_owned());
    let run = RunFinished {
        attempt_id: attempt.id.clone(),
        recipe: subject.recipe.clone(),
        version: subject.version.clone(),
        cases: subject.cases.clone(),
        reference: report.reference,
        harness: report.harness,
        tests: report.tests,
        engine: swarm.engine.version().to_owned(),
        node: swarm.remover.nodes.name.clone(),
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
        isolation: isolation::of(load, &swarm.remover.nodes.name, finished),
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
        refusals: refusals(vocabulary, ran),
        guard: Some(Guard {
            requests: ran.guard.requests,
            refused: ran.guard.refused,
            unseen: ran.guard.unseen.clone(),
        }),
        harm: finished.changes.harm.clone(),
        notes,
        evidence,
    };
    let cases = newly::red(&run, &tests, subject, seen);
    Records { run, tests, cases }
}

fn refusals(vocabulary: &Vocabulary, ran: &Ran) -> Vec<Text> {
    let mut redactor = vocabulary.redactor();
    ran.guard.refusals.iter().map(|refusal| Text(redactor.text(refusal.as_bytes()))).collect()
}

/// The command's own end, unless the run as a whole was no sample.
fn judged(load: &LoadArgs, finished: &Finished) -> (Outcome, Option<String>) {
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
    match isolation::never_loaded(load, finished) {
        Some(why) => (Outcome::Disturbed, Some(why)),
        None => (outcome, reason),
    }
}

fn test_finished(vocabulary: &Vocabulary, attempt: &Attempt, test: junit::Test) -> TestFinished {
    let Subject { recipe, version, .. } = &attempt.subject;
    let case = CaseKey { recipe: recipe.clone(), version: version.clone(), test: test.id.clone() };
    // A test that its runner repeated is red if any try was red: a run is one sample, and retries hide flakes.
    let red = test.retries.first().filter(|_| test.outcome == TestOutcome::Pass);
    let outcome = red.map_or(test.outcome, |retry| retry.outcome);
    let message = red.and_then(|retry| retry.message.clone()).or(test.message);
    let message = message.map(|text| Text(vocabulary.redactor().text(text.as_bytes())));
    let failed = matches!(outcome, TestOutcome::Fail | TestOutcome::Error);
    TestFinished {
        attempt_id: attempt.id.clone(),
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
