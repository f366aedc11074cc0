//! Keeps all runs, and decides what each says about a case. Pure.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use lib_common::case::CaseKey;
use lib_common::record::Factors;
use lib_common::record::case::Stage;
use lib_common::record::log::LogSnapped;
use lib_common::record::run::{Outcome, RunFinished, TestOutcome};
use lib_common::record::verdict::Tally;
use lib_common::text::Text;

use crate::lean::{Failed, Pool, Run};
use crate::order::{Newest, Order};

/// Every attempt of the ledger. Inside, attempts and cases are numbers, so that a million results fit into memory.
#[derive(Debug, Default)]
pub struct Runs {
    attempts: Names,
    cases: Names,
    /// What was recorded of each attempt, by its number.
    told: Vec<Attempt>,
    /// The attempts that concern each case, by the case's number.
    by_case: Vec<Vec<u32>>,
    /// Failure texts, each kept once, because a deterministic failure has the same text every time.
    messages: Messages,
    factors: Pool,
    /// Log bundles that belong to no attempt, by path.
    strays: BTreeMap<String, Newest<LogSnapped>>,
}

#[derive(Debug, Default)]
struct Attempt {
    run: Option<(Order, u64, Run)>,
    /// Whether there are two `run.finished` of this attempt that differ.
    is_retold: bool,
    tests: Vec<CaseResult>,
    snap: Newest<LogSnapped>,
}

/// The worst result of one case in one attempt.
#[derive(Debug, Clone, Copy)]
struct CaseResult {
    case: u32,
    outcome: TestOutcome,
    message: Option<u32>,
}

/// The fields of a `test.finished` that are used.
#[derive(Debug)]
pub struct TestResult<'a> {
    pub attempt: &'a str,
    pub case: &'a str,
    pub outcome: TestOutcome,
    pub message: Option<Text>,
}

/// Gives numbers to names.
#[derive(Debug, Default)]
struct Names(HashMap<Box<str>, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert(name.into(), number);
        number
    }

    fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

#[derive(Debug, Default)]
struct Messages {
    texts: Vec<Text>,
    by_content: HashMap<blake3::Hash, u32>,
}

