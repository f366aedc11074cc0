//! Runs and what each says about a case. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use lib_common::case::CaseKey;
use lib_common::record::Factors;
use lib_common::record::case::{CaseFailed, Stage};
use lib_common::record::log::LogSnapped;
use lib_common::record::run::{Outcome, RunFinished, TestFinished, TestOutcome};
use lib_common::record::verdict::Tally;
use lib_common::text::Text;

/// Every attempt of the ledger, by its id.
#[derive(Debug, Default, PartialEq)]
pub struct Runs {
    finished: BTreeMap<String, RunFinished>,
    tests: BTreeMap<String, BTreeMap<String, TestFinished>>,
    snaps: BTreeMap<String, LogSnapped>,
    /// Attempts that were told twice, and not alike.
    retold: BTreeSet<String>,
    by_case: BTreeMap<String, BTreeSet<String>>,
}

impl Runs {
    /// The first telling of an attempt stands; another that differs is remembered against it.
    pub fn finished(&mut self, run: RunFinished) {
        for case in &run.cases {
            self.by_case.entry(case.clone()).or_default().insert(run.attempt_id.clone());
        }
        match self.finished.get(&run.attempt_id) {
            Some(first) if *first != run => {
                self.retold.insert(run.attempt_id);
            }
            Some(_) => {}
            None => {
                self.finished.insert(run.attempt_id.clone(), run);
            }
        }
    }

    /// A case that one run reports twice gives one result, the worst: a retry that passed undoes no fail.
    pub fn tested(&mut self, test: TestFinished) {
        self.by_case.entry(test.case.clone()).or_default().insert(test.attempt_id.clone());
        let tests = self.tests.entry(test.attempt_id.clone()).or_default();
        match tests.get(&test.case) {
            Some(first) if rank(first) >= rank(&test) => {}
            _ => {
                tests.insert(test.case.clone(), test);
            }
        }
    }

    /// A later bundle of the same attempt replaces an earlier one.
    pub fn snapped(&mut self, snap: LogSnapped) {
        if let Some(attempt) = snap.attempt_id.clone() {
            self.snaps.insert(attempt, snap);
        }
    }

    #[must_use]
    pub fn get(&self, attempt: &str) -> Option<&RunFinished> {
        self.finished.get(attempt)
    }

    #[must_use]
    pub fn snap(&self, attempt: &str) -> Option<&LogSnapped> {
        self.snaps.get(attempt)
    }

    /// The failure text of a case in one attempt.
    #[must_use]
    pub fn message(&self, attempt: &str, case: &str) -> Option<&Text> {
        self.tests.get(attempt)?.get(case)?.message.as_ref()
    }

    #[must_use]
    pub fn is_retold(&self, attempt: &str) -> bool {
        self.retold.contains(attempt)
    }

    /// The runs that concern `case`, in time order.
    #[must_use]
    pub fn of_case(&self, case: &str) -> Vec<&RunFinished> {
        let attempts = self.by_case.get(case).into_iter().flatten();
        let mut runs: Vec<_> = attempts.filter_map(|attempt| self.get(attempt)).collect();
        runs.sort_by_key(|run| (&run.started, &run.attempt_id));
        runs
    }

    /// What a run says about `case`: `Some(true)` for green, `Some(false)` for red, `None` for nothing. The
    /// case's own result speaks first; a stage of the life cycle has none and speaks through how far the run
    /// came; the whole run speaks only where it has no test results at all.
    #[must_use]
    pub fn sample(&self, run: &RunFinished, case: &str) -> Option<bool> {
        let whole = match run.outcome {
            Outcome::Pass => true,
            Outcome::Fail | Outcome::Timeout => false,
            Outcome::Aborted | Outcome::Infra | Outcome::Disturbed | Outcome::GuardBypassed => {
                return None;
            }
        };
        let tests = self.tests.get(&run.attempt_id);
        if let Some(test) = tests.and_then(|tests| tests.get(case)) {
            return match test.outcome {
                TestOutcome::Pass => Some(true),
                TestOutcome::Fail => Some(false),
                TestOutcome::Error | TestOutcome::Skip => None,
            };
        }
        match CaseKey::parse(case).ok().and_then(|key| stage(&key.test)) {
            Some(stage) => by_stage(stage, run, whole),
            None => tests.is_none().then_some(whole),
        }
    }

    /// Whether a run may be counted for `case`: it says something, its condition is proved, nothing is left.
    #[must_use]
    pub fn is_eligible(&self, run: &RunFinished, case: &str) -> bool {
        run.isolation.proved && run.cleanup.left.is_empty() && self.sample(run, case).is_some()
    }

