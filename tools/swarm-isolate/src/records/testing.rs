//! Sample records for the tests of this folder.

use lib_common::record::run::{Outcome, RunFinished, TestFinished, TestOutcome};

use crate::plan::Subject;

pub fn subject() -> Subject {
    Subject {
        recipe: "mumble".into(),
        version: "1".into(),
        reference: None,
        cases: vec![],
        domain: "iso-mumb.ci.example".into(),
        lease: None,
    }
}

pub fn run(outcome: Outcome, proved: bool) -> RunFinished {
    let run = r#"{"attempt_id":"a","recipe":"mumble","version":"1","engine":"20.10","node":"n1","boot_id":"b","stack":"s_ci","domain":"s.ci","factors":{"load":"isolated"},"outcome":"pass","started":"2026-06-17T23:17:01.000Z","duration_ms":1,"isolation":{"proved":true,"slots_held":1,"slots_total":1,"other_deploys":0},"cleanup":{"created":[],"left":[],"duration_ms":0,"others_unchanged":true}}"#;
    let mut run: RunFinished = serde_json::from_str(run).unwrap();
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
