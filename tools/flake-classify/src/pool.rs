//! Which samples may be counted together: the same ref, test revision, harness and engine. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use lib_common::record::case::CaseFailed;
use lib_common::record::verdict::{Exclusion, Tally};

use crate::attempt::{Attempt, Profile, Setup};
use crate::fold::Case;
use crate::rule::{Counts, Load};
use crate::sample::{self, Group, Sample};
use crate::settings::Settings;

/// How many attempts are named for each reason.
const NAMED: usize = 10;

/// The revisions that the verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revisions {
    commit: Option<Arc<str>>,
    tests: Option<Arc<str>>,
    harness: Option<Arc<str>>,
    engine: Arc<str>,
}

impl Revisions {
    fn of(setup: &Setup) -> Self {
        Self {
            commit: setup.reference.as_ref().map(|(commit, _)| Arc::clone(commit)),
            tests: setup.tests.clone(),
            harness: setup.harness.clone(),
            engine: Arc::clone(&setup.engine),
        }
    }

    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// Why a run of `group` must not be compared with runs of these revisions, if it must not. A contrast may change
    /// what its factor is about. A patch may change the harness, and the hash of the tree that it was applied to, but
    /// never a released commit; it may change tests only if it fixes a stale test (`test_fix`).
    fn differ(&self, setup: &Setup, group: &Group, test_fix: bool) -> Option<&'static str> {
        let theirs = Self::of(setup);
        let (varied, fix) = match group {
            Group::Base => ("", false),
            Group::Contrast { factor, .. } => (factor.as_str(), false),
            Group::Fix(_) => ("", true),
        };
        let patched = fix
            && setup.reference.as_ref().is_some_and(|(_, kind)| matches!(&**kind, "pull-request" | "tree"));
        if theirs.engine != self.engine {
            Some("other-engine")
        } else if theirs.commit != self.commit && varied != "version" && !patched {
            Some("other-ref")
        } else if theirs.tests != self.tests && varied != "test" && !(fix && test_fix) {
            Some("other-tests")
        } else if theirs.harness != self.harness && !fix {
            Some("other-harness")
        } else {
            None
        }
    }
}

/// Runs that do not count, by reason; for each reason in time order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded(BTreeMap<&'static str, (u64, Vec<String>)>);

impl Excluded {
    fn add(&mut self, reason: &'static str, id: &str) {
        let (count, named) = self.0.entry(reason).or_default();
        *count += 1;
        if named.len() < NAMED {
            named.push(id.to_owned());
        }
    }

    pub fn records(&self) -> Vec<Exclusion> {
        let record = |(reason, (count, attempts)): (&&str, &(u64, Vec<String>))| Exclusion {
            reason: (*reason).to_owned(),
            count: *count,
            attempts: attempts.clone(),
        };
        self.0.iter().map(record).collect()
    }
}

/// The attempts of a case, sorted into what they can be used for; all lists are in time order.
#[derive(Debug, Default)]
pub struct Pool {
    pub revisions: Option<Revisions>,
    pub base: Vec<Sample>,
    pub contrasts: BTreeMap<(String, String), Vec<Sample>>,
    pub fixes: BTreeMap<String, Vec<Sample>>,
    pub excluded: Excluded,
    /// For every attempt its profile, and the reason why it does not count, if it does not.
    pub log: Vec<(Arc<Profile>, Option<&'static str>)>,
}

impl Pool {
    /// `test_fix` says that a stale test is the cause, so that a patch may change the tests.
    pub fn new<'c>(failed: &CaseFailed, case: &'c Case, settings: &Settings, test_fix: bool) -> Self {
        let baseline = sample::baseline(failed);
        let mut placements: Vec<(&Arc<Profile>, sample::Placement)> = Vec::new();
        let mut classify = |attempt: &'c Attempt| {
            let profile = &attempt.run.profile;
            let known = placements.iter().position(|(known, _)| Arc::ptr_eq(known, profile));
            let at = known.unwrap_or_else(|| {
                placements.push((profile, sample::place(&baseline, profile, settings)));
                placements.len() - 1
            });
            sample::classify(failed, &placements[at].1, attempt, settings)
        };
        let sorted: Vec<_> = case.attempts.iter().map(|attempt| (attempt, classify(attempt))).collect();
        let base = sorted.iter().filter_map(|(_, sample)| sample.as_ref().ok());
        let mut pool = Self { revisions: majority(failed, base), ..Self::default() };
        for (attempt, sample) in sorted {
            let reason = match sample.and_then(|sample| pool.admit(sample, test_fix)) {
                Ok(()) => None,
                Err(reason) => {
                    pool.excluded.add(reason, &attempt.run.id);
                    Some(reason)
                }
            };
            pool.log.push((Arc::clone(&attempt.run.profile), reason));
        }
        pool
    }

    fn admit(&mut self, sample: Sample, test_fix: bool) -> Result<(), &'static str> {
        let revisions = self.revisions.as_ref().ok_or("no-baseline")?;
        if let Some(reason) = revisions.differ(sample.attempt.run.setup(), &sample.group, test_fix) {
            return Err(reason);
        }
        let list = match sample.group.clone() {
            Group::Base => &mut self.base,
            Group::Contrast { factor, level } => self.contrasts.entry((factor, level)).or_default(),
            Group::Fix(fix) => self.fixes.entry(fix).or_default(),
        };
        list.push(sample);
        Ok(())
    }

    /// How long a run takes, with its teardown: the mean of all runs that count, in whatever group.
    pub fn cost_ms(&self) -> Option<u64> {
        let all =
            self.base.iter().chain(self.contrasts.values().flatten()).chain(self.fixes.values().flatten());
        let (sum, count) = all.fold((0u128, 0u128), |(sum, count), sample| {
            (sum + u128::from(sample.attempt.run.cost_ms), count + 1)
        });
        (count > 0).then(|| u64::try_from(sum / count).unwrap_or(u64::MAX))
    }
}