    /// Greens and reds of `case` among `runs`.
    #[must_use]
    pub fn tally<'a>(&self, runs: impl IntoIterator<Item = &'a RunFinished>, case: &str) -> Tally {
        let mut tally = Tally::default();
        for run in runs {
            match self.sample(run, case) {
                Some(true) => tally.pass += 1,
                Some(false) => tally.fail += 1,
                None => {}
            }
        }
        tally
    }
}

/// The stage of the life cycle with this name.
fn stage(name: &str) -> Option<Stage> {
    serde_json::from_value(name.into()).ok()
}

/// A run that failed later had passed `ours`; one that failed earlier never came to it. A failed run that
/// does not say how far it came failed here.
fn by_stage(ours: Stage, run: &RunFinished, whole: bool) -> Option<bool> {
    let reached = run.stage.as_deref().map(stage);
    match (whole, reached) {
        (true, _) => Some(true),
        (false, None) => Some(false),
        (false, Some(reached)) => match reached?.cmp(&ours) {
            Ordering::Less => None,
            Ordering::Equal => Some(false),
            Ordering::Greater => Some(true),
        },
    }
}

/// How bad a result is.
fn rank(test: &TestFinished) -> u8 {
    match test.outcome {
        TestOutcome::Fail => 3,
        TestOutcome::Error => 2,
        TestOutcome::Pass => 1,
        TestOutcome::Skip => 0,
    }
}

/// The level of a factor, `none` for a fix that was not tried.
#[must_use]
pub fn level<'a>(factors: &'a Factors, factor: &str) -> &'a str {
    factors.get(factor).map_or(if factor == "fix" { "none" } else { "" }, String::as_str)
}

/// Whether a run was made at the factor levels that were red, load and fix aside: a contrast was not. A
/// factor that a run does not name is at its red level.
#[must_use]
pub fn at_baseline(run: &RunFinished, failed: Option<&CaseFailed>) -> bool {
    let Some(failed) = failed else { return true };
    let red = |factor: &str| match (factor, failed.baseline.get(factor)) {
        (_, Some(level)) => Some(level),
        ("version", None) => Some(&failed.version),
        ("domain", None) => failed.domain.as_ref(),
        _ => None,
    };
    run.factors
        .iter()
        .all(|(factor, level)| matches!(factor.as_str(), "load" | "fix") || red(factor) == Some(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcome: &str, stage: Option<&str>) -> RunFinished {
        let mut run = serde_json::json!({
            "attempt_id": "a", "recipe": "r", "version": "1", "engine": "e", "node": "n", "boot_id": "b",
            "stack": "s", "factors": {"load": "isolated"}, "outcome": outcome, "started": "", "duration_ms": 1,
            "isolation": {"proved": true, "slots_held": 1, "slots_total": 1, "other_deploys": 0},
            "cleanup": {"created": [], "left": [], "duration_ms": 1, "others_unchanged": true},
        });
        if let Some(stage) = stage {
            run["stage"] = stage.into();
        }
        serde_json::from_value(run).unwrap()
    }

    fn test(case: &str, outcome: &str) -> TestFinished {
        let test = serde_json::json!({"attempt_id": "a", "case": case, "recipe": "r", "test": "t",
            "outcome": outcome, "duration_ms": 1});
        serde_json::from_value(test).unwrap()
    }

    #[test]
    fn a_stage_speaks_through_how_far_the_run_came() {
        let table = [
            ("pass", None, Some(true)),
            ("fail", None, Some(false)),
            ("fail", Some("install"), None),
            ("timeout", Some("backup"), Some(false)),
            ("fail", Some("upgrade"), Some(true)),
            ("fail", Some("somewhere"), None),
            ("infra", Some("backup"), None),
        ];
        let mut runs = Runs::default();
        for with_tests in [false, true] {
            for (outcome, stage, says) in table {
                assert_eq!(runs.sample(&run(outcome, stage), "r@1/backup"), says, "{outcome} {stage:?}");
            }
            if !with_tests {
                runs.tested(test("r@1/other", "fail"));
            }
        }
    }

    #[test]
    fn a_test_speaks_for_itself_and_the_whole_run_only_where_there_are_no_tests() {
        let mut runs = Runs::default();
        assert_eq!(runs.sample(&run("fail", None), "r@1/t.py"), Some(false));
        runs.tested(test("r@1/other.py", "pass"));
        assert_eq!(runs.sample(&run("fail", None), "r@1/t.py"), None);
        for (outcome, says) in [
            ("skip", None),
            ("pass", Some(true)),
            ("error", None),
            ("fail", Some(false)),
            ("pass", Some(false)),
        ] {
            runs.tested(test("r@1/t.py", outcome));
            assert_eq!(runs.sample(&run("fail", None), "r@1/t.py"), says, "worst so far: {outcome}");
        }
    }
}
