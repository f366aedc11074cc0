//! Reaches the verdict on one patch by comparing the runs without it with the runs with it. Pure.

use lib_common::record::Factors;
use lib_common::record::case::CaseFailed;
use lib_common::record::verdict::{FixOutcome, FixVerdict};

use crate::contrast::red_load;
use crate::cure::{self, Cure, RedsNeeded};
use crate::judge::Judgement;
use crate::pool::{Pool, tally};
use crate::rule::{Load, Rule, T, runs};
use crate::sample::Sample;
use crate::words::{self, odds, plural};

/// Fewest red runs that reject a fix.
pub const REDS: RedsNeeded = RedsNeeded(2);

/// Most runs for one fix: twice as many as for the verdict, because it takes many green runs to exclude a rare failure.
pub fn cap(rule: &Rule) -> u32 {
    2 * rule.cap
}

/// The levels that were red: the baseline's, under `load`.
pub fn under(failed: &CaseFailed, load: Load) -> Factors {
    let mut levels = failed.baseline.clone();
    levels.remove("fix");
    levels.insert("load".into(), load.name().into());
    levels
}

/// One verdict per patch that has runs under the condition that was red.
pub fn verdicts(failed: &CaseFailed, pool: &Pool, judgement: &Judgement, rule: &Rule) -> Vec<FixVerdict> {
    let load = red_load(judgement);
    let before = tally(&pool.base, load);
    let verdict = |(fix, samples): (&String, &Vec<Sample>)| {
        let after = tally(samples, load);
        if runs(after) == 0 {
            return None;
        }
        let verdict = match cure::compare(before, after, REDS) {
            Cure::Cured => FixOutcome::Fixed,
            Cure::StillRed => FixOutcome::NotFixed,
            Cure::Open => FixOutcome::Inconclusive,
        };
        let further_runs = match verdict {
            FixOutcome::Inconclusive => cure::greens_needed(before, after, 1000).unwrap_or(cap(rule)),
            _ => 0,
        };
        let used = samples.iter().filter(|sample| sample.load == load);
        let mut record = FixVerdict {
            case: failed.case.clone(),
            fix: fix.clone(),
            verdict,
            under: under(failed, load),
            before,
            after,
            ratio: cure::ratio(before, after),
            threshold: T,
            attempts: used.map(|sample| sample.id().to_owned()).collect(),
            further_runs,
            sentence: String::new(),
        };
        record.sentence = sentence(&record, load);
        Some(record)
    };
    pool.fixes.iter().filter_map(verdict).collect()
}

/// The verdict in words, for people.
fn sentence(record: &FixVerdict, load: Load) -> String {
    let before = words::tally(record.before, load.name());
    let after = words::tally(record.after, load.name());
    let odds = odds(record.ratio);
    let seen = format!("without the fix {before}, with it {after}");
    match record.verdict {
        FixOutcome::Fixed => format!("fixed: {seen}; {odds} against \"it fails as often as before\""),
        FixOutcome::NotFixed => format!("not-fixed: {seen}; what still fails is more than noise"),
        FixOutcome::Inconclusive => format!(
            "inconclusive: {seen}; {odds} against \"it fails as often as before\", {} more green {} would settle it",
            record.further_runs,
            plural(record.further_runs, "run")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, find, history};
    use lib_common::record::verdict::Tally;

    fn verdict(base: &str, fixed: &str) -> Option<FixVerdict> {
        let mut records = history("a", base, 5, &[]);
        records.extend(history("f", fixed, 5, &[("fix", "p1")]));
        find(&case(), records).fixes.pop()
    }

    #[test]
    fn judged_under_the_condition_that_was_red() {
        let fixed = verdict("iLiLi", "lll").unwrap();
        assert_eq!((fixed.verdict, fixed.further_runs), (FixOutcome::Fixed, 0));
        assert_eq!(fixed.under["load"], "loaded");
        assert_eq!((fixed.before, fixed.after), (Tally { fail: 2, pass: 0 }, Tally { fail: 0, pass: 3 }));
        assert_eq!(verdict("iLiLi", "iii"), None);
    }

    #[test]
    fn not_yet_and_not_at_all() {
        let open = verdict("iLiLi", "ll").unwrap();
        assert_eq!((open.verdict, open.further_runs), (FixOutcome::Inconclusive, 1));
        assert_eq!(verdict("IIIII", "II").unwrap().verdict, FixOutcome::NotFixed);
        assert_eq!(verdict("IIIII", "I").unwrap().verdict, FixOutcome::Inconclusive);
    }

    #[test]
    fn nothing_red_before_proves_nothing() {
        let open = verdict("iii", "iii").unwrap();
        assert_eq!((open.verdict, open.further_runs), (FixOutcome::Inconclusive, 40));
    }
}
