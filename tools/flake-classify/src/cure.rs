//! Decides whether a change cures the failure, by one two-sample comparison for contrasts and fixes. Pure.

use std::collections::HashMap;

use lib_common::record::verdict::Tally;

use crate::needed::Cost;
use crate::rule::{T, runs};
use lib_common::glr;

/// What the runs with the change say, compared with the red runs without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// The evidence is 20 to 1 against "it fails as often as before", there are at least two green runs, and the
    /// evidence that it still fails more often than noise is below 20 to 1.
    Cured,
    /// The evidence is 20 to 1 against "what still fails is noise".
    StillRed,
    /// The runs so far decide neither.
    Open,
}

/// Fewest red runs for [`Cure::StillRed`]: one for a contrast, which only shows where to look next; two for a fix,
/// because one unlucky run must not reject somebody's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedsNeeded(pub u32);

/// Evidence against "with the change it fails as often as before".
pub fn ratio(before: Tally, after: Tally) -> f64 {
    glr::against_no_worse(after, before)
}

pub fn compare(before: Tally, after: Tally, reds: RedsNeeded) -> Cure {
    let still = glr::against_at_most(after, glr::EPS) >= T;
    if still {
        if after.fail >= reds.0 { Cure::StillRed } else { Cure::Open }
    } else if after.pass >= 2 && ratio(before, after) >= T {
        Cure::Cured
    } else {
        Cure::Open
    }
}

/// Fewest further green runs in a row after which it counts as cured; `None` if `limit` of them do not suffice.
pub fn greens_needed(before: Tally, after: Tally, limit: u32) -> Option<u32> {
    let cured = |greens: &u32| {
        let then = glr::sum(after, Tally { fail: 0, pass: *greens });
        compare(before, then, RedsNeeded(2)) == Cure::Cured
    };
    (0..=limit).find(cured)
}

/// Further runs until the comparison is no longer open, with at most `cap` runs in all.
pub fn cost(before: Tally, after: Tally, reds: RedsNeeded, cap: u32) -> Cost {
    Walk { before, reds, cap, known: HashMap::new() }.cost(after)
}

/// Walks through all outcomes of further runs, and remembers the cost of each tally.
struct Walk {
    before: Tally,
    reds: RedsNeeded,
    cap: u32,
    known: HashMap<Tally, Cost>,
}

impl Walk {
    fn cost(&mut self, after: Tally) -> Cost {
        if compare(self.before, after, self.reds) != Cure::Open {
            return Cost { minimum: Some(0), expected: 0.0 };
        }
        if runs(after) >= self.cap {
            return Cost { minimum: None, expected: 0.0 };
        }
        if let Some(cost) = self.known.get(&after) {
            return *cost;
        }
        let red = self.cost(Tally { fail: after.fail + 1, ..after });
        let green = self.cost(Tally { pass: after.pass + 1, ..after });
        let p = (f64::from(after.fail) + 0.5) / (f64::from(runs(after)) + 1.0);
        let cost = Cost {
            minimum: red.minimum.into_iter().chain(green.minimum).min().map(|runs| runs + 1),
            expected: 1.0 + p * red.expected + (1.0 - p) * green.expected,
        };
        self.known.insert(after, cost);
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(fail: u32, pass: u32) -> Tally {
        Tally { fail, pass }
    }

    #[test]
    fn deterministic_reds_need_at_least_two_greens() {
        let fix = RedsNeeded(2);
        assert_eq!(compare(tally(2, 0), tally(0, 2), fix), Cure::Open);
        assert_eq!(compare(tally(2, 0), tally(0, 3), fix), Cure::Cured);
        assert!((ratio(tally(2, 0), tally(0, 3)) - 28.935_185).abs() < 1e-6);
        assert_eq!(compare(tally(5, 0), tally(0, 2), fix), Cure::Cured);
        assert!(ratio(tally(20, 0), tally(0, 1)) >= T);
        assert_eq!(compare(tally(20, 0), tally(0, 1), fix), Cure::Open);
    }

    #[test]
    fn reds_with_the_change() {
        assert_eq!(compare(tally(5, 0), tally(1, 0), RedsNeeded(1)), Cure::StillRed);
        assert_eq!(compare(tally(5, 0), tally(1, 0), RedsNeeded(2)), Cure::Open);
        assert_eq!(compare(tally(5, 0), tally(2, 0), RedsNeeded(2)), Cure::StillRed);
        // It fails less often than before, but more often than noise, so it is not cured.
        assert!(ratio(tally(10, 0), tally(2, 4)) >= T);
        assert_eq!(compare(tally(10, 0), tally(2, 4), RedsNeeded(2)), Cure::StillRed);
    }

    #[test]
    fn how_many_more() {
        assert_eq!(greens_needed(tally(2, 0), tally(0, 1), 40), Some(2));
        assert_eq!(greens_needed(tally(0, 0), tally(0, 1), 40), None);
        let cost = cost(tally(5, 0), tally(0, 0), RedsNeeded(1), 20);
        assert_eq!(cost.minimum, Some(1));
        assert!(cost.expected > 1.0 && cost.expected < 3.0, "{cost:?}");
    }
}
