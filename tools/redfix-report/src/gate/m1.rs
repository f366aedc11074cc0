//! Gate M1: the case has a proven verdict and an attributed cause. Pure.

use std::collections::BTreeSet;

use lib_common::record::verdict::{Cause, FlakeVerdict, Tally, Verdict};

use super::cost;
use super::missing::Missing;
use super::proofs::{Proofs, Rederivation};
use super::supply::{classify, more_runs};
use crate::fold::{Case, Fold};
use crate::lean::Run;
use crate::runs::{at_baseline, level};
use crate::shell::quote;
use crate::verdict::{chosen, counted, excluded, is_decided, recount};

/// Everything that `case` still lacks for M1; empty if it passes.
#[must_use]
pub fn judge(case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let mut all = verdict(case, fold, proofs);
    let faults = proofs.faults.iter().filter(|fault| fault.concerns(&case.key));
    all.extend(faults.map(|fault| Missing::new(fault.rule, &*fault.what, fault.shown_by.clone())));
    all
}

fn verdict(case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let more = |rule, what| {
        Missing::new(rule, what, more_runs(case, &proofs.ledger)).costing(cost::further(case, fold))
    };
    let Some(verdict) = chosen(case, fold) else {
        return vec![more("no-verdict", "no verdict yet")];
    };
    if !is_decided(verdict) {
        return vec![cost::undecided(case, verdict, fold, &proofs.ledger)];
    }
    let mut all = Vec::new();
    if verdict.cause == Cause::Unattributed {
        all.push(more("unattributed", "the cause is not attributed"));
    }
    if verdict.cause != Cause::Unattributed && verdict.shown_by.is_none() {
        all.push(more("no-contrast", "no contrast shows the cause"));
    }
    if let Some(why) = contradiction(verdict) {
        all.push(Missing::new("unfounded", why, classify(&proofs.ledger)));
    }
    if let Some(text) = proofs.objection(&case.key, fold) {
        let what = format!("a re-derivation disagrees: {text}");
        all.push(Missing::new("recheck", what, classify(&proofs.ledger)));
    }
    all.extend(stale(case, verdict, fold, proofs));
    let attempts: BTreeSet<&String> = verdict.attempts.iter().collect();
    let here = attempts.iter().filter(|id| fold.runs.get(id).is_some()).count();
    if here == attempts.len() {
        all.extend(tallies(verdict, fold, &proofs.ledger));
    }
    for id in attempts {
        all.extend(attempt(case, id, fold, proofs));
    }
    all
}

/// Why a verdict contradicts its own counts, if it does.
fn contradiction(verdict: &FlakeVerdict) -> Option<&'static str> {
    let (alone, load) = (verdict.isolated, verdict.loaded);
    match verdict.verdict {
        Verdict::Genuine if alone.fail == 0 => Some("genuine without a red run alone"),
        Verdict::Genuine if alone.pass > 0 => Some("genuine with a green run alone"),
        Verdict::LoadFlake if alone.pass == 0 => Some("load-flake without a green run alone"),
        Verdict::LoadFlake if load.fail == 0 => Some("load-flake without a red run under load"),
        Verdict::Flake if alone.pass == 0 || alone.fail == 0 => {
            Some("flake without both a red and a green run alone")
        }
        _ => None,
    }
}

/// Whether the verdict is stale: there are eligible runs without a fix, at the red baseline, that it neither counted
/// nor excluded. Runs after the deciding run cannot change a verdict that was the first to reach its threshold; but
/// only a re-derivation shows that it was.
fn stale(case: &Case, verdict: &FlakeVerdict, fold: &Fold, proofs: &Proofs) -> Option<Missing> {
    let known: BTreeSet<&String> = verdict.attempts.iter().chain(excluded(case)).collect();
    let unlisted: u64 =
        verdict.excluded.iter().map(|e| e.count.saturating_sub(e.attempts.len() as u64)).sum();
    let fresh = fold.runs.of_case(&case.key).into_iter().filter(|run| {
        !known.contains(&run.attempt_id)
            && level(&run.factors, "fix") == "none"
            && at_baseline(run, case.failed())
            && fold.runs.is_eligible(run, &case.key)
    });
    let order = |run: &Run| (run.started.clone(), run.attempt_id.clone());
    let deciding = counted(verdict, fold).into_iter().map(order).max();
    let (later, earlier): (Vec<_>, Vec<_>) = fresh.partition(|run| Some(order(run)) > deciding);
    let earlier = (earlier.len() as u64).saturating_sub(unlisted);
    if earlier > 0 {
        let what = format!("stale: {earlier} eligible run(s) on the ledger that the verdict does not count");
        return Some(Missing::new("stale", what, classify(&proofs.ledger)));
    }
    if later.is_empty() || proofs.rederivation == Rederivation::Agrees {
        return None;
    }
    let what = format!("stale: {} eligible run(s) on the ledger since its deciding run", later.len());
    let supply = vec!["redfix-report".into(), "--recheck".into(), quote(&proofs.ledger)];
    Some(Missing::new("stale", what, supply))
}

/// Compares the counts of the verdict with a recount from the runs.
fn tallies(verdict: &FlakeVerdict, fold: &Fold, ledger: &str) -> Vec<Missing> {
    let mut all = Vec::new();
    let mut compare = |rule, condition: &str, claimed: Tally, load| {
        let found = recount(verdict, fold, load);
        if found != claimed {
            let what = format!(
                "the verdict counts {} {condition}, its runs give {}",
                colours(claimed),
                colours(found)
            );
            all.push(Missing::new(rule, what, classify(ledger)));
        }
    };
    compare("isolated-tally", "alone", verdict.isolated, "isolated");
    if verdict.verdict == Verdict::LoadFlake {
        compare("loaded-tally", "under load", verdict.loaded, "loaded");
    }
    all
}

fn colours(tally: Tally) -> String {
    format!("{} red and {} green", tally.fail, tally.pass)
}

/// What one deciding attempt lacks.
fn attempt(case: &Case, id: &str, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let again = || more_runs(case, &proofs.ledger);
    let Some(run) = fold.runs.get(id) else {
        return vec![Missing::new("no-run", format!("attempt {id} is not on the ledger"), again())];
    };
    let mut all = Vec::new();
    if fold.runs.is_retold(id) {
        let what = format!("attempt {id} is on the ledger twice, with different contents");
        all.push(Missing::new("retold", what, again()));
    }
    if !run.isolation.proved {
        let why = run.isolation.why.as_deref().unwrap_or("no reason given");
        all.push(Missing::new("unproved", format!("attempt {id}: condition not proved: {why}"), again()));
    }
    if !run.cleanup.left.is_empty() {
        let what = format!("attempt {id} left {} behind", run.cleanup.left.join(", "));
        all.push(Missing::new("left-over", what, again()));
    }
    if run.evidence.is_none() {
        all.push(Missing::new("no-evidence", format!("attempt {id} has no evidence folder"), again()));
    } else if let Err(why) = proofs.evidence.get(id).unwrap_or(&Err("its evidence was not verified".into())) {
        let supply = vec!["redfix-report".into(), "--evidence DIR".into(), quote(&proofs.ledger)];
        all.push(Missing::new("bad-evidence", format!("attempt {id}: {why}"), supply));
    }
    if fold.runs.snap(id).is_none() && !run.came_to_nothing {
        let what = format!("attempt {id} has no log.snapped record");
        all.push(Missing::new("no-snap", what, again()));
    }
    all
}
