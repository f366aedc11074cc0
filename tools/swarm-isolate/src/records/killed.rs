//! The record of an attempt whose tool was killed. No I/O.

use lib_common::clock::rfc3339;
use lib_common::record::run::{Cleanup, Isolation, Outcome, RunFinished};

use crate::context::{Attempt, Context};

/// The record of an attempt whose tool gets killed, as far as it is known when the attempt begins. Whoever finishes the
/// attempt fills in how long it took and what became of its objects.
pub fn of_killed(context: &Context, attempt: &Attempt) -> RunFinished {
    RunFinished {
        attempt_id: attempt.id.clone(),
        recipe: context.subject.recipe.clone(),
        version: context.subject.version.clone(),
        cases: context.subject.cases.clone(),
        reference: None,
        harness: None,
        tests: None,
        engine: context.engine.version().to_owned(),
        node: context.remover.nodes.name.clone(),
        boot_id: crate::proc::boot_id(),
        stack: attempt.names.stack.clone(),
        domain: Some(attempt.names.domain.clone()),
        factors: attempt.factors.clone(),
        outcome: Outcome::Aborted,
        reason: Some("swarm-isolate was killed, or its machine went down".into()),
        exit_code: None,
        signal: None,
        stage: None,
        started: rfc3339(context.clock.now()),
        duration_ms: 0,
        signature: None,
        isolation: Isolation {
            why: Some("nobody watched the run to its end".into()),
            ..Isolation::default()
        },
        cleanup: Cleanup {
            others_changed: vec!["unknown: nobody looked after the run".into()],
            ..Cleanup::default()
        },
        refusals: Vec::new(),
        guard: None,
        harm: Vec::new(),
        notes: context.reaper.note.iter().cloned().collect(),
        evidence: None,
    }
}
