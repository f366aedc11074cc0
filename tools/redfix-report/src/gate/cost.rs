//! Estimates what further runs of a case cost, and lists what can be done about an undecided one. Pure.

use lib_common::record::verdict::FlakeVerdict;

use super::missing::{Choice, Missing};
use super::supply::more_runs;
use crate::bound;
use crate::duration::duration;
use crate::fold::{Case, Fold};
use crate::shell::quote;

/// How many runs with a contrast or with more load are suggested before the verdict is looked at again.
const TRY: u64 = 3;

/// The cost of further runs: as `flake-classify --next` planned it, else from how long the case's runs took.
pub fn further(case: &Case, fold: &Fold) -> Option<String> {
    let Some(plan) = case.planned() else {
        return median(case, fold).map(|(ms, seen)| format!("{} a run, by {seen} seen", duration(ms)));
    };
    let time = plan.expected_ms.map(|ms| format!(", {}", duration(ms))).unwrap_or_default();
    Some(format!("at least {} run(s), about {:.1} expected{time}", plan.minimum_runs, plan.expected_runs))
}

/// How long `runs` runs take.
pub fn of(runs: u64, case: &Case, fold: &Fold) -> Option<String> {
    median(case, fold).map(|(ms, _)| format!("{runs} run(s), {}", duration(ms * runs)))
}

/// Median duration of the case's runs, and how many runs there are.
fn median(case: &Case, fold: &Fold) -> Option<(u64, usize)> {
    let mut took: Vec<u64> = fold.runs.of_case(&case.key).iter().map(|run| run.duration_ms).collect();
    took.sort_unstable();
    took.get(took.len() / 2).map(|ms| (*ms, took.len()))
}

/// What is missing for an inconclusive verdict: what the runs say so far, and three things that may decide it.
pub fn undecided(case: &Case, verdict: &FlakeVerdict, fold: &Fold, ledger: &str) -> Missing {
    let alone = verdict.isolated;
    let seen = if alone.fail == 0 && alone.pass > 0 {
        format!(": green {} times alone, so it {} alone", alone.pass, bound::words(alone))
    } else {
        String::new()
    };
    let recipe = quote(&case.recipe());
    let with = |options: Vec<String>| {
        let mut pieces = vec!["swarm-isolate".to_owned()];
        pieces.extend(options);
        pieces.extend([
            format!("--runs {TRY}"),
            format!("-- scripts/lifecycle {recipe}"),
            format!("<{}", quote(ledger)),
            "| flake-classify".into(),
        ]);
        pieces
    };
    let varied = case.failed().and_then(|failed| {
        let contrast = failed.contrasts.iter().find(|contrast| contrast.levels.len() > 1)?;
        let red = failed.baseline.get(&contrast.factor);
        let other = contrast.levels.iter().find(|level| Some(*level) != red)?;
        Some(format!("{}={other}", contrast.factor))
    });
    let contrast = varied.unwrap_or_else(|| "version=OTHER".into());
    let cost = of(TRY, case, fold);
    let mut missing =
        Missing::new("undecided", format!("the verdict is inconclusive{seen}"), more_runs(case, ledger))
            .costing(further(case, fold));
    missing.choices = vec![
        Choice {
            name: "more load",
            supply: with(vec!["--condition loaded".into(), "--load-with 'ground/load slow 1'".into()]),
            cost: cost.clone(),
        },
        Choice { name: "a contrast", supply: with(vec![format!("--factor {}", quote(&contrast))]), cost },
    ];
    missing
}
