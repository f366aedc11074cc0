//! Turns a finished attempt into its records.

use std::fs;
use std::process::ExitStatus;

use lib_common::case::CaseKey;
use lib_common::record::case::Ref;
use lib_common::record::run::{
    Cleanup, Evidence, Guard, Isolation, Outcome, RunFinished, TestFinished, TestOutcome,
};
use lib_common::redact::Redactor;
use lib_common::signature::signature;
use lib_common::text::Text;
use lib_common::{Result, evidence, junit};
use serde::Deserialize;

use crate::attempt::{Context, End, Finished};
use crate::cli::Condition;
use crate::plan;

/// What the harness says of itself in `$REDFIX_EVIDENCE/run.json`; every field is optional.
#[derive(Debug, Default, Deserialize)]
struct Report {
    #[serde(rename = "ref", default)]
    reference: Option<Ref>,
    #[serde(default)]
    harness: Option<String>,
    #[serde(default)]
    tests: Option<String>,
    #[serde(default)]
    stage: Option<String>,
}

/// One `run.finished` and a `test.finished` for each test that the harness reported.
pub fn of(
    context: &Context,
    node: &str,
    finished: &Finished,
    keep: bool,
) -> Result<(RunFinished, Vec<TestFinished>)> {
    let report = fs::read(finished.folder.join("run.json")).ok();
    let report: Report = report.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let (tests, broken) = junit::read(&finished.folder);
    for file in broken {
        context.diag.warn(format_args!("not a JUnit file: {file}"));
    }
    let (outcome, reason) = outcome(finished);
    let (exit_code, signal) = codes(finished.end);
    let tests = tests.into_iter().map(|test| test_finished(context, finished, test)).collect::<Vec<_>>();
    let evidence = if keep {
        let path = finished.folder.strip_prefix(context.base).unwrap_or(&finished.folder);
        Some(Evidence { path: path.display().to_string(), blake3: evidence::root_hash(&finished.folder)? })
    } else {
        None
    };
    let run = RunFinished {
        attempt_id: finished.id.clone(),
        recipe: context.subject.recipe.clone(),
        version: context.subject.version.clone(),
        cases: context.subject.cases.clone(),
        reference: report.reference,
        harness: report.harness,
        tests: report.tests,
        engine: context.engine.version().to_owned(),
        node: node.to_owned(),
        boot_id: crate::proc::boot_id(),
        stack: finished.names.stack.clone(),
        domain: Some(finished.names.domain.clone()),
        factors: finished.factors.clone(),
        outcome,
        reason,
        exit_code,
        signal,
        stage: report.stage,
        started: finished.started.clone(),
        duration_ms: milliseconds(finished.took),
        signature: tests.iter().find_map(|test| test.signature.clone()),
        isolation: isolation(context, finished),
        cleanup: Cleanup {
            created: finished.teardown.created.clone(),
            left: finished.teardown.left.clone(),
            duration_ms: milliseconds(finished.teardown.took),
            others_unchanged: finished.others_changed.is_empty(),
            others_changed: finished.others_changed.clone(),
            ..Cleanup::default()
        },
        refusals: refusals(finished),
        guard: Some(Guard {
            requests: finished.guard.requests,
            refused: finished.guard.refused,
            unseen: finished.guard.unseen.clone(),
        }),
        harm: Vec::new(),
        notes: finished.guard.note.iter().cloned().collect(),
        evidence,
    };
    Ok((run, tests))
}

fn test_finished(context: &Context, finished: &Finished, test: junit::Test) -> TestFinished {
    let subject = context.subject;
    let case =
        CaseKey { recipe: subject.recipe.clone(), version: subject.version.clone(), test: test.id.clone() };
    let message = test.message.map(|text| Text(Redactor::new::<&[u8]>(&[]).text(text.as_bytes())));
    let failed = matches!(test.outcome, TestOutcome::Fail | TestOutcome::Error);
    TestFinished {
        attempt_id: finished.id.clone(),
        case: case.to_string(),
        recipe: case.recipe,
        test: test.id,
        outcome: test.outcome,
        duration_ms: test.duration_ms,
        signature: message.as_ref().filter(|_| failed).map(|text| signature(&text.0)),
        message,
    }
}

