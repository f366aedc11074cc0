//! Puts records in an order that does not depend on how they are read: by time, and those of one time by content. Pure.

use jiff::Timestamp;

/// What records are sorted by. Equal lines have equal ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Microseconds since 1970. A record without a readable time comes first.
    at: i64,
    /// The beginning of the hash of the line.
    content: u64,
}

impl Order {
    /// `hash` is that of the whole line.
    #[must_use]
    pub fn new(ts: &str, hash: &blake3::Hash) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        let at = ts.parse::<Timestamp>().map_or(i64::MIN, Timestamp::as_microsecond);
        Self { at, content: u64::from_be_bytes(first) }
    }
}

/// A sorted list of values, each of which is kept once. They may be inserted in any order.
#[derive(Debug)]
pub struct Ordered<T>(Vec<(Order, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    pub fn insert(&mut self, order: Order, value: T) {
        if let Err(at) = self.0.binary_search_by_key(&order, |(order, _)| *order) {
            self.0.insert(at, (order, value));
        }
    }

    #[must_use]
    pub fn into_values(self) -> Vec<T> {
        self.0.into_iter().map(|(_, value)| value).collect()
    }

    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The newest of several values.
#[derive(Debug)]
pub struct Newest<T>(Option<Box<(Order, T)>>);

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Newest<T> {
    pub fn offer(&mut self, order: Order, value: T) {
        if self.0.as_ref().is_none_or(|held| held.0 < order) {
            self.0 = Some(Box::new((order, value)));
        }
    }

    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|held| &held.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ts: &str, line: &str) -> Order {
        Order::new(ts, &blake3::hash(line.as_bytes()))
    }

    #[test]
    fn by_time_then_by_content_each_once() {
        let (early, late) = (order("2026-01-01T00:00:00.001Z", "a"), order("2026-01-01T00:00:00.002Z", "a"));
        let (one, other) = (order("2026-01-01T00:00:00.001Z", "b"), order("never", "c"));
        let mut expected = [early, late, one, other];
        expected.sort_unstable();
        assert!(other == expected[0] && late == expected[3] && early != one);
        let (mut all, mut newest) = (Ordered::default(), Newest::default());
        for order in [late, early, other, early, one, late] {
            all.insert(order, order);
            newest.offer(order, order);
        }
        assert_eq!(all.iter().copied().collect::<Vec<_>>(), expected);
        assert_eq!((all.last(), newest.get()), (Some(&late), Some(&late)));
    }
}
