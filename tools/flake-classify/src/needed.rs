//! Computes how many further runs a verdict needs: the fewest that could bring one, and the number to expect. Pure.

use std::collections::HashMap;

use lib_common::record::verdict::{Tally, Verdict};

use crate::rule::{Counts, Rule, runs};

/// The number of further runs until the verdict, or until the cap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// `None` if no outcome of the runs that the cap leaves would decide it.
    pub minimum: Option<u32>,
    pub expected: f64,
}

/// Walks the lattice of counts along the runs that the rule would choose, and remembers the cost of each node.
pub struct Needed<'a> {
    rule: &'a Rule,
    known: HashMap<Counts, Cost>,
}

impl<'a> Needed<'a> {
    pub fn new(rule: &'a Rule) -> Self {
        Self { rule, known: HashMap::new() }
    }

    /// The cost from these counts on. It assumes that a further run fails with the probability that [`predicted`] gives
    /// for its condition.
    pub fn cost(&mut self, counts: &Counts) -> Cost {
        if self.rule.decide(counts).is_some() {
            return Cost { minimum: Some(0), expected: 0.0 };
        }
        if counts.runs() >= self.rule.cap {
            return Cost { minimum: None, expected: 0.0 };
        }
        if let Some(cost) = self.known.get(counts) {
            return *cost;
        }
        let load = counts.next_load();
        let red = self.cost(&counts.and(load, true));
        let green = self.cost(&counts.and(load, false));
        let p = predicted(counts.of(load));
        let cost = Cost {
            minimum: red.minimum.into_iter().chain(green.minimum).min().map(|runs| runs + 1),
            expected: 1.0 + p * red.expected + (1.0 - p) * green.expected,
        };
        self.known.insert(*counts, cost);
        cost
    }

    /// Fewest further runs that could bring this verdict.
    pub fn minimum_to(&self, verdict: Verdict, counts: &Counts) -> Option<u32> {
        let mut layer = vec![*counts];
        for further in 0..=self.rule.cap.saturating_sub(counts.runs()) {
            if layer.iter().any(|counts| self.rule.decide(counts) == Some(verdict)) {
                return Some(further);
            }
            layer.retain(|counts| self.rule.decide(counts).is_none());
            layer = layer
                .iter()
                .flat_map(|counts| {
                    let load = counts.next_load();
                    [counts.and(load, true), counts.and(load, false)]
                })
                .collect();
            layer.sort_unstable();
            layer.dedup();
        }
        None
    }
}

/// The Jeffreys prediction that the next run fails: `(fails + 1/2) / (runs + 1)`.
fn predicted(tally: Tally) -> f64 {
    (f64::from(tally.fail) + 0.5) / (f64::from(runs(tally)) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(a: u32, b: u32, c: u32, d: u32) -> Counts {
        Counts { isolated: Tally { fail: a, pass: b }, loaded: Tally { fail: c, pass: d } }
    }

    #[test]
    fn the_published_numbers() {
        let rule = Rule::new(20, false).unwrap();
        let mut needed = Needed::new(&rule);
        let zero = counts(0, 0, 0, 0);
        assert_eq!(needed.minimum_to(Verdict::Flake, &zero), Some(2));
        assert_eq!(needed.minimum_to(Verdict::Genuine, &zero), Some(5));
        assert_eq!(needed.minimum_to(Verdict::LoadFlake, &zero), Some(5));
        assert_eq!(needed.cost(&zero).minimum, Some(2));
        assert!((needed.cost(&zero).expected - 7.3).abs() < 0.05, "{}", needed.cost(&zero).expected);
        assert_eq!(needed.minimum_to(Verdict::LoadFlake, &counts(0, 1, 0, 0)), Some(4));
        assert_eq!(needed.minimum_to(Verdict::LoadFlake, &counts(0, 2, 2, 0)), Some(1));
        assert_eq!(needed.minimum_to(Verdict::LoadFlake, &counts(0, 2, 0, 1)), Some(7));
        assert_eq!(needed.minimum_to(Verdict::Genuine, &counts(0, 1, 0, 0)), None);
    }

    #[test]
    fn at_the_cap_nothing_is_planned() {
        let rule = Rule::new(12, false).unwrap();
        let cost = Needed::new(&rule).cost(&counts(0, 8, 0, 4));
        assert_eq!(cost, Cost { minimum: None, expected: 0.0 });
    }
}
