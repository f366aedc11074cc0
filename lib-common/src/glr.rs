//! Generalised likelihood ratios of fail and pass counts: arithmetic only, no thresholds.
//!
//! A ratio says how many times better the best explanation of the counts is than the best explanation that a
//! hypothesis allows. 1 is no evidence against the hypothesis, 20 is "20 to 1 against it". It is not a
//! probability.

use crate::record::verdict::{Ratios, Tally};

/// Noise floor: a failure rate of at most `EPS` counts as noise, one of at least `1 - EPS` as deterministic.
pub const EPS: f64 = 0.02;

/// Largest logarithm of a ratio: e^690 is about 10^299, which still is a finite `f64`. JSON cannot say infinity.
const LARGEST_LN: f64 = 690.0;

/// `ln(p^fail * (1-p)^pass)` with `0^0 = 1`.
#[must_use]
pub fn ln_likelihood(tally: Tally, p: f64) -> f64 {
    let term = |count: u32, p: f64| if count == 0 { 0.0 } else { f64::from(count) * p.ln() };
    term(tally.fail, p) + term(tally.pass, 1.0 - p)
}

/// Share of the runs that failed; `None` without runs.
#[must_use]
pub fn rate(tally: Tally) -> Option<f64> {
    let runs = f64::from(tally.fail) + f64::from(tally.pass);
    (runs > 0.0).then(|| f64::from(tally.fail) / runs)
}

/// Fails and passes of both together.
#[must_use]
pub fn sum(one: Tally, other: Tally) -> Tally {
    Tally { fail: one.fail.saturating_add(other.fail), pass: one.pass.saturating_add(other.pass) }
}

/// Evidence against "fails with a rate of at most `bound`".
#[must_use]
pub fn against_at_most(tally: Tally, bound: f64) -> f64 {
    against(tally, |rate| rate.min(bound))
}

/// Evidence against "fails with a rate of at least `bound`".
#[must_use]
pub fn against_at_least(tally: Tally, bound: f64) -> f64 {
    against(tally, |rate| rate.max(bound))
}

fn against(tally: Tally, allowed: impl Fn(f64) -> f64) -> f64 {
    rate(tally).map_or(1.0, |p| ratio(ln_likelihood(tally, p) - ln_likelihood(tally, allowed(p))))
}

/// Evidence against "the second fails no more often than the first"; 1 where one of them has no runs.
#[must_use]
pub fn against_no_worse(first: Tally, second: Tally) -> f64 {
    match (rate(first), rate(second)) {
        (Some(p), Some(q)) if q > p => {
            let both = sum(first, second);
            let pooled = rate(both).unwrap_or(0.0);
            ratio(ln_likelihood(first, p) + ln_likelihood(second, q) - ln_likelihood(both, pooled))
        }
        _ => 1.0,
    }
}

/// The four ratios of the sequential test.
#[must_use]
pub fn ratios(isolated: Tally, loaded: Tally) -> Ratios {
    Ratios {
        half: against_at_most(isolated, 0.5),
        det: against_at_least(isolated, 1.0 - EPS),
        clean: against_at_most(isolated, EPS),
        load: against_no_worse(isolated, loaded),
    }
}

/// Highest failure rate that `passes` passes without a fail do not exclude at 20 to 1 (which is also the
/// one-sided 95 % bound).
#[must_use]
pub fn bound_of_clean(passes: u32) -> f64 {
    if passes == 0 { 1.0 } else { 1.0 - 20f64.powf(-1.0 / f64::from(passes)) }
}

/// The ratio whose logarithm is `ln`. It is kept finite, and at least 1 where rounding made the logarithm negative.
#[must_use]
pub fn ratio(ln: f64) -> f64 {
    ln.clamp(0.0, LARGEST_LN).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(fail: u32, pass: u32) -> Tally {
        Tally { fail, pass }
    }

    #[test]
    fn ratios_that_were_computed_by_hand() {
        assert!((against_at_most(tally(5, 0), 0.5) - 32.0).abs() < 1e-9);
        assert!((against_no_worse(tally(0, 3), tally(2, 0)) - 28.935_185).abs() < 1e-6);
        assert!((against_at_least(tally(1, 1), 0.98) - 12.755_102).abs() < 1e-6);
        assert!((against_no_worse(tally(2, 0), tally(0, 3)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_runs_are_no_evidence_and_many_stay_finite() {
        let none = ratios(tally(0, 0), tally(3, 0));
        assert_eq!([none.half, none.det, none.clean, none.load].map(f64::to_bits), [1f64.to_bits(); 4]);
        let many = ratios(tally(0, u32::MAX), tally(u32::MAX, 0));
        assert!(many.det.is_finite() && many.load.is_finite() && many.det > 1e100);
    }

    #[test]
    fn what_greens_exclude() {
        assert!((bound_of_clean(3) - 0.631_596).abs() < 1e-6);
        assert!((bound_of_clean(0) - 1.0).abs() < 1e-12);
    }
}
