//! Records for the tests of this folder.

use lib_common::record::Factors;
use lib_common::record::run::{Cleanup, Outcome, RunFinished, TestFinished, TestOutcome};

use super::killed::{Killed, of_killed};
use crate::plan::Subject;

pub fn subject() -> Subject {
    Subject {
        recipe: "mumble".into(),
        version: "1".into(),
        reference: None,
        cases: vec![],
        domain: "iso-mumb.ci.example".into(),
    }
}

pub fn run(outcome: Outcome, proved: bool) -> RunFinished {
    let killed = Killed {
        investigation: "i".into(),
        attempt_id: "a".into(),
        recipe: "mumble".into(),
        version: "1".into(),
        cases: vec![],
        engine: "20.10".into(),
        node: "n1".into(),
        boot_id: "b".into(),
        stack: "s_ci".into(),
        domain: "s.ci".into(),
        stacks: vec![],
        factors: Factors::from([("load".into(), "isolated".into())]),
        started: "2026-06-17T23:17:01.000Z".into(),
        ledger: None,
    };
    let mut run = of_killed(&killed, Cleanup::default(), jiff::Timestamp::UNIX_EPOCH);
    (run.outcome, run.isolation.proved) = (outcome, proved);
    run
}

pub fn test(name: &str, outcome: TestOutcome) -> TestFinished {
    TestFinished {
        attempt_id: "a".into(),
        case: format!("mumble@1/{name}"),
        recipe: "mumble".into(),
        test: name.into(),
        outcome,
        duration_ms: 1,
        message: None,
        signature: None,
    }
}
