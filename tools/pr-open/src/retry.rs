//! Computes how long to wait before a request is tried again. Pure, apart from the random jitter.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Longest pause that a `Retry-After` can ask for.
pub const MAX: Duration = Duration::from_mins(1);
/// Random addition to each pause, so that many clients that were refused together do not come back together.
const JITTER_MS: u64 = 250;

/// The pause after `tries` tries: what the forge asked for, else half a second, doubled each time; plus jitter.
#[must_use]
pub fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    let base = Duration::from_millis(250) * 2u32.saturating_pow(tries);
    // Every `RandomState` has another seed, which is random enough and needs no dependency.
    let jitter = RandomState::new().hash_one(tries) % JITTER_MS;
    asked.unwrap_or(base).min(MAX) + Duration::from_millis(jitter)
}

/// At least `time` and at most twice that, so that many who began together do not act together.
#[must_use]
pub fn jittered(time: Duration) -> Duration {
    let share = RandomState::new().hash_one(0) % 1000;
    time + time * u32::try_from(share).unwrap_or(0) / 1000
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
#[must_use]
pub fn after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let left = rfc2822::parse(header).ok()?.timestamp().duration_since(Timestamp::try_from(now).ok()?);
    // A date in the past means: at once.
    Some(Duration::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (header, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(after(header, now), seconds.map(Duration::from_secs), "{header}");
        }
    }

    #[test]
    fn it_grows_and_is_bounded_and_never_the_same_for_all() {
        let jitter = Duration::from_millis(JITTER_MS);
        for (tries, base) in [(1, 500), (2, 1000), (3, 2000), (40, 60_000)] {
            let base = Duration::from_millis(base);
            assert!((base..base + jitter).contains(&pause(tries, None)), "{tries}");
        }
        let asked = |s| pause(1, Some(Duration::from_secs(s)));
        assert!((Duration::from_secs(9)..Duration::from_secs(10)).contains(&asked(9)));
        assert!(asked(86_400) < MAX + jitter);
        let many: std::collections::BTreeSet<Duration> = (0..50).map(|_| pause(1, None)).collect();
        assert!(many.len() > 10);
    }
}
