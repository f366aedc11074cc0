//! The part of an attempt that a verdict needs. It is kept small: strings and setups that repeat are stored once.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use lib_common::record::Factors;
use lib_common::record::run::{Outcome, RunFinished, TestOutcome};

/// What was fixed before the run began. Runs of one setup differ by chance only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setup {
    /// Commit and kind of what was tested.
    pub reference: Option<(Arc<str>, Arc<str>)>,
    pub tests: Option<Arc<str>>,
    pub harness: Option<Arc<str>>,
    pub engine: Arc<str>,
    pub factors: Factors,
    pub proved: bool,
    /// Who claims that the condition held, if nothing measured it.
    pub claimed: Option<Arc<str>>,
}

/// A setup, and how the run ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile {
    pub setup: Arc<Setup>,
    pub boot: Arc<str>,
    pub outcome: Outcome,
    pub stage: Option<Arc<str>>,
    pub reason: Option<Reason>,
}

/// Words in `run.finished.reason` because of which a run does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Unverified: the run should have given a result and gave none, or none that can be read.
    Unver,
    /// The run is in the history because it was red: somebody looked at the case for that reason. Counting it would
    /// bias the verdict towards red.
    Selected,
    /// The whole sweep broke: no evidence against any one case.
    SweepWide,
}

impl Reason {
    const ALL: [Self; 3] = [Self::Unver, Self::Selected, Self::SweepWide];

    pub fn word(self) -> &'static str {
        match self {
            Self::Unver => "unver",
            Self::Selected => "selected",
            Self::SweepWide => "sweep-wide",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == text)
    }
}

/// One run, which may be an attempt of several cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: Rc<str>,
    /// Milliseconds since 1970; `None` if the record's time cannot be read.
    pub started: Option<i64>,
    /// How long it took, with its teardown.
    pub cost_ms: u64,
    pub profile: Arc<Profile>,
    pub signature: Option<Arc<str>>,
}

impl Run {
    /// What runs are sorted by: the start, then the id, so that runs with equal starts have a fixed order. Runs with
    /// unreadable starts come last.
    pub fn key(&self) -> (i64, &str) {
        (self.started.unwrap_or(i64::MAX), &self.id)
    }

    pub fn setup(&self) -> &Setup {
        &self.profile.setup
    }
}

/// The result of one test in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    pub outcome: TestOutcome,
    pub signature: Option<Arc<str>>,
}

impl TestResult {
    /// The worse of two results, in whatever order they came. A test that one run reports twice gives one result: a
    /// retry that passed does not undo the failure.
    pub fn worst(self, other: Self) -> Self {
        let rank = |result: &Self| match result.outcome {
            TestOutcome::Fail => 3,
            TestOutcome::Error => 2,
            TestOutcome::Pass => 1,
            TestOutcome::Skip => 0,
        };
        if (rank(&other), &other.signature) > (rank(&self), &self.signature) { other } else { self }
    }
}

/// One attempt of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub run: Rc<Run>,
    /// `None` if the run never reached the case's test, or the case is a stage without a test.
    pub test: Option<TestResult>,
}

/// How many of the last profiles are compared with each new run. Runs that are close in time mostly have one of them.
const RECENT: usize = 16;

/// Makes profiles from records. Each thread that parses has its own, so two threads may make equal profiles;
/// [`Shared`] makes them one.
#[derive(Debug, Default)]
pub struct Profiles {
    recent: VecDeque<Arc<Profile>>,
}

impl Profiles {
    pub fn of(&mut self, view: &View) -> Arc<Profile> {
        if let Some(known) = self.recent.iter().find(|profile| view.is_of(profile)) {
            return Arc::clone(known);
        }
        let maybe = |text: Option<&str>| text.map(Arc::from);
        let level = |(factor, level): &(&str, &str)| ((*factor).to_owned(), (*level).to_owned());
        let setup = Setup {
            reference: view.reference.map(|(commit, kind)| (Arc::from(commit), Arc::from(kind))),
            tests: maybe(view.tests),
            harness: maybe(view.harness),
            engine: Arc::from(view.engine),
            factors: view.factors.iter().map(level).collect(),
            proved: view.proved,
            claimed: maybe(view.claimed),
        };
        let new = Arc::new(Profile {
            setup: Arc::new(setup),
            boot: Arc::from(view.boot),
            outcome: view.outcome,
            stage: maybe(view.stage),
            reason: view.reason.and_then(Reason::parse),
        });
        remember(&mut self.recent, &new);
        new
    }
}

