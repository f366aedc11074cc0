//! What the guard tells at the end: refusals, and signs that somebody went around it.

use std::collections::BTreeSet;

/// More than this many different refusals are only counted.
const MOST: usize = 100;

/// The guard's part of a run's record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub requests: u64,
    pub refused: u64,
    /// Each different refusal once, in the order of their first time.
    pub refusals: Vec<String>,
    /// Objects of the run that the guard never saw being created.
    pub unseen: Vec<String>,
    /// What the guard had to do without.
    pub note: Option<String>,
    /// Why that there were none is not proved, where it is not.
    pub unproved: Option<String>,
}

/// Refusals as they come.
#[derive(Debug, Default)]
pub struct Refusals {
    seen: BTreeSet<String>,
    order: Vec<String>,
    more: usize,
    /// All of them, the same again included.
    pub count: u64,
}

impl Refusals {
    pub fn add(&mut self, text: String) {
        self.count += 1;
        if self.seen.contains(&text) {
            return;
        }
        if self.order.len() == MOST {
            self.more += 1;
            return;
        }
        self.seen.insert(text.clone());
        self.order.push(text);
    }

    pub fn list(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.order.iter().cloned().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_once_and_not_without_end() {
        let mut refusals = Refusals::default();
        for number in 0..150 {
            refusals.add(format!("r{}", number % 120));
        }
        let list = refusals.list();
        assert_eq!((list.len(), list[0].as_str()), (101, "r0"));
        assert!(list[100].starts_with("and "), "{list:?}");
    }
}
