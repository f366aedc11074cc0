//! Reaches the verdict of one case: it adds up the runs in time order, and the first counts that reach a threshold
//! decide. Correlated runs do not prove `genuine`. Pure.

use lib_common::record::verdict::Verdict;

use crate::eprocess;
use crate::pool::count;
use crate::rule::{Counts, Load, Rule};
use crate::sample::Sample;
use crate::settings::Settings;

/// Why the verdict is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The evidence reached its threshold.
    Decided,
    /// The evidence reached its threshold with back-to-back runs on one machine, which the user accepts.
    AcceptedCorrelated,
    /// There are enough red runs for `genuine`, but they were back to back on one machine.
    Correlated,
    /// There is not enough evidence.
    Open,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub why: Why,
    /// The counts after the deciding run; those of all runs while nothing is decided.
    pub counts: Counts,
    /// How many runs, from the first on, are in `counts`.
    pub used: usize,
    /// The runs after the deciding one. They change nothing, but people want to know of them.
    pub later: Counts,
    /// Whether the verdict is decided or the cap is reached, so that no further run of the baseline is needed.
    pub settled: bool,
}

/// Judges the runs of the baseline, which come in time order.
pub fn judge(base: &[Sample], settings: &Settings) -> Judgement {
    let all = count(base);
    let mut counts = Counts::default();
    let mut correlated = false;
    for (at, sample) in base.iter().enumerate() {
        counts = counts.and(sample.load, sample.red);
        if settings.rule.order_free && at + 1 < base.len() {
            continue;
        }
        let Some(verdict) = crossing(&settings.rule, &counts) else { continue };
        correlated = verdict == Verdict::Genuine && back_to_back(&base[..=at], settings.spacing_ms);
        if !correlated || settings.accept_correlated {
            let why = if correlated { Why::AcceptedCorrelated } else { Why::Decided };
            return Judgement {
                verdict,
                why,
                counts,
                used: at + 1,
                later: count(&base[at + 1..]),
                settled: true,
            };
        }
    }
    let why = if correlated && all.isolated.pass == 0 { Why::Correlated } else { Why::Open };
    let (later, settled) = (Counts::default(), all.runs() >= settings.rule.cap);
    Judgement { verdict: Verdict::Inconclusive, why, counts: all, used: base.len(), later, settled }
}

/// The verdict whose thresholds these counts reach, if any: by the rule within the cap, beyond it by the e-process,
/// which needs no cap.
pub fn crossing(rule: &Rule, counts: &Counts) -> Option<Verdict> {
    if counts.runs() <= rule.cap { rule.decide(counts) } else { eprocess::decide(counts) }
}

/// The earliest useful start of the next isolated run, in milliseconds since 1970. It is given if one more red run
/// would be enough for `genuine`, were the red runs of the one machine not too close together. `None` means now.
pub fn not_before(base: &[Sample], settings: &Settings) -> Option<i64> {
    let one_more = count(base).and(Load::Isolated, true);
    if settings.accept_correlated || crossing(&settings.rule, &one_more) != Some(Verdict::Genuine) {
        return None;
    }
    let (first, _) = reds_of_one_machine(base)?;
    first.started().map(|started| started.saturating_add(settings.spacing_ms))
}

/// Whether the failing isolated runs share one boot of one machine within less than `spacing_ms`.
pub fn back_to_back(base: &[Sample], spacing_ms: i64) -> bool {
    let Some((first, last)) = reds_of_one_machine(base) else { return false };
    // Runs without a time cannot be shown to be apart.
    let apart = last.started().zip(first.started()).map(|(last, first)| last.saturating_sub(first));
    apart.unwrap_or(0) < spacing_ms
}

/// The first and the last failing isolated run, if all of them share one boot of one machine.
fn reds_of_one_machine(base: &[Sample]) -> Option<(&Sample, &Sample)> {
    let red = || base.iter().filter(|sample| sample.red && sample.load == Load::Isolated);
    let (first, last) = (red().next()?, red().next_back()?);
    red().all(|sample| sample.boot() == first.boot()).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::testing::{case, failed, fold, history, settings};
    use lib_common::record::Known;

    fn judged(records: Vec<Known>, settings: &Settings) -> Judgement {
        let all = std::iter::once(failed()).chain(records);
        judge(&Pool::new(&case(), fold(all).cases()[0].1, settings, false).base, settings)
    }

    #[test]
    fn the_first_crossing_is_kept() {
        let judgement = judged(history("a", "Iiiiiii", 5, &[]), &settings());
        assert_eq!((judgement.verdict, judgement.used), (Verdict::Flake, 2));
        assert_eq!(judgement.later.isolated.pass, 5);
        assert!(judgement.settled);
    }

    #[test]
    fn back_to_back_runs_on_one_machine_are_not_genuine() {
        let judgement = judged(history("a", "IIIII", 1, &[]), &settings());
        assert_eq!((judgement.verdict, judgement.why), (Verdict::Inconclusive, Why::Correlated));
        assert!(!judgement.settled);
        assert_eq!(judged(history("a", "IIIII", 3, &[]), &settings()).verdict, Verdict::Genuine);
        let accepted = Settings { accept_correlated: true, ..settings() };
        assert_eq!(judged(history("a", "IIIII", 1, &[]), &accepted).why, Why::AcceptedCorrelated);
    }

    #[test]
    fn the_red_that_would_decide_is_made_when_it_can() {
        let of = |records, settings: &Settings| {
            let all = std::iter::once(failed()).chain(records);
            not_before(&Pool::new(&case(), fold(all).cases()[0].1, settings, false).base, settings)
        };
        let minute = 60_000;
        assert_eq!(of(history("a", "III", 1, &[]), &settings()), None, "a fourth red decides nothing");
        assert_eq!(of(history("a", "IIII", 1, &[]), &settings()), Some(10 * minute));
        assert_eq!(of(history("a", "IIIII", 1, &[]), &settings()), Some(10 * minute), "correlated so far");
        assert_eq!(of(history("a", "IIIIi", 1, &[]), &settings()), None);
        let accepted = Settings { accept_correlated: true, ..settings() };
        assert_eq!(of(history("a", "IIII", 1, &[]), &accepted), None);
        let mut records = history("a", "IIII", 1, &[]);
        if let Known::RunFinished(run) = &mut records[2] {
            run.boot_id = "b2".into();
        }
        assert_eq!(of(records, &settings()), None, "a second machine");
    }

    #[test]
    fn a_second_machine_is_independence() {
        let mut records = history("a", "IIIII", 1, &[]);
        if let Known::RunFinished(run) = &mut records[4] {
            run.boot_id = "b2".into();
        }
        assert_eq!(judged(records, &settings()).why, Why::Decided);
    }

    #[test]
    fn a_green_run_after_correlated_reds_is_a_flake() {
        let judgement = judged(history("a", "IIIIIii", 1, &[]), &settings());
        assert_eq!((judgement.verdict, judgement.used), (Verdict::Flake, 7));
    }

    #[test]
    fn beyond_the_cap_the_e_process_goes_on() {
        let silent = "iil".repeat(7);
        let at_cap = judged(history("a", &silent[..20], 1, &[]), &settings());
        assert_eq!((at_cap.verdict, at_cap.settled), (Verdict::Inconclusive, true));
        let late = format!("{silent}{}", "LLLLLLLL");
        let judgement = judged(history("a", &late, 1, &[]), &settings());
        assert_eq!(judgement.verdict, Verdict::LoadFlake);
        assert!(judgement.used > 20);
    }
}
