//! Puts counts and ratios into plain words. A ratio is never shown as a percentage, because it is no probability. Pure.

use lib_common::record::verdict::{Route, Tally};

use crate::rule::{Counts, Load, runs};

/// `28 to 1`. It is rounded down, so that evidence never looks stronger than it is.
pub fn odds(ratio: f64) -> String {
    if ratio >= 1e6 {
        "more than 1000000 to 1".into()
    } else if ratio >= 10.0 {
        format!("{} to 1", ratio.floor())
    } else {
        format!("{} to 1", (ratio * 10.0).floor() / 10.0)
    }
}

/// `3 of 3 isolated runs green`, `2 of 5 isolated runs red`, `no isolated run`.
pub fn tally(tally: Tally, what: &str) -> String {
    match (tally.fail, tally.pass) {
        (0, 0) => format!("no {what} run"),
        (0, pass) => format!("{pass} of {pass} {what} {} green", plural(pass, "run")),
        (fail, _) => format!("{fail} of {} {what} {} red", runs(tally), plural(runs(tally), "run")),
    }
}

pub fn counts(counts: &Counts) -> String {
    counts_of(counts, Load::Isolated.name())
}

/// As [`counts`]; `name` is what the runs without load are called.
pub fn counts_of(counts: &Counts, name: &str) -> String {
    let isolated = tally(counts.isolated, name);
    let loaded = tally(counts.loaded, Load::Loaded.name());
    if runs(counts.loaded) == 0 { isolated } else { format!("{isolated}, {loaded}") }
}

pub fn plural(count: u32, noun: &str) -> String {
    if count == 1 { noun.into() } else { format!("{noun}s") }
}

pub fn route(route: Route) -> &'static str {
    match route {
        Route::RecipePr => "recipe pull request",
        Route::HarnessPr => "harness pull request",
        Route::TestComment => "comment on the test, or a patch with --with-tests",
    }
}

/// Milliseconds as `40 s`, `12 min`, `3.5 h`.
#[allow(clippy::cast_precision_loss)]
pub fn time(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_rounded_down() {
        assert_eq!(
            [odds(28.93), odds(1.78), odds(1.0), odds(1e9)],
            ["28 to 1", "1.7 to 1", "1 to 1", "more than 1000000 to 1"]
        );
    }

    #[test]
    fn times() {
        assert_eq!([time(40_000), time(600_000), time(12_600_000)], ["40 s", "10 min", "3.5 h"]);
    }
}
