//! Decides whether the records support a fix, and for which cases: no pull request without isolated runs that prove a
//! verdict. Pure.

use std::collections::BTreeSet;

use lib_common::case::CaseKey;
use lib_common::record::verdict::{FixOutcome, FlakeVerdict, Route, Verdict};
use lib_common::{Error, Result};

use crate::fix::route_name;
use crate::seen::Seen;

/// What the fix claims.
pub struct Claim<'a> {
    pub route: Route,
    /// The cases of `--case`; if empty, all of `recipes`.
    pub cases: &'a [String],
    pub recipes: &'a BTreeSet<String>,
    /// The hashes by which runs may name the patch.
    pub patches: &'a [String],
}

/// The cases that the fix serves. Refuses (exit 1) unless each of them has a decided verdict that rests on proved
/// isolated runs and has the fix's route, and no later `fix.verdict` says that the fix does not help.
pub fn cases(seen: &Seen, claim: &Claim) -> Result<Vec<String>> {
    let about = about(seen, claim)?;
    let routed: Vec<&FlakeVerdict> =
        about.iter().copied().filter(|verdict| verdict.routes.contains(&claim.route)).collect();
    let strays = about.iter().find(|verdict| !verdict.routes.contains(&claim.route));
    if let Some(stray) = strays.filter(|_| routed.is_empty() || !claim.cases.is_empty()) {
        return Err(misrouted(stray, claim.route));
    }
    for verdict in &routed {
        decided(verdict)?;
        rests_on_proof(seen, verdict)?;
        helps(seen, &verdict.case, claim.patches)?;
    }
    Ok(routed.into_iter().map(|verdict| verdict.case.clone()).collect())
}

/// The cases to name with `--no-verdict`: those of `--case`, else those whose verdicts match, as far as known.
#[must_use]
pub fn named(seen: &Seen, claim: &Claim) -> Vec<String> {
    if !claim.cases.is_empty() {
        return claim.cases.to_vec();
    }
    let verdicts = about(seen, claim).unwrap_or_default();
    let routed = verdicts.iter().filter(|verdict| verdict.routes.contains(&claim.route));
    routed.map(|verdict| verdict.case.clone()).collect()
}

fn about<'s>(seen: &'s Seen, claim: &Claim) -> Result<Vec<&'s FlakeVerdict>> {
    let none = |object: String| {
        refuse(&object, "no flake.verdict on standard input")
            .hint("run flake-classify first: a fix needs a verdict that isolated runs prove")
    };
    if claim.cases.is_empty() {
        let of_recipe =
            |case: &str| CaseKey::parse(case).is_ok_and(|key| claim.recipes.contains(&key.recipe));
        let found: Vec<_> = seen.verdicts.values().filter(|verdict| of_recipe(&verdict.case)).collect();
        let recipes: Vec<&str> = claim.recipes.iter().map(String::as_str).collect();
        return if found.is_empty() { Err(none(recipes.join(", "))) } else { Ok(found) };
    }
    claim.cases.iter().map(|case| seen.verdicts.get(case).ok_or_else(|| none(case.clone()))).collect()
}

fn decided(verdict: &FlakeVerdict) -> Result<()> {
    if verdict.verdict == Verdict::Inconclusive {
        return Err(
            refuse(&verdict.case, "the verdict is not decided").hint("make more runs with swarm-isolate")
        );
    }
    Ok(())
}

fn rests_on_proof(seen: &Seen, verdict: &FlakeVerdict) -> Result<()> {
    let deciding = || verdict.attempts.iter().filter_map(|id| seen.runs.get(id).map(|run| (id, run)));
    if let Some((id, _)) = deciding().find(|(_, run)| !run.proved) {
        let cause = format!("the verdict counts run {id}, whose condition is not proved");
        return Err(refuse(&verdict.case, &cause));
    }
    let counted = verdict.isolated.fail + verdict.isolated.pass;
    if counted == 0 || !deciding().any(|(_, run)| run.isolated) {
        return Err(refuse(&verdict.case, "no proved isolated run on standard input decides the verdict")
            .hint("put the whole ledger, with its runs, on standard input"));
    }
    Ok(())
}

fn helps(seen: &Seen, case: &str, patches: &[String]) -> Result<()> {
    let verdicts = patches.iter().filter_map(|patch| seen.fixes.get(&(case.to_owned(), patch.clone())));
    match verdicts.into_iter().find(|verdict| verdict.verdict == FixOutcome::NotFixed) {
        Some(verdict) => Err(refuse(case, &format!("fix.verdict says not-fixed: {}", verdict.sentence))),
        None => Ok(()),
    }
}

