//! Reads words for outcomes, times and numbers as other systems write them. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lib_common::record::run::TestOutcome;

/// The word is none of those that are known for an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

/// The outcome that a word means; `None` is `unver`.
pub fn outcome(word: &str) -> Result<Option<TestOutcome>, Unknown> {
    Ok(match word.trim().to_ascii_lowercase().as_str() {
        "pass" | "passed" | "ok" | "success" | "successful" | "succeeded" | "green" | "xpass" | "true" => {
            Some(TestOutcome::Pass)
        }
        "fail" | "failed" | "failure" | "red" | "timeout" | "timedout" | "false" => Some(TestOutcome::Fail),
        "error" | "errored" | "broken" => Some(TestOutcome::Error),
        "skip" | "skipped" | "ignored" | "disabled" | "xfail" | "xfailed" | "na" | "n/a" => {
            Some(TestOutcome::Skip)
        }
        "" | "unver" | "missing" | "unknown" | "aborted" | "cancelled" | "canceled" | "pending" => None,
        _ => return Err(Unknown),
    })
}

/// RFC 3339; a date and time without a zone, which is taken as UTC; or seconds or milliseconds since 1970.
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })
}

/// Seconds since 1970, or milliseconds if the number is so large that seconds would lie beyond the year 5000.
#[allow(clippy::cast_possible_truncation)]
pub fn epoch(number: f64) -> Option<Timestamp> {
    let ms = if number.abs() < 1e11 { number * 1000.0 } else { number };
    let whole = ms.is_finite() && ms.abs() < 1e15;
    whole.then(|| Timestamp::from_millisecond(ms.round() as i64).ok()).flatten()
}

/// Seconds as milliseconds. Negative and absurd values, and those that are no number, become 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn seconds(seconds: f64) -> u64 {
    if seconds.is_finite() && (0.0..1e9).contains(&seconds) { (seconds * 1000.0).round() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        assert_eq!(outcome(" PASSED "), Ok(Some(TestOutcome::Pass)));
        assert_eq!(outcome("timeout"), Ok(Some(TestOutcome::Fail)));
        assert_eq!(outcome(""), Ok(None));
        assert_eq!(outcome("maybe"), Err(Unknown));
    }

    #[test]
    fn times() {
        let ms = |text| time(text).map(Timestamp::as_millisecond);
        let noon = Some(1_781_697_600_000);
        for text in [
            "2026-06-17T12:00:00Z",
            "2026-06-17T14:00:00+02:00",
            "2026-06-17 12:00:00",
            "2026-06-17T12:00:00.000",
            "20260617T120000Z",
            "1781697600",
            "1781697600.0",
            "1781697600000",
        ] {
            assert_eq!(ms(text), noon, "{text}");
        }
        for bad in ["", "yesterday", "nan", "1e300", "-inf"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!([seconds(1.25), seconds(-1.0), seconds(f64::NAN), seconds(1e300)], [1250, 0, 0, 0]);
    }
}