/// What a record says of its run's profile, borrowed from wherever it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View<'a> {
    pub reference: Option<(&'a str, &'a str)>,
    pub tests: Option<&'a str>,
    pub harness: Option<&'a str>,
    pub engine: &'a str,
    pub boot: &'a str,
    /// In the order of their names.
    pub factors: Vec<(&'a str, &'a str)>,
    pub outcome: Outcome,
    pub reason: Option<&'a str>,
    pub stage: Option<&'a str>,
    pub proved: bool,
    pub claimed: Option<&'a str>,
}

impl<'a> View<'a> {
    pub fn of(record: &'a RunFinished) -> Self {
        Self {
            reference: record.reference.as_ref().map(|r| (r.commit.as_str(), r.kind.as_str())),
            tests: record.tests.as_deref(),
            harness: record.harness.as_deref(),
            engine: &record.engine,
            boot: &record.boot_id,
            factors: record.factors.iter().map(|(factor, level)| (factor.as_str(), level.as_str())).collect(),
            outcome: record.outcome,
            reason: record.reason.as_deref(),
            stage: record.stage.as_deref(),
            proved: record.isolation.proved,
            claimed: record.isolation.claimed.as_deref(),
        }
    }

    /// Whether the record has exactly this profile. The comparison allocates nothing.
    fn is_of(&self, profile: &Profile) -> bool {
        let setup = &*profile.setup;
        *profile.boot == *self.boot
            && profile.outcome == self.outcome
            && profile.stage.as_deref() == self.stage
            && profile.reason == self.reason.and_then(Reason::parse)
            && setup.proved == self.proved
            && setup.factors.iter().map(|(f, l)| (f.as_str(), l.as_str())).eq(self.factors.iter().copied())
            && *setup.engine == *self.engine
            && setup.reference.as_ref().map(|(commit, kind)| (&**commit, &**kind)) == self.reference
            && setup.tests.as_deref() == self.tests
            && setup.harness.as_deref() == self.harness
            && setup.claimed.as_deref() == self.claimed
    }
}

fn remember<T>(recent: &mut VecDeque<Arc<T>>, new: &Arc<T>) {
    recent.truncate(RECENT - 1);
    recent.push_front(Arc::clone(new));
}

/// One run as a parser hands it over, before its strings are shared.
#[derive(Debug)]
pub struct Facts<'a> {
    pub id: &'a str,
    pub started: Option<i64>,
    pub cost_ms: u64,
    pub profile: Arc<Profile>,
    pub signature: Option<&'a str>,
}

/// Milliseconds since 1970 of a record's time.
pub fn milliseconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Stores equal strings, setups and profiles once, and only as long as a run or a case holds them.
#[derive(Debug, Default)]
pub struct Shared {
    names: Interner<str>,
    setups: Interner<Setup>,
    profiles: Interner<Profile>,
    /// The last profiles as a parser made them, each with the shared one that stands for it.
    adopted: VecDeque<(Arc<Profile>, Arc<Profile>)>,
}

impl Shared {
    pub fn run(&mut self, facts: &Facts) -> Run {
        Run {
            id: Rc::from(facts.id),
            started: facts.started,
            cost_ms: facts.cost_ms,
            profile: self.adopt(&facts.profile),
            signature: self.maybe(facts.signature),
        }
    }

    pub fn result(&mut self, outcome: TestOutcome, signature: Option<&str>) -> TestResult {
        TestResult { outcome, signature: self.maybe(signature) }
    }

    /// The shared profile that equals `made`.
    fn adopt(&mut self, made: &Arc<Profile>) -> Arc<Profile> {
        if let Some((_, ours)) = self.adopted.iter().find(|(known, _)| Arc::ptr_eq(known, made)) {
            return Arc::clone(ours);
        }
        let ours = match self.profiles.known.get(made) {
            Some(known) => Arc::clone(known),
            None => self.rebuilt(made),
        };
        self.adopted.truncate(2 * RECENT - 1);
        self.adopted.push_front((Arc::clone(made), Arc::clone(&ours)));
        ours
    }

