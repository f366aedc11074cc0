//! Decides beyond the cap by an e-process, which stays valid however long the history is and in whatever order it was
//! run.
//!
//! This is universal inference: the evidence is the likelihood under a Jeffreys mixture (which depends on no data)
//! divided by the best likelihood that the hypothesis allows. If the hypothesis is true, its expectation is at most 1
//! at any stopping time, so that it ever reaches 20 has a probability of at most 1 in 20 (Ville's inequality). Only the
//! totals are needed.

use std::sync::LazyLock;

use lib_common::record::verdict::{Tally, Verdict};

use crate::rule::{Counts, T};
use lib_common::glr;

/// The verdict of any number of runs, if the evidence suffices. `Genuine` is decided as within the cap, which is an
/// e-process too: its mixture is the single point "always fails", against "half the time", the hardest rate to refute.
pub fn decide(counts: &Counts) -> Option<Verdict> {
    let isolated = counts.isolated;
    let rate = glr::rate(isolated)?;
    let against = |p: f64| mixture(isolated) - glr::ln_likelihood(isolated, p);
    let not_deterministic = against(rate.max(1.0 - glr::EPS)) >= T.ln();
    if isolated.pass == 0 && glr::against_at_most(isolated, 0.5) >= T {
        Some(Verdict::Genuine)
    } else if not_deterministic && against_load_is_nothing(counts) >= T.ln() {
        Some(Verdict::LoadFlake)
    } else if not_deterministic && against(rate.min(glr::EPS)) >= T.ln() {
        Some(Verdict::Flake)
    } else {
        None
    }
}

/// Logarithm of the evidence against "loaded runs fail no more often than isolated ones".
fn against_load_is_nothing(counts: &Counts) -> f64 {
    let (isolated, loaded) = (counts.isolated, counts.loaded);
    match (glr::rate(isolated), glr::rate(loaded)) {
        (Some(p), Some(q)) if q > p => {
            let both = glr::sum(isolated, loaded);
            let pooled = glr::rate(both).unwrap_or(0.0);
            mixture(isolated) + mixture(loaded) - glr::ln_likelihood(both, pooled)
        }
        _ => 0.0,
    }
}

/// Logarithm of the likelihood under the Jeffreys mixture, `ln B(fail + 1/2, pass + 1/2) / B(1/2, 1/2)`, as the product
/// of its predictions run by run.
fn mixture(tally: Tally) -> f64 {
    halves(tally.fail) + halves(tally.pass) - ln_factorial(crate::rule::runs(tally))
}

/// Sums of `ln(i + 1/2)` and `ln(i + 1)` for all `i` below each index, because a verdict needs them after every run.
/// They suffice for the most attempts that are kept of a case, 4096, under both conditions.
static SUMS: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let mut sums = vec![(0.0, 0.0)];
    for i in 0..2 * 4096 {
        let (halves, wholes) = sums[sums.len() - 1];
        sums.push((halves + (f64::from(i) + 0.5).ln(), wholes + (f64::from(i) + 1.0).ln()));
    }
    sums
});

/// `ln (1/2 * 3/2 * ...)` with `n` factors.
fn halves(n: u32) -> f64 {
    sum(n, |sums| sums.0, 0.5)
}

fn ln_factorial(n: u32) -> f64 {
    sum(n, |sums| sums.1, 1.0)
}

fn sum(n: u32, column: impl Fn(&(f64, f64)) -> f64, start: f64) -> f64 {
    let known = usize::try_from(n).unwrap_or(usize::MAX).min(SUMS.len() - 1);
    let rest = u32::try_from(known).unwrap_or(n)..n;
    column(&SUMS[known]) + rest.map(|i| (f64::from(i) + start).ln()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(a: u32, b: u32, c: u32, d: u32) -> Counts {
        Counts { isolated: Tally { fail: a, pass: b }, loaded: Tally { fail: c, pass: d } }
    }

    #[test]
    fn the_mixture_is_a_distribution() {
        let paths = |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product::<f64>();
        let total: f64 =
            (0..=30).map(|k| paths(30, k) * mixture(Tally { fail: k, pass: 30 - k }).exp()).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
    }

    #[test]
    fn long_histories_are_decided() {
        assert_eq!(decide(&counts(0, 40, 8, 20)), Some(Verdict::LoadFlake));
        assert_eq!(decide(&counts(10, 40, 0, 0)), Some(Verdict::Flake));
        assert_eq!(decide(&counts(30, 0, 0, 0)), Some(Verdict::Genuine));
        assert_eq!(decide(&counts(0, 40, 0, 40)), None);
        assert_eq!(decide(&counts(0, 0, 9, 0)), None);
    }
}
