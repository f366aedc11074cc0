//! Reads and writes the engine's timestamps to the nanosecond. In a log `2026-01-02T03:04:05.123456789Z ` stands before
//! every chunk.

use jiff::Timestamp;

/// Longest timestamp with the blank behind it; a log driver may write an offset such as `+02:00` instead of `Z`.
pub const LONGEST: usize = 40;
const SECOND: i64 = 1_000_000_000;

/// The timestamp at the beginning of `text`: nanoseconds since 1970, and the length of the timestamp and its blank.
/// `None` if there is none.
#[must_use]
pub fn split(text: &[u8]) -> Option<(i64, usize)> {
    let end = text.iter().take(LONGEST).position(|byte| *byte == b' ')?;
    let at = parse_bytes(&text[..end])?;
    Some((at, end + 1))
}

/// Nanoseconds since 1970 of an RFC 3339 time; the engine's "never" (year 1) gives `None`.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    parse_bytes(text.as_bytes())
}

#[must_use]
pub fn parse_bytes(text: &[u8]) -> Option<i64> {
    quick(text).or_else(|| {
        let at: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
        i64::try_from(at.as_nanosecond()).ok()
    })
}

/// Parses `2026-01-02T03:04:05[.fraction]Z` between 1970 and 2199, as every log driver writes it. This runs once for
/// every line of a log, where a calendar library is too slow.
fn quick(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| {
        text.get(from..to)?
            .iter()
            .try_fold(0i64, |n, byte| byte.is_ascii_digit().then(|| n * 10 + i64::from(byte - b'0')))
    };
    let (day, rest) = (text.get(..19)?, text.get(19..)?);
    if [4, 7, 10, 13, 16].map(|at| day[at]) != *b"--T::" {
        return None;
    }
    let fraction = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            number(20, 20 + digits.len())? * 10i64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        _ => return None,
    };
    let [year, month, date] = [number(0, 4)?, number(5, 7)?, number(8, 10)?];
    let [hour, minute, second] = [number(11, 13)?, number(14, 16)?, number(17, 19)?];
    let plausible = (1970..2200).contains(&year)
        && (1..=12).contains(&month)
        // The last days of a month are left to the library, which knows how long it is.
        && (1..=28).contains(&date)
        && hour < 24
        && minute < 60
        && second < 60;
    if !plausible {
        return None;
    }
    let days = days(year, month, date);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * SECOND + fraction)
}

/// Days since 1970 of a date of the Gregorian calendar. The year is counted from March, so that a leap day is its last
/// day; 719,468 days lie between 0000-03-01 and 1970-01-01.
fn days(year: i64, month: i64, date: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// RFC 3339 in UTC with nine digits.
#[must_use]
pub fn show(at: i64) -> String {
    Timestamp::from_nanosecond(i128::from(at))
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string())
        .unwrap_or_default()
}

/// Writes many times fast: it keeps the text of the last second, because most times share it with the one before.
#[derive(Default)]
pub struct Show {
    second: Option<i64>,
    /// `2026-01-02T03:04:05.`
    shown: String,
}

impl Show {
    pub fn push(&mut self, at: i64, out: &mut Vec<u8>) {
        let (second, mut fraction) = (at.div_euclid(SECOND), at.rem_euclid(SECOND));
        if self.second != Some(second) {
            self.second = Some(second);
            self.shown = show(second * SECOND);
            self.shown.truncate(20);
        }
        out.extend_from_slice(self.shown.as_bytes());
        let mut digits = *b"000000000Z";
        for digit in digits[..9].iter_mut().rev() {
            *digit = b'0' + u8::try_from(fraction % 10).unwrap_or(0);
            fraction /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

/// `seconds.nanoseconds`, as `since` and `until` take it.
#[must_use]
pub fn query(at: i64) -> String {
    format!("{}.{:09}", at.div_euclid(SECOND), at.rem_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        for text in
            ["2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-00T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_says_what_the_library_says(at in 0i64..7_000_000_000_000_000_000, digits in 0usize..10) {
            let shown = show(at);
            let mut out = Vec::new();
            Show::default().push(at, &mut out);
            prop_assert_eq!(std::str::from_utf8(&out), Ok(shown.as_str()));
            let cut = if digits == 0 { format!("{}Z", &shown[..19]) } else { format!("{}Z", &shown[..20 + digits]) };
            let slow: Timestamp = cut.parse().unwrap();
            prop_assert_eq!(parse(&cut).map(i128::from), Some(slow.as_nanosecond()));
            prop_assert_eq!(parse(&shown), Some(at));
        }
    }
}