fn misrouted(verdict: &FlakeVerdict, route: Route) -> Error {
    let routes: Vec<&str> = verdict.routes.iter().map(|route| route_name(*route)).collect();
    let to = if routes.is_empty() { "nowhere yet".into() } else { routes.join(" or ") };
    refuse(&verdict.case, &format!("the verdict sends it to {to}, the fix goes to {}", route_name(route)))
}

fn refuse(object: &str, cause: &str) -> Error {
    Error::no("checking the verdict", cause).on(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::RunSummary;
    use lib_common::record::verdict::{Cause, FixVerdict, Ratios, Tally, Thresholds};

    const CASE: &str = "mumble@1/custom/x";

    fn verdict() -> FlakeVerdict {
        FlakeVerdict {
            case: CASE.into(),
            verdict: Verdict::LoadFlake,
            isolated: Tally { fail: 0, pass: 5 },
            loaded: Tally { fail: 5, pass: 0 },
            ratios: Ratios { half: 1.0, det: 1.0, clean: 1.0, load: 30.0 },
            thresholds: Thresholds { t: 20.0, t_load: 20.0, cap: 40, eps: 0.05 },
            attempts: vec!["a1".into(), "a2".into()],
            excluded: vec![],
            cause: Cause::Load,
            shown_by: None,
            routes: vec![Route::HarnessPr],
            sentence: "load".into(),
        }
    }

    fn seen(verdict: FlakeVerdict) -> Seen {
        let mut seen = Seen::default();
        seen.verdicts.insert(CASE.into(), verdict);
        for (id, isolated) in [("a1", true), ("a2", false)] {
            seen.runs.insert(id.into(), RunSummary { proved: true, isolated, blake3: None });
        }
        seen
    }

    fn check(seen: &Seen, cases_asked: &[&str], route: Route) -> Result<Vec<String>> {
        let recipes = BTreeSet::from(["mumble".to_owned()]);
        let asked: Vec<String> = cases_asked.iter().map(ToString::to_string).collect();
        cases(seen, &Claim { route, cases: &asked, recipes: &recipes, patches: &["p".into()] })
    }

    fn refused(seen: &Seen, cases_asked: &[&str], route: Route) -> String {
        let error = check(seen, cases_asked, route).unwrap_err();
        assert_eq!(error.exit().code(), 1);
        error.to_string()
    }

    #[test]
    fn a_decided_verdict_on_proved_runs_supports() {
        assert_eq!(check(&seen(verdict()), &[], Route::HarnessPr).unwrap(), [CASE]);
        assert_eq!(check(&seen(verdict()), &[CASE], Route::HarnessPr).unwrap(), [CASE]);
    }

    #[test]
    fn no_verdict_no_pull_request() {
        assert!(refused(&Seen::default(), &[], Route::HarnessPr).contains("no flake.verdict"));
        assert!(refused(&seen(verdict()), &["mumble@2/x"], Route::HarnessPr).contains("no flake.verdict"));
    }

    #[test]
    fn an_undecided_one_is_none() {
        let undecided = FlakeVerdict { verdict: Verdict::Inconclusive, ..verdict() };
        assert!(refused(&seen(undecided), &[], Route::HarnessPr).contains("not decided"));
    }

    #[test]
    fn routes_must_agree() {
        let text = refused(&seen(verdict()), &[], Route::RecipePr);
        assert!(text.contains("harness-pr") && text.contains("recipe-pr"), "{text}");
        refused(&seen(verdict()), &[CASE], Route::RecipePr);
    }

    #[test]
    fn runs_must_be_there_isolated_and_proved() {
        let mut without = seen(verdict());
        without.runs.clear();
        assert!(refused(&without, &[], Route::HarnessPr).contains("no proved isolated run"));
        let mut loaded = seen(verdict());
        loaded.runs.remove("a1");
        assert!(refused(&loaded, &[], Route::HarnessPr).contains("no proved isolated run"));
        let mut unproved = seen(verdict());
        unproved.runs.get_mut("a2").unwrap().proved = false;
        assert!(refused(&unproved, &[], Route::HarnessPr).contains("a2"));
    }

    #[test]
    fn a_fix_that_does_not_help_is_refused() {
        let mut seen = seen(verdict());
        let mut fix = FixVerdict {
            case: CASE.into(),
            fix: "p".into(),
            verdict: FixOutcome::NotFixed,
            under: std::collections::BTreeMap::default(),
            before: Tally::default(),
            after: Tally::default(),
            ratio: 1.0,
            threshold: 20.0,
            attempts: vec![],
            further_runs: 0,
            sentence: "still red".into(),
        };
        seen.fixes.insert((CASE.into(), "p".into()), fix.clone());
        assert!(refused(&seen, &[], Route::HarnessPr).contains("still red"));
        fix.verdict = FixOutcome::Inconclusive;
        seen.fixes.insert((CASE.into(), "p".into()), fix);
        assert!(check(&seen, &[], Route::HarnessPr).is_ok());
    }
}
