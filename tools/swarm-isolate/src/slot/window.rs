//! The hours in which runs may start (`22:00-06:00`, which goes past midnight). No I/O.
//!
//! Hours are the machine's local time; with a `Z` at the end they are UTC. A run that started inside the window may end
//! outside it.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A daily window, from `from` (included) to `to` (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Time,
    to: Time,
    utc: bool,
}

impl Window {
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || format!("'{text}' is not a window such as 22:00-06:00 (local time) or 20:00-04:00Z (UTC)");
        let (hours, utc) = text.strip_suffix('Z').map_or((text, false), |hours| (hours, true));
        let (from, to) = hours.split_once('-').ok_or_else(bad)?;
        let (from, to) = (minute(from).ok_or_else(bad)?, minute(to).ok_or_else(bad)?);
        if from == to { Err(bad()) } else { Ok(Self { from, to, utc }) }
    }

    /// How long until it opens; zero if it is open.
    pub fn opens_in(&self, now: Timestamp) -> Duration {
        let zone = if self.utc { TimeZone::UTC } else { TimeZone::system() };
        self.opens_in_zone(now, &zone)
    }

    fn opens_in_zone(&self, now: Timestamp, zone: &TimeZone) -> Duration {
        let civil = zone.to_datetime(now);
        if self.holds(civil.time()) {
            return Duration::ZERO;
        }
        let today = civil.date().to_datetime(self.from);
        // The window has closed for today: it opens again tomorrow.
        let next = if today > civil { Ok(today) } else { today.checked_add(1.day()) };
        // When clocks are put forward past the opening time, that time does not exist; the zone maps it to a moment.
        let opens = |at: DateTime| zone.to_timestamp(at).ok();
        let opens = next.ok().and_then(opens).unwrap_or(now);
        Duration::try_from(opens.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1))
    }

    fn holds(&self, time: Time) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }
}

/// `HH:MM`.
fn minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| text.parse().ok().filter(|_| text.len() == 2 && text.is_ascii());
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes(window: &str, now: &str) -> u64 {
        let window = Window::parse(window).unwrap();
        window.opens_in_zone(now.parse().unwrap(), &TimeZone::UTC).as_secs() / 60
    }

    #[test]
    fn past_midnight_and_not() {
        for (window, now, expected) in [
            ("22:00-06:00", "2026-01-02T22:00:00Z", 0),
            ("22:00-06:00", "2026-01-02T23:59:59Z", 0),
            ("22:00-06:00", "2026-01-03T05:59:59Z", 0),
            ("22:00-06:00", "2026-01-03T06:00:00Z", 960),
            ("22:00-06:00", "2026-01-02T21:00:00Z", 60),
            ("09:00-17:00", "2026-01-02T12:00:00Z", 0),
            ("09:00-17:00", "2026-01-02T17:00:00Z", 960),
            ("09:00-17:00Z", "2026-01-02T08:00:00Z", 60),
            ("23:00-23:30", "2026-12-31T23:45:00Z", 23 * 60 + 15),
        ] {
            assert_eq!(minutes(window, now), expected, "{window} at {now}");
        }
    }

    #[test]
    fn local_hours_follow_the_clock_change() {
        // Berlin put its clocks forward from 02:00 to 03:00 on this day, and back on the other.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let window = Window::parse("04:00-05:00").unwrap();
        let hours = |now: &str| window.opens_in_zone(now.parse().unwrap(), &berlin).as_secs() / 3600;
        assert_eq!(hours("2026-03-29T00:00:00+01:00"), 3);
        assert_eq!(hours("2026-10-25T00:00:00+02:00"), 5);
        let gap = Window::parse("02:30-05:00").unwrap();
        let now = "2026-03-29T01:00:00+01:00".parse().unwrap();
        assert!(gap.opens_in_zone(now, &berlin) <= Duration::from_hours(2), "an opening that does not exist");
    }

    #[test]
    fn what_is_no_window() {
        for bad in
            ["", "22:00", "22-06", "24:00-06:00", "22:60-06:00", "9:00-17:00", "06:00-06:00", "22:00-06:00z"]
        {
            assert!(Window::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_opens_within_a_day_and_is_open_then(from in 0i8..24, to in 0i8..24, second in 0i64..4_000_000_000) {
            prop_assume!(from != to);
            let window = Window::parse(&format!("{from:02}:00-{to:02}:30")).unwrap();
            let now = Timestamp::from_second(second).unwrap();
            let wait = window.opens_in_zone(now, &TimeZone::UTC);
            prop_assert!(wait < Duration::from_hours(24));
            let then = now + jiff::SignedDuration::try_from(wait).unwrap();
            prop_assert_eq!(window.opens_in_zone(then, &TimeZone::UTC), Duration::ZERO);
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = Window::parse(&text);
        }
    }
}
