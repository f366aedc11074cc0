//! Tests that recompute the rule's guarantees exactly, by dynamic programming over the lattice of counts, without
//! random numbers.

use std::collections::BTreeMap;

use lib_common::record::verdict::Verdict;

use crate::judge::crossing;
use crate::rule::{Counts, Rule};

/// The counts at which the sequential test ends, each with its verdict and the number of paths to it. All paths to the
/// same counts have the same probability.
struct Ends(Vec<(Counts, Option<Verdict>, f64)>);

impl Ends {
    /// Follows the rule's own plan for at most `horizon` runs. Beyond the cap the e-process decides.
    fn of(rule: &Rule, horizon: u32) -> Self {
        let mut layer = BTreeMap::from([(Counts::default(), 1.0)]);
        let mut ends = Vec::new();
        for _ in 0..horizon {
            let mut after: BTreeMap<Counts, f64> = BTreeMap::new();
            for (counts, paths) in layer {
                let load = counts.next_load();
                for red in [true, false] {
                    *after.entry(counts.and(load, red)).or_default() += paths;
                }
            }
            layer = BTreeMap::new();
            for (counts, paths) in after {
                match crossing(rule, &counts) {
                    Some(verdict) => ends.push((counts, Some(verdict), paths)),
                    None => {
                        layer.insert(counts, paths);
                    }
                }
            }
        }
        ends.extend(layer.into_iter().map(|(counts, paths)| (counts, None, paths)));
        Self(ends)
    }

    /// Expectation of `value` if isolated runs fail with probability `p` and loaded ones with `q`.
    fn mean(&self, p: f64, q: f64, value: impl Fn(&Counts, Option<Verdict>) -> f64) -> f64 {
        let power = |p: f64, n: u32| p.powi(i32::try_from(n).unwrap());
        let terms = self.0.iter().map(|(counts, verdict, paths)| {
            let (i, l) = (counts.isolated, counts.loaded);
            let likelihood =
                power(p, i.fail) * power(1.0 - p, i.pass) * power(q, l.fail) * power(1.0 - q, l.pass);
            paths * likelihood * value(counts, *verdict)
        });
        terms.sum()
    }

    /// Largest probability, over the grid, that the verdict is one of `wrong`.
    fn worst(&self, grid: impl Iterator<Item = (f64, f64)>, wrong: &[Verdict]) -> f64 {
        let is_wrong = |verdict: Option<Verdict>| verdict.is_some_and(|verdict| wrong.contains(&verdict));
        let ends = Self(self.0.iter().filter(|end| is_wrong(end.1)).copied().collect());
        grid.map(|(p, q)| ends.mean(p, q, |_, _| 1.0)).fold(0.0, f64::max)
    }

    /// The four largest error probabilities: load-flake although load makes no difference, genuine although it fails at
    /// most half the time, flake or load-flake although it always fails, flake although isolated failures are noise.
    fn errors(&self) -> [f64; 4] {
        let step = |i: u32| f64::from(i) * 0.005;
        let all = || (0..=200).map(step);
        let pairs =
            |ps: std::ops::RangeInclusive<u32>| ps.map(step).flat_map(move |p| all().map(move |q| (p, q)));
        [
            self.worst(all().map(|p| (p, p)), &[Verdict::LoadFlake]),
            self.worst([0.0, 0.5, 1.0].map(|q| (0.5, q)).into_iter(), &[Verdict::Genuine]),
            self.worst(pairs(196..=200), &[Verdict::Flake, Verdict::LoadFlake]),
            self.worst(pairs(0..=4), &[Verdict::Flake]),
        ]
    }
}

fn near(one: [f64; 4], other: [f64; 4]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() <= 5e-5 + 1e-9)
}

#[test]
fn the_recommended_rule_has_the_published_error_rates() {
    let errors = Ends::of(&Rule::new(20, false).unwrap(), 20).errors();
    assert!(near(errors, [0.0490, 0.03125, 0.0460, 0.0483]), "{errors:?}");
    let errors = Ends::of(&Rule::new(20, true).unwrap(), 20).errors();
    assert!(near(errors, [0.0496, 0.03125, 0.0126, 0.0149]), "{errors:?}");
}

#[test]
fn every_cap_is_wrong_at_most_once_in_twenty() {
    for cap in [12, 16, 20, 24, 30, 40] {
        for order_free in [false, true] {
            let errors = Ends::of(&Rule::new(cap, order_free).unwrap(), cap).errors();
            assert!(
                errors.iter().all(|error| *error <= 0.05),
                "cap {cap}, order-free {order_free}: {errors:?}"
            );
        }
    }
}

/// The e-process, which goes on beyond the cap, adds next to nothing to the error probabilities.
#[test]
fn three_caps_long_it_is_still_wrong_at_most_once_in_twenty() {
    let errors = Ends::of(&Rule::new(20, false).unwrap(), 60).errors();
    assert!(errors.iter().all(|error| *error <= 0.05), "{errors:?}");
}

/// Expected runs for the failure rates (isolated, loaded) in `cells`, as they were published with the rule.
#[test]
fn expected_runs_are_the_published_ones() {
    let cells = [
        (0.0, 0.1),
        (0.0, 0.5),
        (0.0, 1.0),
        (0.02, 0.1),
        (0.02, 0.5),
        (0.02, 1.0),
        (0.1, 0.1),
        (0.1, 0.5),
        (0.1, 1.0),
        (0.5, 0.1),
        (0.5, 0.5),
        (0.5, 1.0),
        (1.0, 0.1),
        (1.0, 0.5),
        (1.0, 1.0),
    ];
    let rows = [
        (12, false, [11.9, 10.0, 5.0, 11.5, 9.7, 5.0, 9.9, 8.5, 4.8, 4.7, 4.5, 4.1, 5.0, 5.0, 5.0]),
        (20, false, [19.7, 12.8, 5.0, 19.0, 12.7, 5.0, 15.2, 11.1, 4.8, 4.7, 4.6, 4.2, 5.0, 5.0, 5.0]),
        (20, true, [19.8, 13.1, 5.0, 19.6, 13.5, 5.4, 17.0, 13.0, 6.2, 6.3, 6.1, 5.7, 5.0, 5.0, 5.0]),
    ];
    for (cap, order_free, published) in rows {
        let ends = Ends::of(&Rule::new(cap, order_free).unwrap(), cap);
        for ((p, q), published) in cells.into_iter().zip(published) {
            let runs = ends.mean(p, q, |counts, _| f64::from(counts.runs()));
            assert!((runs - published).abs() <= 0.1, "cap {cap} at {p}/{q}: {runs}, published {published}");
            let total = ends.mean(p, q, |_, _| 1.0);
            assert!((total - 1.0).abs() < 1e-9, "{total}");
        }
    }
}
