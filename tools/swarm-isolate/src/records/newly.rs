//! Makes a case of each test that is red in a valid run and is no case yet. No I/O.

use lib_common::record::case::{CaseFailed, Stage};
use lib_common::record::run::{Outcome, RunFinished, TestFinished, TestOutcome};

use crate::plan::{Seen, Subject};

/// The new cases of a run, in the order of its tests.
pub fn red(run: &RunFinished, tests: &[TestFinished], subject: &Subject, seen: &Seen) -> Vec<CaseFailed> {
    let valid = run.isolation.proved && matches!(run.outcome, Outcome::Pass | Outcome::Fail);
    let failed = |test: &&TestFinished| matches!(test.outcome, TestOutcome::Fail | TestOutcome::Error);
    let known = |test: &&TestFinished| seen.cases.contains(&test.case);
    let mut new: Vec<CaseFailed> = Vec::new();
    for test in tests.iter().filter(|_| valid).filter(failed).filter(|test| !known(test)) {
        if new.iter().any(|case| case.case == test.case) {
            continue;
        }
        new.push(CaseFailed {
            case: test.case.clone(),
            recipe: subject.recipe.clone(),
            version: subject.version.clone(),
            reference: run.reference.clone(),
            stage: stage(&test.test),
            test: test.test.clone(),
            domain: run.domain.clone(),
            stack: Some(run.stack.clone()),
            message: test.message.clone(),
            hypothesis: None,
            source: format!("run {}", run.attempt_id),
            contrasts: seen.contrasts.clone(),
            baseline: run.factors.clone(),
            last_green: seen.green.get(&test.case).cloned(),
        });
    }
    new
}

/// The stage whose name the test's path starts with: `backup/test_x.py::test_y`, `custom.test_x`. Any other test is
/// taken for a custom test.
fn stage(test: &str) -> Stage {
    let first = test.split(['/', '.', ':']).next().unwrap_or_default();
    match first {
        "enrol" => Stage::Enrol,
        "deploy" => Stage::Deploy,
        "install" => Stage::Install,
        "backup" => Stage::Backup,
        "restore" => Stage::Restore,
        "upgrade" => Stage::Upgrade,
        "promote" => Stage::Promote,
        _ => Stage::Custom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::{run, subject, test};

    #[test]
    fn only_a_red_test_of_a_valid_run_that_nobody_knows() {
        let tests = [
            test("backup/x::a", TestOutcome::Pass),
            test("backup/x::b", TestOutcome::Fail),
            test("backup/x::b", TestOutcome::Fail),
            test("c", TestOutcome::Error),
            test("d", TestOutcome::Skip),
            test("known", TestOutcome::Fail),
        ];
        let mut seen = Seen::default();
        seen.cases.push("mumble@1/known".into());
        let new = red(&run(Outcome::Fail, true), &tests, &subject(), &seen);
        let told: Vec<_> = new.iter().map(|case| (case.case.as_str(), case.stage)).collect();
        assert_eq!(told, [("mumble@1/backup/x::b", Stage::Backup), ("mumble@1/c", Stage::Custom)]);
        assert_eq!(new[0].baseline.get("load").map(String::as_str), Some("isolated"));
        for invalid in [run(Outcome::Fail, false), run(Outcome::Disturbed, true), run(Outcome::Timeout, true)]
        {
            assert_eq!(red(&invalid, &tests, &subject(), &seen), []);
        }
    }
}
