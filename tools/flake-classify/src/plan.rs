//! Chooses the run that tells most next: for the verdict first, then for contrasts, then for fixes. Pure.

use jiff::Timestamp;
use lib_common::clock::rfc3339;
use lib_common::record::Factors;
use lib_common::record::run::RunPlanned;
use lib_common::record::verdict::{Tally, Verdict};

use crate::contrast::{Level, red_load};
use crate::cure::{self, Cure, RedsNeeded};
use crate::finding::Finding;
use crate::fix;
use crate::judge::{Why, not_before};
use crate::needed::{Cost, Needed};
use crate::pool::{count, tally};
use crate::rule::{Load, runs};
use crate::sample::{self, NO_FIX};
use crate::settings::Settings;
use crate::words;

/// After this many attempts in a row that did not count, the same run is not asked for again: something else is wrong.
const PATIENCE: usize = 5;

/// What is to be done next for one case.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing: no further run is needed, or none would decide anything.
    Settled,
    Run(Box<RunPlanned>),
    /// The last attempts of this very run did not count, for these reasons.
    Stuck(Vec<&'static str>),
}

pub fn next(finding: &Finding, settings: &Settings, needed: &mut Needed) -> Next {
    let plan = for_verdict(finding, settings, needed)
        .or_else(|| for_contrast(finding, settings))
        .or_else(|| for_fix(finding, settings));
    let Some(plan) = plan else { return Next::Settled };
    let reasons = stuck(finding, &plan.factors);
    if reasons.is_empty() { Next::Run(Box::new(plan)) } else { Next::Stuck(reasons) }
}

/// Why none of the last [`PATIENCE`] attempts with these levels counted; empty if one did, or if there were fewer.
fn stuck(finding: &Finding, factors: &Factors) -> Vec<&'static str> {
    let baseline = sample::baseline(&finding.failed);
    let wanted = sample::complete(factors, &baseline);
    let same = |levels: &Factors| sample::complete(levels, &baseline) == wanted;
    let last = finding.pool.log.iter().rev().filter(|(run, _)| same(&run.setup.factors)).take(PATIENCE);
    let Some(mut reasons) = last.map(|(_, reason)| *reason).collect::<Option<Vec<_>>>() else {
        return vec![];
    };
    if reasons.len() < PATIENCE {
        return vec![];
    }
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

fn for_verdict(finding: &Finding, settings: &Settings, needed: &mut Needed) -> Option<RunPlanned> {
    let judgement = &finding.judgement;
    if judgement.settled {
        return None;
    }
    let counts = &judgement.counts;
    let (load, cost) = if judgement.why == Why::Correlated {
        (Load::Isolated, Cost { minimum: Some(1), expected: 1.0 })
    } else {
        (counts.next_load(), needed.cost(counts))
    };
    // If no outcome of the runs that are left under the cap could decide it, they are not worth their time.
    cost.minimum?;
    let mut means = |red: bool| {
        let then = counts.and(load, red);
        if judgement.why == Why::Correlated && red {
            return "genuine, if on a second machine or late enough".to_owned();
        }
        match settings.rule.decide(&then) {
            Some(verdict) => verdict.word().to_owned(),
            None => undecided(needed.cost(&then).minimum),
        }
    };
    let (if_pass, if_fail) = (means(false), means(true));
    let why = format!("the verdict needs another {} run: {}", load.name(), words::counts(counts));
    let mut plan = planned(finding, fix::under(&finding.failed, load), NO_FIX, why, cost, [if_pass, if_fail]);
    let not_before = not_before(&finding.pool.base, settings).filter(|_| load == Load::Isolated);
    plan.not_before = not_before.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(rfc3339);
    Some(plan)
}

fn undecided(minimum: Option<u32>) -> String {
    match minimum {
        Some(more) => format!("undecided, at least {more} further {}", words::plural(more, "run")),
        None => "inconclusive: the runs left under the cap cannot decide it".into(),
    }
}

fn for_contrast(finding: &Finding, settings: &Settings) -> Option<RunPlanned> {
    let open = open_levels(finding, settings);
    let level = open.first()?;
    let mut factors = fix::under(&finding.failed, Load::Isolated);
    factors.insert(level.factor.clone(), level.name.clone());
    let (factor, name) = (&level.factor, &level.name);
    let why = format!(
        "genuine; does {factor}={name} instead of {} cure it? {}",
        level.red,
        words::tally(level.tally, Load::Isolated.name())
    );
    let means = [
        format!("nearer to naming {factor} as the cause"),
        format!("{factor} is not the cause, or not alone"),
    ];
    Some(planned(finding, factors, NO_FIX, why, rest(finding, settings), means))
}

