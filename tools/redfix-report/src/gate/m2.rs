//! Gate M2: the case has an open pull request, or for a stale test a comment, and exactly its patch is proved to cure
//! the case. Pure.

use std::collections::BTreeSet;

use lib_common::record::Factors;
use lib_common::record::case::Stage;
use lib_common::record::verdict::{FixOutcome, FixVerdict, FlakeVerdict, Verdict};

use super::cost;
use super::missing::Missing;
use super::proofs::Proofs;
use super::proposal::{self, Proposal};
use super::supply::{LOAD_WITH, classify, more_runs};
use crate::fold::{Case, Fold};
use crate::lean::Run;
use crate::runs::level;
use crate::shell::quote;
use crate::verdict::{chosen, excluded, is_decided};

/// The proposal that lacks least (of those that lack as much, the newest), and what it lacks.
#[must_use]
pub fn nearest<'a>(
    case: &'a Case,
    verdict: Option<&FlakeVerdict>,
    fold: &'a Fold,
    proofs: &Proofs,
) -> Option<(Proposal<'a>, Vec<Missing>)> {
    let candidates =
        proposal::of(case, fold).map(|proposed| (proposed, candidate(case, verdict, proposed, fold, proofs)));
    candidates.max_by_key(|(proposed, lacks)| (std::cmp::Reverse(lacks.len()), proposed.since()))
}

/// Everything that `case` still lacks for M2; empty if it passes.
#[must_use]
pub fn judge(case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let verdict = chosen(case, fold).filter(|verdict| is_decided(verdict));
    let mut all = Vec::new();
    if verdict.is_none() {
        let supply = more_runs(case, &proofs.ledger);
        let cost = cost::further(case, fold);
        all.push(Missing::new("no-verdict", "no decided verdict to fix", supply).costing(cost));
    }
    if let Some((_, lacks)) = nearest(case, verdict, fold, proofs) {
        all.extend(lacks);
    } else {
        let why = proposal::skipped(case, fold).map(|why| format!(": {why}")).unwrap_or_default();
        let what = format!("no pull request{why}");
        all.push(Missing::new("no-pr", what, open(case, &proofs.ledger)));
    }
    all
}

/// The verdict on one patch that covers the most runs; of those that cover as many, the newest.
#[must_use]
pub fn fix_verdict<'a>(case: &'a Case, patch: &str) -> Option<&'a FixVerdict> {
    case.fixes.iter().filter(|fix| fix.fix == patch).max_by_key(|fix| fix.attempts.len())
}

/// What one proposal lacks as the fix of `case`.
fn candidate(
    case: &Case,
    verdict: Option<&FlakeVerdict>,
    proposed: Proposal,
    fold: &Fold,
    proofs: &Proofs,
) -> Vec<Missing> {
    let name = proposed.name();
    let mut all = Vec::new();
    let mut lacks = |rule, what: &str| {
        all.push(Missing::new(rule, format!("{name}{what}"), open(case, &proofs.ledger)));
    };
    match proposed.is_open(fold) {
        Err("merged") => lacks("merged", " is merged already, and the gate needs an open one"),
        Err(_) => lacks("closed", " is closed"),
        Ok(()) => {}
    }
    if proposed.is_unsupported() {
        lacks("unsupported", " was made without a verdict");
    }
    if verdict.is_some_and(|verdict| !proposed.goes(&verdict.routes)) {
        lacks("route", " does not go where the verdict says the fix belongs");
    }
    if let Some((rule, what)) = proposed.ci_fault() {
        lacks(rule, &format!(": {what}"));
    }
    all.extend(proof(case, proposed.patch(), fold, proofs));
    all.extend(promotion(case, proposed.patch(), fold));
    all
}

/// What is missing in the proof that one patch cures the case.
fn proof(case: &Case, patch: &str, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let judged = fix_verdict(case, patch);
    let more = || after_runs(case, patch, judged, fold, &proofs.ledger);
    let Some(fix) = judged else {
        let others = if case.fixes.is_empty() { "" } else { ", only on another" };
        let what = format!("no fix.verdict on patch {}{others}", short(patch));
        return vec![Missing::new("unverified", what, more()).costing(cost::of(5, case, fold))];
    };
    if fix.verdict != FixOutcome::Fixed {
        let what = match fix.verdict {
            FixOutcome::NotFixed => format!("patch {} does not fix it", short(patch)),
            _ => format!("patch {}: {} more green run(s) would settle it", short(patch), fix.further_runs),
        };
        let cost = cost::of(u64::from(fix.further_runs.max(1)), case, fold);
        return vec![Missing::new("not-fixed", what, more()).costing(cost)];
    }
    let mut all = Vec::new();
    if fix.ratio < fix.threshold {
        let what = format!("its evidence {:.1} is below the threshold {:.1}", fix.ratio, fix.threshold);
        all.push(Missing::new("too-few", what, more()));
    }
    let attempts: BTreeSet<&String> = fix.attempts.iter().collect();
    if attempts.is_empty() {
        all.push(Missing::new("no-after-run", "the fix.verdict names no after-fix run", more()));
    }
    if (fix.after.fail, fix.after.pass as usize) != (0, attempts.len()) {
        let (claimed, after) = (attempts.len(), fix.after);
        let what = format!(
            "the fix.verdict counts {} green and {} red, and names {claimed} run(s)",
            after.pass, after.fail
        );
        all.push(Missing::new("after-tally", what, classify(&proofs.ledger)));
    }
    for id in &attempts {
        if let Some((rule, what)) = after_fault(case, fix, id, fold) {
            all.push(Missing::new(rule, format!("after-fix attempt {id} {what}"), more()));
        }
    }
    let excluded: BTreeSet<&String> = excluded(case).collect();
    let unseen = fold.runs.of_case(&case.key).into_iter().filter(|run| {
        !attempts.contains(&run.attempt_id)
            && !excluded.contains(&run.attempt_id)
            && level(&run.factors, "fix") == patch
            && is_under(run, &fix.under)
            && fold.runs.is_eligible(run, &case.key)
    });
    let unseen = unseen.count();
    if unseen > 0 {
        let what = format!("stale: {unseen} run(s) of the patch that its fix.verdict did not see");
        all.push(Missing::new("fix-stale", what, classify(&proofs.ledger)));
    }
    all
}

