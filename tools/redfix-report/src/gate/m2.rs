//! Gate M2: the case has an open pull request whose very patch is proved to cure it. Pure.

use std::collections::BTreeSet;

use lib_common::record::Factors;
use lib_common::record::case::Stage;
use lib_common::record::pr::{CheckState, PrChecked, PrOpened};
use lib_common::record::verdict::{FixOutcome, FixVerdict, FlakeVerdict, Route, Verdict};

use super::{Missing, Proofs, classify, cost, m1, quote};
use crate::fold::{Case, Fold, Pull};
use crate::lean::Run;
use crate::runs::level;

/// The pull request that comes nearest to passing (the newest of equals), and what it lacks.
#[must_use]
pub fn nearest<'a>(
    case: &Case,
    verdict: Option<&FlakeVerdict>,
    fold: &'a Fold,
    proofs: &Proofs,
) -> Option<(&'a Pull, &'a PrOpened, Vec<Missing>)> {
    let candidates = case.pulls.iter().filter_map(|id| {
        let pull = fold.pulls.get(id)?;
        let (ts, opened) = pull.opened.last()?;
        Some((ts, pull, opened, candidate(case, verdict, pull, fold, proofs)))
    });
    candidates
        .max_by_key(|(ts, _, _, lacks)| (std::cmp::Reverse(lacks.len()), *ts))
        .map(|(_, pull, opened, lacks)| (pull, opened, lacks))
}

/// Everything that M2 still wants of `case`; empty when it passes.
#[must_use]
pub fn judge(case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    let verdict = m1::chosen(case, fold).filter(|verdict| m1::is_decided(verdict));
    let mut all = Vec::new();
    if verdict.is_none() {
        let supply = super::more_runs(case, &proofs.ledger);
        let cost = cost::further(case, fold);
        all.push(Missing::new("no-verdict", "no decided verdict to fix", supply).costing(cost));
    }
    match nearest(case, verdict, fold, proofs) {
        Some((_, _, lacks)) => all.extend(lacks),
        None => all.push(Missing::new("no-pr", "no pull request", open(case, &proofs.ledger))),
    }
    all
}

/// The verdict on one patch that covers the most runs, the newest of equals.
#[must_use]
pub fn fix_verdict<'a>(case: &'a Case, patch: &str) -> Option<&'a FixVerdict> {
    case.fixes.iter().filter(|fix| fix.fix == patch).max_by_key(|fix| fix.attempts.len())
}

/// What CI said last of the head that is open now.
#[must_use]
pub fn check<'a>(pull: &'a Pull, opened: &PrOpened) -> Option<&'a PrChecked> {
    pull.checked.iter().rev().map(|(_, checked)| checked).find(|checked| checked.head == opened.head)
}

/// Whether the pull request is open as far as the ledger knows; `Err` says what it is instead.
pub fn is_open(pull: &Pull) -> Result<(), &'static str> {
    if pull.checked.iter().any(|(_, checked)| checked.merged) {
        return Err("merged");
    }
    let opened = pull.opened.last().map(|(ts, _)| ts);
    let closed = pull.checked.last().is_some_and(|(ts, checked)| !checked.open && Some(ts) >= opened);
    if closed { Err("closed") } else { Ok(()) }
}