fn for_fix(finding: &Finding, settings: &Settings) -> Option<RunPlanned> {
    let open = open_fixes(finding, settings);
    let (fix, after) = open.first()?;
    let load = red_load(&finding.judgement);
    let why = format!("does the fix cure it? With it {}", words::tally(*after, load.name()));
    let before = tally(&finding.pool.base, load);
    let after_one =
        |fail, pass| cure::compare(before, lib_common::glr::sum(*after, Tally { fail, pass }), fix::REDS);
    let means = |cure| match cure {
        Cure::Cured => "fixed",
        Cure::StillRed => "not-fixed",
        Cure::Open => "not decided yet",
    };
    let means = [means(after_one(0, 1)).to_owned(), means(after_one(1, 0)).to_owned()];
    let factors = fix::under(&finding.failed, load);
    Some(planned(finding, factors, fix, why, rest(finding, settings), means))
}

/// Contrasts that the case allows and that are not decided. Only for a genuine failure the cause is looked for.
fn open_levels<'a>(finding: &'a Finding, settings: &Settings) -> Vec<&'a Level> {
    if finding.judgement.verdict != Verdict::Genuine {
        return vec![];
    }
    let open =
        |level: &&Level| level.allowed && level.cure == Cure::Open && runs(level.tally) < settings.rule.cap;
    finding.attribution.levels.iter().filter(open).collect()
}

/// Patches that the case names and that are not decided, with their runs so far.
fn open_fixes(finding: &Finding, settings: &Settings) -> Vec<(String, Tally)> {
    if finding.judgement.verdict == Verdict::Inconclusive {
        return vec![];
    }
    let load = red_load(&finding.judgement);
    let before = tally(&finding.pool.base, load);
    let mut fixes: Vec<(String, Tally)> = Vec::new();
    for contrast in finding.failed.contrasts.iter().filter(|contrast| contrast.factor == "fix") {
        for fix in contrast.levels.iter().filter(|level| *level != NO_FIX) {
            let after = finding.pool.fixes.get(fix).map_or(Tally::default(), |samples| tally(samples, load));
            let open = cure::compare(before, after, fix::REDS) == Cure::Open;
            if open && runs(after) < fix::cap(&settings.rule) && !fixes.iter().any(|(known, _)| known == fix)
            {
                fixes.push((fix.clone(), after));
            }
        }
    }
    fixes
}