/// The command that makes runs with the patch, under the condition that was red.
fn after_runs(
    case: &Case,
    patch: &str,
    judged: Option<&FixVerdict>,
    fold: &Fold,
    ledger: &str,
) -> Vec<String> {
    let flake = chosen(case, fold).is_some_and(|verdict| verdict.verdict == Verdict::LoadFlake);
    let guess = if flake { "loaded" } else { "isolated" };
    let condition = judged.and_then(|fix| fix.under.get("load")).map_or(guess, String::as_str);
    let runs = judged.map_or(5, |fix| fix.further_runs.max(1));
    vec![
        "swarm-isolate".into(),
        format!("--factor fix={}", quote(patch)),
        format!("--condition {}", quote(condition)),
        LOAD_WITH.into(),
        format!("--runs {runs}"),
        format!("-- scripts/lifecycle {}", quote(&case.recipe())),
        format!("<{}", quote(ledger)),
        "| flake-classify".into(),
    ]
}

/// What is wrong with one run that the fix.verdict counts, if anything.
fn after_fault(case: &Case, fix: &FixVerdict, id: &str, fold: &Fold) -> Option<(&'static str, String)> {
    let Some(run) = fold.runs.get(id) else {
        return Some(("no-after-run", "is not on the ledger".into()));
    };
    if level(&run.factors, "fix") != fix.fix {
        return Some(("other-patch", "ran another patch".into()));
    }
    if !is_under(run, &fix.under) {
        return Some(("other-condition", "did not run under the condition that was red".into()));
    }
    if !run.isolation.proved || !run.cleanup.left.is_empty() || fold.runs.is_retold(id) {
        let what = "has no proved condition, left something behind, or is recorded in two ways";
        return Some(("after-unproved", what.into()));
    }
    match fold.runs.sample(run, &case.key) {
        Some(true) => None,
        Some(false) => Some(("after-red", "is red".into())),
        None => Some(("after-silent", "says nothing about the case".into())),
    }
}

/// Whether a run was made at the levels `under`, except for the fix. The run must name its load; another factor that it
/// does not name counts as being at its red level.
fn is_under(run: &Run, under: &Factors) -> bool {
    under.iter().all(|(factor, red)| match factor.as_str() {
        "fix" => true,
        "load" => level(&run.factors, factor) == red,
        _ => run.factors.get(factor).is_none_or(|level| level == red),
    })
}

/// A case that failed to promote, or whose recipe was not enrolled, also needs a trial promotion with this patch.
fn promotion(case: &Case, patch: &str, fold: &Fold) -> Option<Missing> {
    let failed = case.failed()?;
    let (rule, why) = match failed.stage {
        Stage::Enrol => ("standing-exception", "not enrolled, a standing exception: "),
        _ if failed.stage == Stage::Promote || failed.test == "promote" => ("not-promoted", ""),
        _ => return None,
    };
    let recipe = case.recipe();
    let done = fold.promoted.iter().any(|p| {
        p.recipe == recipe
            && p.case.as_ref().is_none_or(|key| *key == case.key)
            && p.trial
            && p.fix.as_deref() == Some(patch)
    });
    (!done).then(|| {
        let what = format!("{why}no trial promotion with patch {}", short(patch));
        let supply = vec!["scripts/promote".into(), "--trial".into(), quote(&recipe)];
        Missing::new(rule, what, supply)
    })
}

/// The first 12 characters of a hash, which are enough for people.
#[must_use]
pub fn short(hash: &str) -> &str {
    hash.char_indices().nth(12).map_or(hash, |(at, _)| &hash[..at])
}

fn open(case: &Case, ledger: &str) -> Vec<String> {
    let recipe = case.recipe();
    vec![
        "pr-open".into(),
        format!("--fix {}", quote(&format!("ground/rows/{recipe}/fixes/ID"))),
        "--testme".into(),
        "--wait".into(),
        format!("<{}", quote(ledger)),
    ]
}
