//! Computes how often something fails, at most and at least, from its counts: exact one-sided binomial bounds. Pure.

use lib_common::record::verdict::Tally;

/// Probability that a bound is wrong.
const ALPHA: f64 = 0.05;

/// The failure rates (0 to 1) that `tally` does not rule out at 95 % on either side: Clopper and Pearson (1934).
/// `None` without a run.
#[must_use]
pub fn rates(tally: Tally) -> Option<(f64, f64)> {
    let n = tally.fail + tally.pass;
    (n > 0).then(|| (1.0 - upper(tally.pass, n), upper(tally.fail, n)))
}

/// The bounds in words; an empty text without a run.
#[must_use]
pub fn words(tally: Tally) -> String {
    let percent = |rate: f64| format!("{:.0} %", rate * 100.0);
    match rates(tally) {
        None => String::new(),
        Some((_, most)) if tally.fail == 0 => format!("fails at most {} of the time", percent(most)),
        Some((least, _)) if tally.pass == 0 => format!("fails at least {} of the time", percent(least)),
        Some((least, most)) => format!("fails {} to {} of the time", percent(least), percent(most)),
    }
}

/// The largest rate at which `k` events or fewer in `n` runs still have the probability [`ALPHA`].
fn upper(k: u32, n: u32) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(k, n, middle) > ALPHA { low = middle } else { high = middle }
    }
    high
}

/// Probability of `k` events or fewer in `n` runs, if each has the probability `p`, which is neither 0 nor 1.
fn at_most(k: u32, n: u32, p: f64) -> f64 {
    // Terms are computed as logarithms, because (1 - p)^n is too small for an `f64` in long histories.
    let mut term = f64::from(n) * (1.0 - p).ln();
    let mut sum = term.exp();
    for i in 0..k {
        term += (f64::from(n - i) / f64::from(i + 1)).ln() + p.ln() - (1.0 - p).ln();
        sum += term.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(fail: u32, pass: u32) -> Tally {
        Tally { fail, pass }
    }

    #[test]
    fn the_textbook_values() {
        let (least, most) = rates(tally(0, 5)).unwrap();
        assert!(least.abs() < 1e-9 && (most - (1.0 - 0.05_f64.powf(0.2))).abs() < 1e-9);
        let (least, most) = rates(tally(5, 0)).unwrap();
        assert!((least - 0.05_f64.powf(0.2)).abs() < 1e-9 && (most - 1.0).abs() < 1e-9);
        // 3 of 10: 0.0873 to 0.6066.
        let (least, most) = rates(tally(3, 7)).unwrap();
        assert!((least - 0.0873).abs() < 1e-4 && (most - 0.6066).abs() < 1e-4, "{least} {most}");
        assert_eq!(rates(tally(0, 0)), None);
        assert!(rates(tally(4000, 4000)).is_some_and(|(least, most)| least > 0.48 && most < 0.52));
    }

    #[test]
    fn in_words() {
        assert_eq!(words(tally(0, 5)), "fails at most 45 % of the time");
        assert_eq!(words(tally(5, 0)), "fails at least 55 % of the time");
        assert_eq!(words(tally(3, 7)), "fails 9 % to 61 % of the time");
        assert_eq!(words(tally(0, 0)), "");
    }
}
