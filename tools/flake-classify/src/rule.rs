//! The decision rule: which verdict the counts allow, and under which condition the next run tells most. Pure. The
//! tests in `exact.rs` recompute exactly what the rule guarantees for every `--cap`.

use lib_common::record::verdict::{Ratios, Tally, Thresholds, Verdict};

use lib_common::glr;

/// The condition of a run: whether it had the node to itself.
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

    /// The condition of the next run. It is isolated until one isolated run is green. Then it is loaded as long as
    /// there are fewer than six loaded runs to ten isolated ones, unless the ratios are nearer to `flake` than to
    /// `load-flake`.
    pub fn next_load(&self) -> Load {
        let ratios = self.ratios();
        let pursued = self.isolated.fail > 0 && ratios.clean >= ratios.load;
        let loaded_lag = f64::from(runs(self.loaded)) < 0.6 * f64::from(runs(self.isolated));
        if self.isolated.pass > 0 && !pursued && loaded_lag { Load::Loaded } else { Load::Isolated }
    }

    /// The condition with more failures, under which the failure is easiest to see again; isolated if they are equal.
    pub fn reddest(&self) -> Load {
        if self.loaded.fail > self.isolated.fail { Load::Loaded } else { Load::Isolated }
    }
}

/// Fails and passes together.
pub fn runs(tally: Tally) -> u32 {
    tally.fail.saturating_add(tally.pass)
}

/// The likelihood ratio that `genuine`, a contrast and a fix need: 20 to 1.
pub const T: f64 = 20.0;

/// Thresholds for at most `cap` runs. With them the probability of each wrong verdict is at most 5 %, even in the worst
/// case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub cap: u32,
    /// For the evidence against "it always fails" and against "the failures are noise".
    t: f64,
    /// The same, while there are at most two isolated runs.
    t_first: f64,
    /// For the evidence against "load makes no difference".
    t_load: f64,
    /// Whether the totals decide, and not the first counts that cross a threshold.
    pub order_free: bool,
}

/// `cap`; `t` and `t_load` for runs in time order; `t_load` with `--order-free`. The tests in `exact.rs` check that
/// each error probability is at most 5 % with these.
const CAPS: [(u32, f64, f64, f64); 6] = [
    (12, 20.0, 20.0, 28.9),
    (16, 20.0, 24.0, 28.9),
    (20, 20.0, 24.0, 28.9),
    (24, 25.0, 28.9, 32.0),
    (30, 32.0, 32.0, 32.0),
    (40, 40.0, 32.0, 32.0),
];

impl Rule {
    /// `None` for a cap that is not in [`CAPS`].
    pub fn new(cap: u32, order_free: bool) -> Option<Self> {
        let (_, t, t_load, t_load_free) = *CAPS.iter().find(|row| row.0 == cap)?;
        Some(if order_free {
            Self { cap, t: T, t_first: T, t_load: t_load_free, order_free }
        } else {
            Self { cap, t, t_first: 12.5, t_load, order_free }
        })
    }

    /// The verdict whose thresholds these counts reach, if any. Never `Inconclusive`.
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

    /// The thresholds that apply to these counts.
    pub fn thresholds(&self, counts: &Counts) -> Thresholds {
        Thresholds { t: self.t_at(counts), t_load: self.t_load, cap: self.cap, eps: glr::EPS }
    }

    fn t_at(&self, counts: &Counts) -> f64 {
        if runs(counts.isolated) <= 2 { self.t_first } else { self.t }
    }
}

/// Reads the value of `--cap`.
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

    /// Compares all 3,703 rows: verdict, next condition, the four ratios (the file has six decimals).
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