/// What one pull request lacks as the fix of `case`.
fn candidate(
    case: &Case,
    verdict: Option<&FlakeVerdict>,
    pull: &Pull,
    fold: &Fold,
    proofs: &Proofs,
) -> Vec<Missing> {
    let Some((_, opened)) = pull.opened.last() else { return Vec::new() };
    let name = format!("{}#{}", opened.repo, opened.number);
    let again = || open(case, &proofs.ledger);
    let mut all = Vec::new();
    match is_open(pull) {
        Err("merged") => {
            all.push(Missing::new(
                "merged",
                format!("{name} is merged: the proof ends where it does"),
                again(),
            ));
        }
        Err(_) => all.push(Missing::new("closed", format!("{name} is closed"), again())),
        Ok(()) => {}
    }
    if opened.no_verdict {
        all.push(Missing::new("unsupported", format!("{name} was opened without a verdict"), again()));
    }
    if verdict.is_some_and(|verdict| !verdict.routes.contains(&opened.route)) {
        let what = format!("{name} does not go where the verdict says the fix belongs");
        all.push(Missing::new("route", what, again()));
    }
    let state = check(pull, opened).map(|checked| checked.state);
    let (rule, what) = match (opened.route, state) {
        (Route::RecipePr, Some(CheckState::Green)) => ("", ""),
        (_, Some(CheckState::Red)) => ("ci-red", "CI is red for its head"),
        (Route::RecipePr, _) => ("ci-not-green", "CI has not said green of its head"),
        (Route::HarnessPr | Route::TestComment, _) => ("", ""),
    };
    if !rule.is_empty() {
        all.push(Missing::new(rule, format!("{name}: {what}"), again()));
    }
    all.extend(proof(case, &opened.patch, fold, proofs));
    all.extend(promotion(case, &opened.patch, fold));
    all
}

/// What the after-fix runs of one patch lack.
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
    let excluded: BTreeSet<&String> = m1::excluded(case).collect();
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

/// Runs with the patch, under the condition that was red.
fn after_runs(
    case: &Case,
    patch: &str,
    judged: Option<&FixVerdict>,
    fold: &Fold,
    ledger: &str,
) -> Vec<String> {
    let flake = m1::chosen(case, fold).is_some_and(|verdict| verdict.verdict == Verdict::LoadFlake);
    let guess = if flake { "loaded" } else { "isolated" };
    let condition = judged.and_then(|fix| fix.under.get("load")).map_or(guess, String::as_str);
    let runs = judged.map_or(5, |fix| fix.further_runs.max(1));
    vec![
        "swarm-isolate".into(),
        format!("--factor fix={}", quote(patch)),
        format!("--condition {}", quote(condition)),
        "--load-with 'scripts/load cpu 16'".into(),
        format!("--runs {runs}"),
        format!("-- scripts/lifecycle {}", quote(&case.recipe())),
        format!("<{}", quote(ledger)),
        "| flake-classify".into(),
    ]
}

/// What is wrong with one run that is said to show the cure.
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
        return Some(("after-unproved", "has no proved condition and clean end".into()));
    }
    match fold.runs.sample(run, &case.key) {
        Some(true) => None,
        Some(false) => Some(("after-red", "is red".into())),
        None => Some(("after-silent", "says nothing about the case".into())),
    }
}

/// Whether a run was made at the levels `under`, the fix aside. Only the load must be named: another factor
/// that a run does not name is at its red level.
fn is_under(run: &Run, under: &Factors) -> bool {
    under.iter().all(|(factor, red)| match factor.as_str() {
        "fix" => true,
        "load" => level(&run.factors, factor) == red,
        _ => run.factors.get(factor).is_none_or(|level| level == red),
    })
}

/// What failed to promote must have been promoted with this patch, as a trial.
fn promotion(case: &Case, patch: &str, fold: &Fold) -> Option<Missing> {
    let had_to = case.failed().is_some_and(|f| f.stage == Stage::Promote || f.test == "promote");
    let recipe = case.recipe();
    let done = fold.promoted.iter().any(|p| {
        p.recipe == recipe
            && p.case.as_ref().is_none_or(|key| *key == case.key)
            && p.trial
            && p.fix.as_deref() == Some(patch)
    });
    (had_to && !done).then(|| {
        let what = format!("no trial promotion with patch {}", short(patch));
        let supply = vec!["scripts/promote".into(), "--trial".into(), quote(&recipe)];
        Missing::new("not-promoted", what, supply)
    })
}

/// Enough of a hash for a person.
#[must_use]
pub fn short(hash: &str) -> &str {
    hash.char_indices().nth(12).map_or(hash, |(at, _)| &hash[..at])
}

fn open(case: &Case, ledger: &str) -> Vec<String> {
    let recipe = case.recipe();
    vec![
        "pr-open".into(),
        format!("--fix {}", quote(&format!("scripts/recipes/{recipe}/fixes/ID"))),
        "--testme".into(),
        "--wait".into(),
        format!("<{}", quote(ledger)),
    ]
}
