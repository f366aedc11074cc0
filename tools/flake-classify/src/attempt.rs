//! One attempt as far as a verdict needs it, kept small: names that repeat are shared.

use std::collections::BTreeSet;
use std::rc::Rc;

use lib_common::record::Factors;
use lib_common::record::run::{Outcome, RunFinished, TestFinished, TestOutcome};

/// What a run was, whichever cases it serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: Rc<str>,
    /// Milliseconds since 1970; `None` where the record's time cannot be read.
    pub started: Option<i64>,
    pub duration_ms: u64,
    /// Commit and kind of what was tested.
    pub reference: Option<(Rc<str>, Rc<str>)>,
    pub tests: Option<Rc<str>>,
    pub harness: Option<Rc<str>>,
    pub engine: Rc<str>,
    pub boot: Rc<str>,
    pub factors: Rc<Factors>,
    pub outcome: Outcome,
    pub stage: Option<Rc<str>>,
    pub proved: bool,
    pub signature: Option<Rc<str>>,
}

impl Run {
    /// Place in time: by start, then by id, so that equal starts have one order; unreadable starts last.
    pub fn key(&self) -> (i64, Rc<str>) {
        (self.started.unwrap_or(i64::MAX), Rc::clone(&self.id))
    }
}

/// The result of one test in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub outcome: TestOutcome,
    pub signature: Option<Rc<str>>,
}

impl Seen {
    /// A test that one run reports twice gives one result, the worst, whatever their order: a retry that
    /// passed does not undo the fail.
    pub fn worst(self, other: Self) -> Self {
        let rank = |seen: &Self| match seen.outcome {
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
    /// `None`: the run never reached the case's test, or the case has none.
    pub test: Option<Seen>,
}

/// Makes runs and results out of records; equal strings and factor maps are stored once.
#[derive(Debug, Default)]
pub struct Shared {
    names: BTreeSet<Rc<str>>,
    factors: BTreeSet<Rc<Factors>>,
}

impl Shared {
    pub fn run(&mut self, record: &RunFinished) -> Run {
        Run {
            id: Rc::from(record.attempt_id.as_str()),
            started: record.started.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
            duration_ms: record.duration_ms,
            reference: record.reference.as_ref().map(|r| (self.name(&r.commit), self.name(&r.kind))),
            tests: self.maybe(record.tests.as_ref()),
            harness: self.maybe(record.harness.as_ref()),
            engine: self.name(&record.engine),
            boot: self.name(&record.boot_id),
            factors: self.map(&record.factors),
            outcome: record.outcome,
            stage: self.maybe(record.stage.as_ref()),
            proved: record.isolation.proved,
            signature: self.maybe(record.signature.as_ref()),
        }
    }

    pub fn seen(&mut self, record: &TestFinished) -> Seen {
        Seen { outcome: record.outcome, signature: self.maybe(record.signature.as_ref()) }
    }

    fn name(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.names.get(text) {
            return Rc::clone(known);
        }
        let new: Rc<str> = Rc::from(text);
        self.names.insert(Rc::clone(&new));
        new
    }

    fn maybe(&mut self, text: Option<&String>) -> Option<Rc<str>> {
        text.map(|text| self.name(text))
    }

    fn map(&mut self, factors: &Factors) -> Rc<Factors> {
        if let Some(known) = self.factors.get(factors) {
            return Rc::clone(known);
        }
        let new = Rc::new(factors.clone());
        self.factors.insert(Rc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_that_passed_does_not_undo_the_fail() {
        let seen = |outcome| Seen { outcome, signature: None };
        let (fail, pass) = (seen(TestOutcome::Fail), seen(TestOutcome::Pass));
        assert_eq!(fail.clone().worst(pass.clone()), fail);
        assert_eq!(pass.worst(fail.clone()), fail);
    }
}
