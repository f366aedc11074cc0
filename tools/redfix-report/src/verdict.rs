//! Chooses the verdict that counts for a case, and finds the runs that it counts. Pure.

use std::collections::BTreeSet;

use lib_common::record::verdict::{FlakeVerdict, Tally, Verdict};

use crate::fold::{Case, Fold};
use crate::lean::Run;
use crate::runs::level;

/// The verdict that counts: the one that covers the most eligible runs; of those that cover as many, the newest.
#[must_use]
pub fn chosen<'a>(case: &'a Case, fold: &Fold) -> Option<&'a FlakeVerdict> {
    let covered = |verdict: &FlakeVerdict| {
        let ids: BTreeSet<_> = verdict.attempts.iter().collect();
        let eligible =
            |id: &&String| fold.runs.get(id).is_some_and(|run| fold.runs.is_eligible(run, &case.key));
        ids.into_iter().filter(eligible).count()
    };
    case.verdicts.iter().max_by_key(|verdict| covered(verdict))
}

/// Whether a verdict is not inconclusive.
#[must_use]
pub fn is_decided(verdict: &FlakeVerdict) -> bool {
    verdict.verdict != Verdict::Inconclusive
}

/// The runs of a verdict that are on the ledger, each once.
#[must_use]
pub fn counted<'a>(verdict: &FlakeVerdict, fold: &'a Fold) -> Vec<&'a Run> {
    let ids: BTreeSet<_> = verdict.attempts.iter().collect();
    ids.into_iter().filter_map(|id| fold.runs.get(id)).collect()
}

/// How many of a verdict's runs under one load, without a fix, are green and red.
#[must_use]
pub fn recount(verdict: &FlakeVerdict, fold: &Fold, load: &str) -> Tally {
    let alike = |run: &&Run| level(&run.factors, "load") == load && level(&run.factors, "fix") == "none";
    fold.runs.tally(counted(verdict, fold).into_iter().filter(alike), &verdict.case)
}

/// The attempts that any verdict of the case excluded.
pub fn excluded(case: &Case) -> impl Iterator<Item = &String> {
    case.verdicts.iter().flat_map(|verdict| &verdict.excluded).flat_map(|excluded| &excluded.attempts)
}

/// The newest red run that the verdict counts, among those that are `wanted`.
#[must_use]
pub fn newest_red<'a>(case: &'a Case, fold: &'a Fold, wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
    let red = |id: &&String| {
        wanted(id) && fold.runs.get(id).is_some_and(|run| fold.runs.sample(run, &case.key) == Some(false))
    };
    chosen(case, fold)?.attempts.iter().rev().find(red).map(String::as_str)
}
