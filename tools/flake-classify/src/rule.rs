//! The decision rule: counts to verdict, and which condition tells most next. Pure; the guarantees of every
//! `--cap` are recomputed exactly by `tests/exact.rs`.

use lib_common::record::verdict::{Ratios, Tally, Thresholds, Verdict};

use lib_common::glr;

/// Whether the node was the run's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Load {
    Isolated,
    Loaded,
}

impl Load {
    /// The level of the factor `load`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Loaded => "loaded",
        }
    }

    pub fn parse(level: &str) -> Option<Self> {
        [Self::Isolated, Self::Loaded].into_iter().find(|load| load.name() == level)
    }
}

/// Fails and passes under both conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counts {
    pub isolated: Tally,
    pub loaded: Tally,
}

impl Counts {
    /// Runs in all.
    pub fn runs(&self) -> u32 {
        runs(self.isolated).saturating_add(runs(self.loaded))
    }

    pub fn of(&self, load: Load) -> Tally {
        match load {
            Load::Isolated => self.isolated,
            Load::Loaded => self.loaded,
        }
    }

    /// The counts after one more run.
    #[must_use]
    pub fn and(mut self, load: Load, red: bool) -> Self {
        let tally = match load {
            Load::Isolated => &mut self.isolated,
            Load::Loaded => &mut self.loaded,
        };
        *tally = glr::sum(*tally, Tally { fail: u32::from(red), pass: u32::from(!red) });
        self
    }

    pub fn ratios(&self) -> Ratios {
        glr::ratios(self.isolated, self.loaded)
    }

    /// The condition of the next run: isolated until one is green, then where the ratios are nearer to a
    /// verdict, with about six loaded runs to ten isolated ones.
    pub fn next_load(&self) -> Load {
        let ratios = self.ratios();
        let pursued = self.isolated.fail > 0 && ratios.clean >= ratios.load;
        let loaded_lag = f64::from(runs(self.loaded)) < 0.6 * f64::from(runs(self.isolated));
        if self.isolated.pass > 0 && !pursued && loaded_lag { Load::Loaded } else { Load::Isolated }
    }

    /// The condition with the most fails, isolated when equal: where a failure is easiest to see again.
    pub fn reddest(&self) -> Load {
        if self.loaded.fail > self.isolated.fail { Load::Loaded } else { Load::Isolated }
    }
}

/// Fails and passes together.
pub fn runs(tally: Tally) -> u32 {
    tally.fail.saturating_add(tally.pass)
}

/// Evidence that `genuine`, a contrast and a fix need.
pub const T: f64 = 20.0;

/// Thresholds for at most `cap` runs, each with a worst wrong-verdict probability of at most 5 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub cap: u32,
    /// Against "deterministic" and "clean".
    t: f64,
    /// The same while there are at most two isolated runs.
    t_first: f64,
    /// Against "load makes no difference".
    t_load: f64,
    /// Totals decide, not the first crossing.
    pub order_free: bool,
}

/// `cap`, `t` and `t_load` in time order, `t_load` order-free.
const CAPS: [(u32, f64, f64, f64); 6] = [
    (12, 20.0, 20.0, 28.9),
    (16, 20.0, 24.0, 28.9),
    (20, 20.0, 24.0, 28.9),
    (24, 25.0, 28.9, 32.0),
    (30, 32.0, 32.0, 32.0),
    (40, 40.0, 32.0, 32.0),
];

impl Rule {
    /// `None` for a cap whose thresholds nobody has computed.
    pub fn new(cap: u32, order_free: bool) -> Option<Self> {
        let (_, t, t_load, t_load_free) = *CAPS.iter().find(|row| row.0 == cap)?;
        Some(if order_free {
            Self { cap, t: T, t_first: T, t_load: t_load_free, order_free }
        } else {
            Self { cap, t, t_first: 12.5, t_load, order_free }
        })
    }

    /// The verdict that these counts cross into, if any. Never `Inconclusive`.
    pub fn decide(&self, counts: &Counts) -> Option<Verdict> {
        let ratios = counts.ratios();
        let t = self.t_at(counts);
        if counts.isolated.pass == 0 && ratios.half >= T {
            Some(Verdict::Genuine)
        } else if ratios.det >= t && ratios.load >= self.t_load {
            Some(Verdict::LoadFlake)
        } else if ratios.det >= t && ratios.clean >= t {
            Some(Verdict::Flake)
        } else {
            None
        }
    }

    /// What is in force at these counts.
    pub fn thresholds(&self, counts: &Counts) -> Thresholds {
        Thresholds { t: self.t_at(counts), t_load: self.t_load, cap: self.cap, eps: glr::EPS }
    }

    fn t_at(&self, counts: &Counts) -> f64 {
        if runs(counts.isolated) <= 2 { self.t_first } else { self.t }
    }
}

/// A flag's value to a cap that has thresholds.
pub fn cap(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|cap| Rule::new(*cap, false).is_some())
        .ok_or_else(|| format!("'{text}' is not one of 12, 16, 20, 24, 30, 40"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: [u32; 4]) -> Counts {
        let [a, b, c, d] = numbers;
        Counts { isolated: Tally { fail: a, pass: b }, loaded: Tally { fail: c, pass: d } }
    }

    /// All 3,703 rows: verdict, next condition, the four ratios (the file has six decimals).
    #[test]
    fn agrees_with_the_golden_table() {
        let rule = Rule::new(20, false).unwrap();
        let table = include_str!("../tests/data/flake_golden.csv");
        let mut rows = 0;
        for row in table.lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            let number = |at: usize| cells[at].parse::<u32>().unwrap();
            let counts = counts([number(0), number(1), number(2), number(3)]);
            let verdict = match rule.decide(&counts) {
                None => "-",
                Some(Verdict::Genuine) => "G",
                Some(Verdict::LoadFlake) => "L",
                Some(_) => "F",
            };
            assert_eq!(verdict, cells[4], "{row}");
            let next = if counts.next_load() == Load::Isolated { "I" } else { "L" };
            assert_eq!(next, cells[5], "{row}");
            let ours = counts.ratios();
            for (value, cell) in [ours.half, ours.det, ours.clean, ours.load].iter().zip(&cells[6..]) {
                let golden: f64 = cell.parse().unwrap();
                assert!((value - golden).abs() <= 1e-6 * golden.max(1.0), "{row}: {value}");
            }
            rows += 1;
        }
        assert_eq!(rows, 3703);
    }

    #[test]
    fn the_order_free_rule_asks_for_more() {
        let rule = Rule::new(20, true).unwrap();
        assert_eq!(rule.decide(&counts([1, 1, 0, 0])), None);
        assert_eq!(rule.decide(&counts([0, 3, 2, 0])), Some(Verdict::LoadFlake));
        assert_eq!(rule.decide(&counts([0, 0, 5, 0])), None);
    }

    #[test]
    fn only_computed_caps_are_accepted() {
        assert_eq!(cap("24"), Ok(24));
        for bad in ["", "0", "21", "-20", "x"] {
            assert!(cap(bad).is_err(), "{bad}");
        }
    }
}