impl Messages {
    fn number(&mut self, text: Text) -> u32 {
        *self.by_content.entry(blake3::hash(&text.0)).or_insert_with(|| {
            self.texts.push(text);
            u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

impl Runs {
    /// Adds a run. Of several records of one attempt the earliest is kept; if they differ, that is remembered.
    pub fn finished(&mut self, order: Order, run: Box<RunFinished>) {
        let content = fingerprint(&run);
        let number = self.attempt(&run.attempt_id);
        for case in &run.cases {
            self.concerns(case, number);
        }
        let attempt = &mut self.told[number as usize];
        match &attempt.run {
            Some((_, held, _)) if *held != content => attempt.is_retold = true,
            _ => {}
        }
        if attempt.run.as_ref().is_none_or(|(held, ..)| order < *held) {
            attempt.run = Some((order, content, self.factors.run(run)));
        }
    }

    /// Adds a test result. If one run reports a case twice, the worse result is kept: a retry that passed does not undo
    /// the failure.
    pub fn tested(&mut self, test: TestResult<'_>) {
        let number = self.attempt(test.attempt);
        let case = self.concerns(test.case, number);
        let message = test.message.map(|text| self.messages.number(text));
        let new = CaseResult { case, outcome: test.outcome, message };
        let tests = &mut self.told[number as usize].tests;
        let Some(held) = tests.iter_mut().find(|held| held.case == case) else {
            tests.push(new);
            return;
        };
        // Of equal results the one with the larger text is kept, so that the order of reading does not matter.
        let words = |test: &CaseResult| test.message.map(|at| &self.messages.texts[at as usize].0);
        if (rank(new.outcome), words(&new)) > (rank(held.outcome), words(held)) {
            *held = new;
        }
    }

    /// Adds a log bundle. A later bundle of the same attempt replaces an earlier one.
    pub fn snapped(&mut self, order: Order, snap: LogSnapped) {
        match &snap.attempt_id {
            Some(attempt) => {
                let number = self.attempt(attempt);
                self.told[number as usize].snap.offer(order, snap);
            }
            None => self.strays.entry(snap.path.clone()).or_default().offer(order, snap),
        }
    }

    fn attempt(&mut self, id: &str) -> u32 {
        let number = self.attempts.number(id);
        if self.told.len() <= number as usize {
            self.told.push(Attempt::default());
        }
        number
    }

    fn concerns(&mut self, case: &str, attempt: u32) -> u32 {
        let number = self.cases.number(case);
        if self.by_case.len() <= number as usize {
            self.by_case.push(Vec::new());
        }
        let attempts = &mut self.by_case[number as usize];
        if attempts.last() != Some(&attempt) {
            attempts.push(attempt);
        }
        number
    }

    fn told(&self, attempt: &str) -> Option<&Attempt> {
        Some(&self.told[self.attempts.get(attempt)? as usize])
    }

    fn test(&self, attempt: &Attempt, case: &str) -> Option<CaseResult> {
        let case = self.cases.get(case)?;
        attempt.tests.iter().find(|test| test.case == case).copied()
    }

    #[must_use]
    pub fn get(&self, attempt: &str) -> Option<&Run> {
        self.told(attempt)?.run.as_ref().map(|(.., run)| run)
    }

    /// Every run, in the order in which the attempts were first read.
    pub fn all(&self) -> impl Iterator<Item = &Run> {
        self.told.iter().filter_map(|attempt| attempt.run.as_ref()).map(|(.., run)| run)
    }

    /// The newest log bundle of each attempt, with the attempt's id, and those of no attempt. They are sorted, so that
    /// the report does not depend on the order of reading.
    pub fn snaps(&self) -> impl Iterator<Item = (Option<&str>, &LogSnapped)> {
        let of_attempts =
            self.attempts.0.iter().filter_map(|(id, number)| {
                Some((Some(id.as_ref()), self.told[*number as usize].snap.get()?))
            });
        let mut all: Vec<_> = of_attempts.collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().chain(self.strays.values().filter_map(|snap| Some((None, snap.get()?))))
    }

    /// Whether an attempt concerns `case`.
    #[must_use]
    pub fn is_of_case(&self, attempt: &str, case: &str) -> bool {
        let attempts = self.cases.get(case).map(|case| &self.by_case[case as usize]);
        self.attempts.get(attempt).is_some_and(|id| attempts.is_some_and(|all| all.contains(&id)))
    }

    #[must_use]
    pub fn snap(&self, attempt: &str) -> Option<&LogSnapped> {
        self.told(attempt)?.snap.get()
    }

    /// The failure text of a case in one attempt.
    #[must_use]
    pub fn message(&self, attempt: &str, case: &str) -> Option<&Text> {
        let at = self.test(self.told(attempt)?, case)?.message?;
        self.messages.texts.get(at as usize)
    }

    #[must_use]
    pub fn is_retold(&self, attempt: &str) -> bool {
        self.told(attempt).is_some_and(|attempt| attempt.is_retold)
    }

    /// The runs that concern `case`, in time order.
    #[must_use]
    pub fn of_case(&self, case: &str) -> Vec<&Run> {
        let attempts = self.cases.get(case).into_iter().flat_map(|case| &self.by_case[case as usize]);
        let attempts: BTreeSet<u32> = attempts.copied().collect();
        let told = attempts.into_iter().filter_map(|attempt| self.told[attempt as usize].run.as_ref());
        let mut runs: Vec<&Run> = told.map(|(.., run)| run).collect();
        runs.sort_by_key(|run| (&run.started, &run.attempt_id));
        runs
    }

    /// What a run says about `case`: `Some(true)` for green, `Some(false)` for red, `None` for nothing. The case's own
    /// result counts first. A stage of the life cycle has none; how far the run came decides it. The outcome of the
    /// whole run counts only if the run has no test results at all.
    #[must_use]
    pub fn sample(&self, run: &Run, case: &str) -> Option<bool> {
        let whole = match run.outcome {
            Outcome::Pass => true,
            Outcome::Fail | Outcome::Timeout => false,
            Outcome::Aborted | Outcome::Infra | Outcome::Disturbed | Outcome::GuardBypassed => {
                return None;
            }
        };
        let attempt = self.told(&run.attempt_id);
        if let Some(test) = attempt.and_then(|attempt| self.test(attempt, case)) {
            return match test.outcome {
                TestOutcome::Pass => Some(true),
                TestOutcome::Fail => Some(false),
                TestOutcome::Error | TestOutcome::Skip => None,
            };
        }
        match CaseKey::parse(case).ok().and_then(|key| stage(&key.test)) {
            Some(stage) => by_stage(stage, run, whole),
            None => attempt.is_none_or(|attempt| attempt.tests.is_empty()).then_some(whole),
        }
    }

    /// Whether a run may be counted for `case`: its condition is proved, it left nothing behind, and it says something.
    #[must_use]
    pub fn is_eligible(&self, run: &Run, case: &str) -> bool {
        run.isolation.proved && run.cleanup.left.is_empty() && self.sample(run, case).is_some()
    }

    /// How many of `runs` are green and red for `case`.
    #[must_use]
    pub fn tally<'a>(&self, runs: impl IntoIterator<Item = &'a Run>, case: &str) -> Tally {
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

/// What a run says about the stage `ours`. A run that failed in a later stage had passed it; a run that failed earlier
/// never reached it. A failed run that does not say how far it came counts as red.
fn by_stage(ours: Stage, run: &Run, whole: bool) -> Option<bool> {
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

/// A hash by which two records of one attempt are compared.
fn fingerprint(run: &RunFinished) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(run).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// How bad a result is; larger is worse.
fn rank(outcome: TestOutcome) -> u8 {
    match outcome {
        TestOutcome::Fail => 3,
        TestOutcome::Error => 2,
        TestOutcome::Pass => 1,
        TestOutcome::Skip => 0,
    }
}

/// The level of a factor; `none` if a run names no fix.
#[must_use]
pub fn level<'a>(factors: &'a Factors, factor: &str) -> &'a str {
    factors.get(factor).map_or(if factor == "fix" { "none" } else { "" }, String::as_str)
}

/// Whether a run is no contrast: all its factors but load and fix are at the levels that were red. A factor that a run
/// does not name counts as being at its red level.
#[must_use]
pub fn at_baseline(run: &Run, failed: Option<&Failed>) -> bool {
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

    fn run(outcome: &str, stage: Option<&str>) -> Run {
        let mut run = serde_json::json!({
            "attempt_id": "a", "recipe": "r", "version": "1", "engine": "e", "node": "n", "boot_id": "b",
            "stack": "s", "factors": {"load": "isolated"}, "outcome": outcome, "started": "", "duration_ms": 1,
            "isolation": {"proved": true, "slots_held": 1, "slots_total": 1, "other_deploys": 0},
            "cleanup": {"created": [], "left": [], "duration_ms": 1, "others_unchanged": true},
        });
        if let Some(stage) = stage {
            run["stage"] = stage.into();
        }
        Pool::default().run(serde_json::from_value(run).unwrap())
    }

    fn test<'a>(case: &'a str, outcome: &str) -> TestResult<'a> {
        TestResult {
            attempt: "a",
            case,
            outcome: serde_json::from_value(outcome.into()).unwrap(),
            message: None,
        }
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