/// How many runs all open contrasts and fixes need together.
fn rest(finding: &Finding, settings: &Settings) -> Cost {
    let load = red_load(&finding.judgement);
    let before = count(&finding.pool.base).of(load);
    let levels = open_levels(finding, settings)
        .into_iter()
        .map(|level| cure::cost(before, level.tally, RedsNeeded(1), settings.rule.cap));
    let fixes = open_fixes(finding, settings)
        .into_iter()
        .map(|(_, after)| cure::cost(before, after, fix::REDS, fix::cap(&settings.rule)));
    levels.chain(fixes).fold(Cost { minimum: Some(0), expected: 0.0 }, |sum, one| Cost {
        minimum: Some(sum.minimum.unwrap_or(0) + one.minimum.unwrap_or(1)),
        expected: sum.expected + one.expected,
    })
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn planned(
    finding: &Finding,
    mut factors: Factors,
    fix: &str,
    why: String,
    cost: Cost,
    [if_pass, if_fail]: [String; 2],
) -> RunPlanned {
    factors.insert("fix".into(), fix.to_owned());
    let cost_ms = finding.pool.cost_ms();
    let minimum_runs = cost.minimum.unwrap_or(1);
    RunPlanned {
        case: finding.failed.case.clone(),
        factors,
        why,
        minimum_runs,
        expected_runs: (cost.expected * 100.0).round() / 100.0,
        not_before: None,
        cost_ms,
        minimum_ms: cost_ms.map(|ms| ms.saturating_mul(u64::from(minimum_runs))),
        expected_ms: cost_ms.map(|ms| (ms as f64 * cost.expected).round() as u64),
        priority: Some(priority(cost_ms, cost.expected)),
        if_pass,
        if_fail,
    }
}

/// How many cases like this one an hour of runs is expected to settle. A run of unknown duration counts as a minute.
#[allow(clippy::cast_precision_loss)]
fn priority(cost_ms: Option<u64>, expected_runs: f64) -> f64 {
    let hours = cost_ms.unwrap_or(60_000).max(1) as f64 * expected_runs.max(1.0) / 3_600_000.0;
    (1000.0 / hours).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, contrast, find, history, settings};
    use lib_common::record::Known;
    use lib_common::record::case::CaseFailed;
    use lib_common::record::run::Outcome;

    fn next_of(failed: &CaseFailed, records: Vec<Known>) -> Next {
        let settings = settings();
        next(&find(failed, records), &settings, &mut Needed::new(&settings.rule))
    }

    fn run_of(failed: &CaseFailed, records: Vec<Known>) -> RunPlanned {
        match next_of(failed, records) {
            Next::Run(plan) => *plan,
            other => panic!("{other:?}"),
        }
    }

    /// A case with everything that may be varied.
    fn rich() -> CaseFailed {
        let mut case = case();
        case.baseline = Factors::from([("path".into(), "warm".into()), ("load".into(), "loaded".into())]);
        case.contrasts = vec![
            contrast("load", &["isolated", "loaded"]),
            contrast("path", &["cold", "warm"]),
            contrast("version", &["0.9"]),
            contrast("fix", &["none", "p1"]),
        ];
        case
    }

    #[test]
    fn the_verdict_first() {
        let plan = run_of(&rich(), vec![]);
        let expected = [("fix", "none"), ("load", "isolated"), ("path", "warm")];
        assert_eq!(plan.factors, Factors::from(expected.map(|(k, v)| (k.into(), v.into()))));
        assert_eq!((plan.minimum_runs, plan.minimum_ms), (2, None));
        assert!((plan.expected_runs - 7.3).abs() < 0.05);
        let plan = run_of(&rich(), history("a", "iLiL", 1, &[]));
        assert_eq!(
            (plan.factors["load"].as_str(), plan.minimum_runs, plan.minimum_ms),
            ("isolated", 1, Some(60_000))
        );
        assert_eq!(plan.if_pass, "load-flake");
    }

    #[test]
    fn correlated_reds_ask_for_one_more() {
        let plan = run_of(&rich(), history("a", "IIIII", 1, &[]));
        assert_eq!(plan.factors["load"], "isolated");
        assert!(plan.if_fail.starts_with("genuine, if"));
        assert_eq!(next_of(&rich(), history("a", &"I".repeat(20), 0, &[])), Next::Settled);
    }

    #[test]
    fn then_contrasts_one_factor_at_a_time_then_fixes() {
        let mut records = history("a", "IIIII", 5, &[]);
        let plan = run_of(&rich(), records.clone());
        assert_eq!((plan.factors["path"].as_str(), plan.factors.get("version")), ("cold", None));
        assert_eq!(plan.minimum_runs, 1 + 1 + 2);
        records.extend(history("b", "ii", 5, &[("path", "cold")]));
        let plan = run_of(&rich(), records.clone());
        assert_eq!((plan.factors["path"].as_str(), plan.factors["version"].as_str()), ("warm", "0.9"));
        records.extend(history("c", "I", 5, &[("version", "0.9")]));
        let plan = run_of(&rich(), records.clone());
        assert_eq!((plan.factors["fix"].as_str(), plan.factors["load"].as_str()), ("p1", "isolated"));
        records.extend(history("d", "ii", 5, &[("fix", "p1")]));
        assert_eq!(next_of(&rich(), records), Next::Settled);
    }

    #[test]
    fn a_load_flakes_fix_runs_loaded() {
        let mut records = history("a", "iLiLi", 1, &[]);
        let plan = run_of(&rich(), records.clone());
        assert_eq!((plan.factors["fix"].as_str(), plan.factors["load"].as_str()), ("p1", "loaded"));
        assert_eq!((plan.minimum_runs, plan.if_fail.as_str()), (2, "not decided yet"));
        records.extend(history("d", "LL", 5, &[("fix", "p1")]));
        assert_eq!(next_of(&rich(), records), Next::Settled);
    }

    #[test]
    fn at_the_cap_nothing_more_is_planned() {
        let green = "iil".repeat(7);
        assert_eq!(next_of(&rich(), history("a", &green[..20], 1, &[])), Next::Settled);
    }

    #[test]
    fn a_run_that_never_counts_is_not_asked_for_for_ever() {
        let infra = |count| {
            let mut records = history("a", &"I".repeat(count), 1, &[]);
            for record in &mut records {
                if let Known::RunFinished(run) = record {
                    run.outcome = Outcome::Infra;
                }
            }
            records
        };
        assert!(matches!(next_of(&case(), infra(4)), Next::Run(_)));
        assert_eq!(next_of(&case(), infra(5)), Next::Stuck(vec!["infra"]));
        let mut recovered = infra(5);
        recovered.extend(history("b", "i", 1, &[]));
        recovered.extend(history("c", "L", 1, &[]));
        assert!(matches!(next_of(&case(), recovered), Next::Run(_)));
    }
}
