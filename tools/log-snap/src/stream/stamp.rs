//! The engine's timestamps, kept to the nanosecond: `2026-01-02T03:04:05.123456789Z ` before every chunk.

use jiff::Timestamp;

/// Longest timestamp with its blank (a driver may give an offset instead of `Z`).
pub const LONGEST: usize = 40;

/// Nanoseconds since 1970, and how long the timestamp and its blank are; `None` if the text has none.
#[must_use]
pub fn split(text: &[u8]) -> Option<(i64, usize)> {
    let end = text.iter().take(LONGEST).position(|byte| *byte == b' ')?;
    let at = parse(std::str::from_utf8(&text[..end]).ok()?)?;
    Some((at, end + 1))
}

/// Nanoseconds since 1970 of an RFC 3339 time; the engine's "never" (year 1) gives `None`.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let at: Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok()
}

/// RFC 3339 in UTC with nine digits.
#[must_use]
pub fn show(at: i64) -> String {
    Timestamp::from_nanosecond(i128::from(at))
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string())
        .unwrap_or_default()
}

/// `seconds.nanoseconds`, as `since` and `until` take it.
#[must_use]
pub fn query(at: i64) -> String {
    format!("{}.{:09}", at.div_euclid(1_000_000_000), at.rem_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_survive() {
        let text = "2026-01-02T03:04:05.123456789Z";
        let (at, len) = split(format!("{text} hello").as_bytes()).unwrap();
        assert_eq!((show(at).as_str(), len), (text, 31));
        assert_eq!(query(at), "1767323045.123456789");
        assert_eq!(parse("2026-01-02T05:04:05.123456789+02:00"), Some(at));
    }

    #[test]
    fn other_text_has_none() {
        for text in ["", "hello world", "2026-01-02", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z x"] {
            assert_eq!(split(text.as_bytes()), None, "{text}");
        }
    }
}