/// The outcome that the end of the command amounts to, and why it is not a plain pass or fail.
fn outcome(finished: &Finished) -> (Outcome, Option<String>) {
    let plain = |status: ExitStatus| match status.code() {
        Some(0) => (Outcome::Pass, None),
        // What `env` and `docker run` use for a command that never ran, and our own "try again".
        Some(code @ (75 | 125..=127)) => {
            (Outcome::Infra, Some(format!("the command could not run (exit {code})")))
        }
        // A harness that stopped at its own alarm (SIGALRM, SIGTERM).
        Some(142) => (Outcome::Timeout, Some("the harness reached its own deadline (exit 142)".into())),
        Some(143) => (Outcome::Aborted, Some("the harness was cancelled (exit 143)".into())),
        Some(_) => (Outcome::Fail, None),
        None => (Outcome::Infra, Some(format!("the command died: {status}"))),
    };
    if let [first, ..] = finished.guard.unseen.as_slice() {
        let more = finished.guard.unseen.len() - 1;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return (Outcome::GuardBypassed, Some(format!("the guard never saw {first}{more} being created")));
    }
    match finished.end {
        End::Exited(status) => plain(status),
        End::Timeout => (Outcome::Timeout, Some("the command took longer than --timeout".into())),
        End::Stopped(number) => (Outcome::Aborted, Some(format!("stopped by signal {number}"))),
        End::SlotLost => (Outcome::Disturbed, Some("somebody else took the slot".into())),
    }
}

fn refusals(finished: &Finished) -> Vec<Text> {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    finished.guard.refusals.iter().map(|refusal| Text(redactor.text(refusal.as_bytes()))).collect()
}

fn codes(end: End) -> (Option<i32>, Option<i32>) {
    use std::os::unix::process::ExitStatusExt;
    match end {
        End::Exited(status) => (status.code(), status.signal()),
        End::Stopped(number) => (None, Some(number)),
        End::Timeout | End::SlotLost => (None, None),
    }
}

fn isolation(context: &Context, finished: &Finished) -> Isolation {
    let why = doubt(context, finished);
    Isolation {
        proved: why.is_none(),
        why,
        slots_held: 1,
        slots_total: 1,
        other_deploys: finished.before.other_deploys,
        foreign_cpu_before: finished.before.load.map(|load| round(load.foreign_cpu)),
        foreign_cpu_during: finished.during.map(|load| round(load.foreign_cpu)),
        cpu_pressure_before: finished.before.load.map(|load| round(load.cpu_pressure)),
        cpu_pressure_during: finished.during.map(|load| round(load.cpu_pressure)),
        neighbours: None,
        nodes: Vec::new(),
    }
}

/// Why the claimed condition is not proved; `None` where it is.
fn doubt(context: &Context, finished: &Finished) -> Option<String> {
    if let Some(why) = &finished.guard.unproved {
        return Some(why.clone());
    }
    let Some(during) = finished.during else {
        return Some("the node's CPU time could not be measured from here".into());
    };
    let (max, min) = (context.args.max_foreign_cpu, context.args.min_foreign_cpu);
    match plan::condition(&finished.factors) {
        Ok(Condition::Loaded) if during.foreign_cpu < min => {
            Some(format!("foreign CPU share {:.2} during the run is below {min}", during.foreign_cpu))
        }
        Ok(Condition::Isolated) if during.foreign_cpu > max => {
            Some(format!("foreign CPU share {:.2} during the run is above {max}", during.foreign_cpu))
        }
        Ok(Condition::Isolated) if !finished.others_changed.is_empty() => {
            Some(format!("others changed during the run: {}", finished.others_changed.join(", ")))
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn round(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
