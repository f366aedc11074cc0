//! Folds records, in whatever order they come, into cases, runs and pull requests. Pure.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::case::CaseKey;
use lib_common::record::Known;
use lib_common::record::pr::{CanonPromoted, PrChecked, PrCommented, PrOpened, PrSkipped};
use lib_common::record::run::{RunPlanned, TestFinished};
use lib_common::record::verdict::{FixVerdict, FlakeVerdict, ReviewRecorded};

use crate::lean::{Failed, Pool};
use crate::order::{Newest, Order, Ordered};
use crate::runs::{Runs, TestResult};

/// Everything that was recorded about one case, oldest first. It becomes one row of the report.
#[derive(Debug, Default)]
pub struct Case {
    pub key: String,
    failed: Newest<Failed>,
    pub verdicts: Ordered<FlakeVerdict>,
    pub fixes: Ordered<FixVerdict>,
    pub pulls: BTreeSet<PullId>,
    pub comments: BTreeMap<CommentId, Ordered<(String, PrCommented)>>,
    planned: Newest<RunPlanned>,
    /// Whether any record but a plan names the case. A plan alone does not make it a row of the report.
    is_known: bool,
}

impl Case {
    /// The newest report of the failure.
    #[must_use]
    pub fn failed(&self) -> Option<&Failed> {
        self.failed.get()
    }

    /// The newest plan for its further runs.
    #[must_use]
    pub fn planned(&self) -> Option<&RunPlanned> {
        self.planned.get()
    }

    /// The recipe as `case.failed` names it, else as the case key does.
    #[must_use]
    pub fn recipe(&self) -> String {
        match self.failed() {
            Some(failed) => failed.recipe.clone(),
            None => CaseKey::parse(&self.key).map_or_else(|_| self.key.clone(), |key| key.recipe),
        }
    }
}

/// Identifies a pull request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullId {
    pub forge: String,
    pub repo: String,
    pub number: u64,
}

/// Identifies a comment: there is one for each fix on a pull request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommentId {
    pub pull: PullId,
    pub fix_id: String,
}

/// The records about one pull request, each with its time, oldest first.
#[derive(Debug, Default)]
pub struct Pull {
    pub opened: Ordered<(String, PrOpened)>,
    pub checked: Ordered<(String, PrChecked)>,
}

/// Everything that the report needs of the whole ledger.
#[derive(Debug, Default)]
pub struct Fold {
    cases: BTreeMap<String, Case>,
    baselines: Pool,
    pub runs: Runs,
    pub pulls: BTreeMap<PullId, Pull>,
    /// Each with its time.
    pub skipped: Ordered<(String, PrSkipped)>,
    pub promoted: Ordered<CanonPromoted>,
    pub reviews: Ordered<ReviewRecorded>,
    /// Time of the newest record.
    pub until: String,
}

impl Fold {
    /// Adds one test result, as [`Fold::add`] does with a `test.finished`.
    pub fn tested(&mut self, ts: &str, test: TestResult<'_>) {
        self.saw(ts);
        self.runs.tested(test);
    }

    fn saw(&mut self, ts: &str) {
        if *self.until < *ts {
            ts.clone_into(&mut self.until);
        }
    }

    /// Adds one record. The outcome does not depend on the order of records or on repetitions.
    pub fn add(&mut self, order: Order, ts: &str, body: Known) {
        self.saw(ts);
        match body {
            Known::CaseFailed(failed) => {
                let key = failed.case.clone();
                let failed = self.baselines.failed(failed);
                self.case(&key).failed.offer(order, failed);
            }
            Known::RunFinished(run) => {
                for key in &run.cases {
                    self.case(key);
                }
                self.runs.finished(order, run);
            }
            Known::TestFinished(test) => {
                let TestFinished { attempt_id, case, outcome, message, .. } = *test;
                self.runs.tested(TestResult { attempt: &attempt_id, case: &case, outcome, message });
            }
            Known::LogSnapped(snap) => self.runs.snapped(order, *snap),
            Known::FlakeVerdict(verdict) => self.case(&verdict.case).verdicts.insert(order, *verdict),
            Known::FixVerdict(verdict) => self.case(&verdict.case).fixes.insert(order, *verdict),
            Known::PrOpened(opened) => self.opened(order, ts, *opened),
            Known::PrChecked(checked) => {
                let id = PullId {
                    forge: checked.forge.clone(),
                    repo: checked.repo.clone(),
                    number: checked.number,
                };
                self.pulls.entry(id).or_default().checked.insert(order, (ts.to_owned(), *checked));
            }
            Known::PrCommented(comment) => self.commented(order, ts, &comment),
            Known::PrSkipped(skip) => {
                for key in &skip.cases {
                    self.case(key);
                }
                self.skipped.insert(order, (ts.to_owned(), *skip));
            }
            Known::CanonPromoted(promoted) => self.promoted.insert(order, *promoted),
            Known::ReviewRecorded(review) => self.reviews.insert(order, *review),
            Known::RunPlanned(plan) => self.entry(&plan.case).planned.offer(order, *plan),
            Known::DomainLeased(_)
            | Known::DomainReleased(_)
            | Known::DomainProbed(_)
            | Known::DomainAudited(_)
            | Known::SlotSeen(_)
            | Known::StackChecked(_)
            | Known::StackKept(_)
            | Known::GuardStarted(_)
            | Known::GuardPassed(_)
            | Known::GuardCreated(_)
            | Known::GuardRefused(_)
            | Known::GuardFinished(_) => {}
        }
    }

    fn opened(&mut self, order: Order, ts: &str, opened: PrOpened) {
        let id = PullId { forge: opened.forge.clone(), repo: opened.repo.clone(), number: opened.number };
        for key in &opened.cases {
            self.case(key).pulls.insert(id.clone());
        }
        self.pulls.entry(id).or_default().opened.insert(order, (ts.to_owned(), opened));
    }

    fn commented(&mut self, order: Order, ts: &str, comment: &PrCommented) {
        let pull =
            PullId { forge: comment.forge.clone(), repo: comment.repo.clone(), number: comment.number };
        let id = CommentId { pull, fix_id: comment.fix_id.clone() };
        for key in &comment.cases {
            let all = self.case(key).comments.entry(id.clone()).or_default();
            all.insert(order, (ts.to_owned(), comment.clone()));
        }
    }

    /// Every case, sorted by key.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().filter(|case| case.is_known)
    }

    fn case(&mut self, key: &str) -> &mut Case {
        let case = self.entry(key);
        case.is_known = true;
        case
    }

    fn entry(&mut self, key: &str) -> &mut Case {
        let new = || Case { key: key.to_owned(), ..Case::default() };
        self.cases.entry(key.to_owned()).or_insert_with(new)
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
