//! Marks the runs in which the whole sweep broke: they say nothing about any one case. Pure.

use lib_common::record::run::TestOutcome;

use super::PastRun;

/// More than this many percent of the tests are red in such a run, by default.
pub const SHARE: u32 = 60;

/// A run with fewer results than this is too small to be called a sweep.
const FEWEST: usize = 5;

/// Marks the runs of which more than `percent` of the tests are red, and a larger share than in any run before; with
/// what was repeated in them. The first run has none before it, and runs without a time have no order: none of them is
/// marked. Returns how many were marked.
pub fn mark(runs: &mut [PastRun], percent: u32) -> usize {
    let mut order: Vec<usize> = (0..runs.len()).filter(|at| !runs[*at].retry).collect();
    order.retain(|at| runs[*at].started.is_some() && runs[*at].unver.is_none());
    order.sort_by_key(|at| runs[*at].started);
    let (mut highest, mut marked) = (None, 0);
    for at in order {
        let Some(share) = share(&runs[at]) else { continue };
        if share > f64::from(percent) && highest.is_some_and(|highest| share > highest) {
            marked += 1;
            runs[at].sweep_wide = true;
            runs[at + 1..].iter_mut().take_while(|run| run.retry).for_each(|run| run.sweep_wide = true);
        }
        highest = Some(share.max(highest.unwrap_or(0.0)));
    }
    marked
}

/// The red tests in percent of those that ran; `None` if fewer than [`FEWEST`] ran.
#[allow(clippy::cast_precision_loss)]
fn share(run: &PastRun) -> Option<f64> {
    let of = |wanted: &[TestOutcome]| {
        run.results.iter().filter(|result| result.outcome.is_some_and(|own| wanted.contains(&own))).count()
    };
    let (red, green) = (of(&[TestOutcome::Fail, TestOutcome::Error]), of(&[TestOutcome::Pass]));
    (red + green >= FEWEST).then(|| 100.0 * red as f64 / (red + green) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{PastResult, word};

    /// A night with one test for each letter; capital letters are red.
    fn night(day: u32, letters: &str) -> PastRun {
        let result = |letter: char| PastResult {
            test: letter.to_lowercase().to_string(),
            outcome: Some(if letter.is_uppercase() { TestOutcome::Fail } else { TestOutcome::Pass }),
            duration_ms: 0,
            message: None,
            place: None,
        };
        let started = word::time(&format!("2026-06-{day:02}T03:00:00Z"));
        PastRun { started, results: letters.chars().map(result).collect(), ..PastRun::default() }
    }

    fn marked(nights: &[&str]) -> Vec<bool> {
        let mut runs: Vec<PastRun> = (1..).zip(nights).map(|(day, letters)| night(day, letters)).collect();
        mark(&mut runs, SHARE);
        runs.iter().map(|run| run.sweep_wide).collect()
    }

    #[test]
    fn a_night_that_is_redder_than_any_before_is_no_evidence() {
        assert_eq!(marked(&["abcde", "ABCDe", "Abcde"]), [false, true, false]);
        assert_eq!(
            marked(&["ABCDe", "ABCDe", "ABCDE"]),
            [false, false, true],
            "what was so from the start is no such night"
        );
        assert_eq!(marked(&["abcde", "ABCde"]), [false, false], "60 in 100 are not more than that");
        assert_eq!(marked(&["abcd", "ABCD"]), [false, false], "four tests are no sweep");
    }
}
