//! Keeps runs independent of one another: time between their starts, and another node each time. No I/O.

use std::time::Duration;

use jiff::Timestamp;

/// How long until the next run may start: `apart` after the start of the last one, and not before `not_before`. If the
/// clock was put back, the wait is still not longer than `apart`.
pub fn wait(
    apart: Duration,
    last_start: Option<Timestamp>,
    not_before: Option<Timestamp>,
    now: Timestamp,
) -> Duration {
    let between =
        |from: Timestamp, to: Timestamp| Duration::try_from(to.duration_since(from)).unwrap_or_default();
    let rest = last_start.map_or(Duration::ZERO, |last| apart.saturating_sub(between(last, now)));
    not_before.map_or(rest, |then| rest.max(between(now, then)))
}

/// The node that the next run is asked to use: after `attempts` runs, the nodes take turns.
pub fn node(names: &[String], attempts: usize) -> Option<&str> {
    names.get(attempts.checked_rem(names.len())?).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_apart() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let spacing = Duration::from_mins(1);
        for (last, now, expected) in [
            (None, 100, 0),
            (Some(100), 100, 60),
            (Some(100), 130, 30),
            (Some(100), 160, 0),
            (Some(100), 9999, 0),
            (Some(9999), 100, 60),
        ] {
            assert_eq!(wait(spacing, last.map(at), None, at(now)).as_secs(), expected, "{last:?} {now}");
        }
        assert_eq!(wait(Duration::ZERO, Some(at(5)), None, at(5)), Duration::ZERO);
        for (not_before, expected) in [(90, 0), (100, 0), (130, 30), (200, 100)] {
            let wait = wait(spacing, Some(at(50)), Some(at(not_before)), at(100)).as_secs();
            assert_eq!(wait, expected.max(10), "{not_before}");
        }
    }

    #[test]
    fn nodes_take_turns() {
        let names = ["n1".to_owned(), "n2".to_owned()];
        assert_eq!([0, 1, 2, 3].map(|n| node(&names, n).unwrap()), ["n1", "n2", "n1", "n2"]);
        assert_eq!(node(&[], 3), None);
    }
}
