//! The fold: records in time order become cases, runs and pull requests. Pure.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::case::CaseKey;
use lib_common::record::Known;
use lib_common::record::case::CaseFailed;
use lib_common::record::pr::{CanonPromoted, PrChecked, PrOpened};
use lib_common::record::verdict::{FixVerdict, FlakeVerdict, ReviewRecorded};

use crate::input::Dated;
use crate::runs::Runs;

/// One row of the report: everything that was recorded of one failing thing, oldest first.
#[derive(Debug, Default, PartialEq)]
pub struct Case {
    pub key: String,
    /// The newest report of the failure.
    pub failed: Option<CaseFailed>,
    pub verdicts: Vec<FlakeVerdict>,
    pub fixes: Vec<FixVerdict>,
    pub pulls: BTreeSet<PullId>,
}

impl Case {
    /// As the failure names it, else as the key does.
    #[must_use]
    pub fn recipe(&self) -> String {
        match &self.failed {
            Some(failed) => failed.recipe.clone(),
            None => CaseKey::parse(&self.key).map_or_else(|_| self.key.clone(), |key| key.recipe),
        }
    }
}

/// Which pull request: forge, repository, number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullId {
    pub forge: String,
    pub repo: String,
    pub number: u64,
}

/// One pull request: what was opened and what CI said, each with its time, oldest first.
#[derive(Debug, Default, PartialEq)]
pub struct Pull {
    pub opened: Vec<(String, PrOpened)>,
    pub checked: Vec<(String, PrChecked)>,
}

/// The whole ledger.
#[derive(Debug, Default, PartialEq)]
pub struct Fold {
    pub cases: BTreeMap<String, Case>,
    pub runs: Runs,
    pub pulls: BTreeMap<PullId, Pull>,
    pub promoted: Vec<CanonPromoted>,
    pub reviews: Vec<ReviewRecorded>,
}

impl Fold {
    /// `records` in time order, each once, as [`crate::input::Gather::finish`] yields them.
    #[must_use]
    pub fn new(records: Vec<Dated>) -> Self {
        let mut fold = Self::default();
        for Dated { ts, body } in records {
            fold.add(ts, body);
        }
        fold
    }

    fn add(&mut self, ts: String, body: Known) {
        match body {
            Known::CaseFailed(failed) => {
                let case = self.case(failed.case.clone());
                case.failed = Some(*failed);
            }
            Known::RunFinished(run) => {
                for key in &run.cases {
                    self.case(key.clone());
                }
                self.runs.finished(*run);
            }
            Known::TestFinished(test) => self.runs.tested(*test),
            Known::LogSnapped(snap) => self.runs.snapped(*snap),
            Known::FlakeVerdict(verdict) => {
                let case = self.case(verdict.case.clone());
                case.verdicts.push(*verdict);
            }
            Known::FixVerdict(verdict) => {
                let case = self.case(verdict.case.clone());
                case.fixes.push(*verdict);
            }
            Known::PrOpened(opened) => self.opened(ts, *opened),
            Known::PrChecked(checked) => {
                let id = PullId {
                    forge: checked.forge.clone(),
                    repo: checked.repo.clone(),
                    number: checked.number,
                };
                self.pulls.entry(id).or_default().checked.push((ts, *checked));
            }
            Known::CanonPromoted(promoted) => self.promoted.push(*promoted),
            Known::ReviewRecorded(review) => self.reviews.push(*review),
            Known::DomainLeased(_)
            | Known::DomainReleased(_)
            | Known::DomainProbed(_)
            | Known::RunPlanned(_)
            | Known::SlotSeen(_)
            | Known::StackChecked(_) => {}
        }
    }

    fn opened(&mut self, ts: String, opened: PrOpened) {
        let id = PullId { forge: opened.forge.clone(), repo: opened.repo.clone(), number: opened.number };
        for key in &opened.cases {
            self.case(key.clone()).pulls.insert(id.clone());
        }
        self.pulls.entry(id).or_default().opened.push((ts, opened));
    }

    fn case(&mut self, key: String) -> &mut Case {
        self.cases.entry(key).or_insert_with_key(|key| Case { key: key.clone(), ..Case::default() })
    }

    /// The newest promotion that concerns `case`.
    #[must_use]
    pub fn promotion(&self, case: &Case) -> Option<&CanonPromoted> {
        let recipe = case.recipe();
        let concerns = |p: &&CanonPromoted| match &p.case {
            Some(key) => *key == case.key,
            None => p.recipe == recipe,
        };
        self.promoted.iter().rev().find(concerns)
    }
}