    fn rebuilt(&mut self, made: &Profile) -> Arc<Profile> {
        let theirs = &*made.setup;
        let setup = Setup {
            reference: theirs.reference.as_ref().map(|(commit, kind)| (self.name(commit), self.name(kind))),
            tests: self.maybe(theirs.tests.as_deref()),
            harness: self.maybe(theirs.harness.as_deref()),
            engine: self.name(&theirs.engine),
            factors: theirs.factors.clone(),
            proved: theirs.proved,
            claimed: self.maybe(theirs.claimed.as_deref()),
        };
        let profile = Profile {
            setup: self.setups.get(&setup, || Arc::new(setup.clone())),
            boot: self.name(&made.boot),
            stage: self.maybe(made.stage.as_deref()),
            outcome: made.outcome,
            reason: made.reason,
        };
        self.profiles.get(&profile, || Arc::new(profile.clone()))
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        self.names.get(text, || Arc::from(text))
    }

    fn maybe(&mut self, text: Option<&str>) -> Option<Arc<str>> {
        text.map(|text| self.name(text))
    }
}

/// Keeps one copy of equal values. Now and then it drops the values that nobody else holds, so that memory does not
/// grow with a stream in which every run has another commit.
#[derive(Debug)]
struct Interner<T: ?Sized + Ord> {
    known: BTreeSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized + Ord> Default for Interner<T> {
    fn default() -> Self {
        Self { known: BTreeSet::new(), sweep_at: 1024 }
    }
}

impl<T: ?Sized + Ord> Interner<T> {
    fn get(&mut self, value: &T, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        if let Some(known) = self.known.get(value) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = (2 * self.known.len()).max(1024);
        }
        let new = make();
        self.known.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run_body;

    #[test]
    fn a_retry_that_passed_does_not_undo_the_fail() {
        let result = |outcome| TestResult { outcome, signature: None };
        let (fail, pass) = (result(TestOutcome::Fail), result(TestOutcome::Pass));
        assert_eq!(fail.clone().worst(pass.clone()), fail);
        assert_eq!(pass.worst(fail.clone()), fail);
    }

    #[test]
    fn equal_profiles_are_one_and_any_difference_makes_another() {
        let (mut shared, base) = (Shared::default(), run_body("1", 0, "isolated"));
        // Each record is parsed by a parser of its own, as if on another thread.
        let mut adopt = |record: &RunFinished| shared.adopt(&Profiles::default().of(&View::of(record)));
        let first = adopt(&base);
        assert!(Arc::ptr_eq(&first, &adopt(&run_body("2", 7, "isolated"))));
        let mut parser = Profiles::default();
        assert!(Arc::ptr_eq(
            &parser.of(&View::of(&base)),
            &parser.of(&View::of(&run_body("2", 7, "isolated")))
        ));
        let changes: [fn(&mut RunFinished); 10] = [
            |r| r.boot_id = "b2".into(),
            |r| r.outcome = Outcome::Fail,
            |r| r.stage = Some("deploy".into()),
            |r| r.reason = Some("unver".into()),
            |r| r.isolation.proved = false,
            |r| r.isolation.claimed = Some("somebody".into()),
            |r| r.engine = "29".into(),
            |r| r.reference = None,
            |r| r.tests = None,
            |r| r.harness = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut record = base.clone();
            change(&mut record);
            assert!(!Arc::ptr_eq(&first, &adopt(&record)), "{number}");
            assert!(!Arc::ptr_eq(&parser.of(&View::of(&base)), &parser.of(&View::of(&record))), "{number}");
        }
    }

    #[test]
    fn what_nobody_holds_is_let_go() {
        let mut shared = Shared::default();
        let kept = shared.name("kept");
        for number in 0..100_000 {
            shared.name(&number.to_string());
        }
        assert!(shared.names.known.len() < 4096);
        assert!(Arc::ptr_eq(&kept, &shared.name("kept")));
    }
}
