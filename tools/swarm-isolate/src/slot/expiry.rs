//! Decides when a holder counts as dead: its slot's version has not changed for its TTL, by our own monotonic clock.
//! Clocks of other machines are not used.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::labels::{Place, SlotRead};

/// The version of each slot, and since when we have seen it unchanged.
#[derive(Debug, Default)]
pub struct Ages(HashMap<Place, (u64, Instant)>);

impl Ages {
    /// Notes a slot that was just read; returns for how long we have seen it unchanged.
    pub fn still_for(&mut self, seen: &SlotRead, now: Instant) -> Duration {
        let entry = self.0.entry(seen.place).or_insert((seen.version, now));
        if entry.0 != seen.version {
            *entry = (seen.version, now);
        }
        now.duration_since(entry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unchanged_version_ages() {
        let mut ages = Ages::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let seen = |version| SlotRead {
            place: Place::Slot(0),
            config_id: String::new(),
            version,
            total: None,
            holding: None,
        };
        assert_eq!(ages.still_for(&seen(5), at(0)), Duration::ZERO, "its past is unknown");
        assert_eq!(ages.still_for(&seen(5), at(40)), Duration::from_secs(40));
        assert_eq!(ages.still_for(&seen(9), at(50)), Duration::ZERO, "a sign of life");
        assert_eq!(ages.still_for(&seen(9), at(60)), Duration::from_secs(10));
    }
}