/// Fails and passes of samples, per condition.
pub fn count(samples: &[Sample]) -> Counts {
    samples.iter().fold(Counts::default(), |counts, sample| counts.and(sample.load, sample.red))
}

/// Fails and passes under one condition.
pub fn tally(samples: &[Sample], load: Load) -> Tally {
    count(samples).of(load)
}

/// The revisions that most baseline runs have; but if any run has the case's own ref, only those are counted. If
/// several have equally many runs, the earliest wins.
fn majority<'a>(failed: &CaseFailed, samples: impl Iterator<Item = &'a Sample>) -> Option<Revisions> {
    let mut runs: Vec<(Revisions, usize)> = Vec::new();
    let mut setups: Vec<(&Arc<Setup>, usize)> = Vec::new();
    for sample in samples.filter(|sample| sample.group == Group::Base) {
        let setup = &sample.attempt.run.profile.setup;
        match setups.iter_mut().find(|(known, _)| Arc::ptr_eq(known, setup)) {
            Some((_, count)) => *count += 1,
            None => setups.push((setup, 1)),
        }
    }
    for (setup, runs_of) in setups {
        let revisions = Revisions::of(setup);
        match runs.iter_mut().find(|(known, _)| *known == revisions) {
            Some((_, count)) => *count += runs_of,
            None => runs.push((revisions, runs_of)),
        }
    }
    let wanted = failed.reference.as_ref().map(|reference| reference.commit.as_str());
    let rank =
        |(revisions, count): &(Revisions, usize)| (wanted.is_some() && revisions.commit() == wanted, *count);
    // `max_by_key` keeps the last of equals, and the list is in time order.
    runs.iter().rev().max_by_key(|entry| rank(entry)).map(|(revisions, _)| revisions.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, failed, fold, history, settings};
    use lib_common::record::Known;
    use lib_common::record::case::Ref;

    fn changed(
        mut records: Vec<Known>,
        change: impl Fn(&mut lib_common::record::run::RunFinished),
    ) -> Vec<Known> {
        for record in &mut records {
            if let Known::RunFinished(run) = record {
                change(run);
            }
        }
        records
    }

    fn pool(failed: &CaseFailed, records: Vec<Known>) -> Pool {
        Pool::new(failed, fold(records).cases()[0].1, &settings(), false)
    }

    #[test]
    fn only_the_same_revisions_are_pooled() {
        let mut records = vec![failed()];
        records.extend(history("a", "III", 1, &[]));
        records.extend(changed(history("b", "i", 1, &[]), |r| r.engine = "29".into()));
        records.extend(changed(history("c", "i", 1, &[]), |r| r.tests = None));
        records.extend(changed(history("d", "i", 1, &[]), |r| r.harness = Some("h2".into())));
        records.extend(changed(history("e", "ii", 1, &[]), |r| r.reference = None));
        let pool = pool(&case(), records);
        assert_eq!(count(&pool.base).isolated, Tally { fail: 3, pass: 0 });
        let reasons: Vec<_> = pool.excluded.records().into_iter().map(|e| (e.reason, e.count)).collect();
        let expected = [("other-engine", 1), ("other-harness", 1), ("other-ref", 2), ("other-tests", 1)];
        assert_eq!(reasons, expected.map(|(reason, count)| (reason.to_owned(), count)));
    }

    #[test]
    fn the_refs_own_runs_win_over_the_majority() {
        let mut wanted = case();
        wanted.reference = Some(Ref { commit: "f00d".into(), kind: "tag".into(), name: None });
        let mut records = vec![failed()];
        records.extend(history("a", "III", 1, &[]));
        records.extend(changed(history("b", "i", 1, &[]), |r| {
            r.reference.as_mut().unwrap().commit = "f00d".into();
        }));
        assert_eq!(count(&pool(&wanted, records).base).isolated, Tally { fail: 0, pass: 1 });
    }

    #[test]
    fn a_patch_may_change_the_harness_and_a_tree_but_no_release() {
        let mut records = vec![failed()];
        records.extend(history("a", "I", 1, &[]));
        let fix = |prefix, kind: &'static str, commit: &'static str| {
            changed(history(prefix, "i", 1, &[("fix", "p")]), move |r| {
                r.harness = Some("h2".into());
                r.reference = Some(Ref { commit: commit.into(), kind: kind.into(), name: None });
            })
        };
        records.extend(fix("b", "tag", "c0ffee"));
        records.extend(fix("c", "tree", "beef"));
        records.extend(fix("d", "tag", "beef"));
        let pool = pool(&case(), records);
        assert_eq!(pool.fixes["p"].len(), 2);
        assert_eq!(pool.excluded.records()[0].reason, "other-ref");
    }

    #[test]
    fn ten_are_named() {
        let mut records = vec![failed()];
        records.extend(changed(history("a", &"I".repeat(12), 1, &[]), |r| r.isolation.proved = false));
        let excluded = pool(&case(), records).excluded.records();
        assert_eq!((excluded[0].count, excluded[0].attempts.len()), (12, 10));
    }
}
