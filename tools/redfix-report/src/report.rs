//! What all renderers print: judged gates, what reviewers said, rows. Pure.

use std::fmt;

use lib_common::record::verdict::ReviewRecorded;

use crate::escape::plain;
use crate::fold::{Case, Fold};
use crate::gate::{Gate, GateName, Proofs, missing};
use crate::order::Ordered;
use crate::row::{Row, row};

#[derive(Debug)]
pub struct Report<'a> {
    fold: &'a Fold,
    proofs: &'a Proofs,
    /// Cases that block a gate come first; otherwise they are sorted by key.
    cases: Vec<&'a Case>,
    pub gates: Vec<Gate>,
    /// The gates that decide the exit code.
    asked: Vec<GateName>,
    pub reviews: Vec<(GateName, ReviewState)>,
    /// Hash that identifies the ledger's content.
    pub hash: String,
    /// Time of the ledger's newest record; empty if it has none.
    pub until: String,
}

/// What a reviewer said of a gate, with the reviewer's name. A gate is done only if somebody other than the author has
/// passed it.
#[derive(Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// The gate was passed on exactly this ledger.
    Passed(String),
    /// The gate was rejected on exactly this ledger.
    Vetoed(String),
    /// The review was of another ledger: this one has changed since.
    Old(String),
    /// The only review is by the author.
    Own(String),
    None,
}

impl fmt::Display for ReviewState {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Passed(by) => write!(f, "PASS by {by}"),
            Self::Vetoed(by) => write!(f, "FAIL by {by}"),
            Self::Old(by) => write!(f, "OLD by {by}: the ledger changed since"),
            Self::Own(by) => write!(f, "NONE: {by} is the author"),
            Self::None => write!(f, "NONE"),
        }
    }
}

impl<'a> Report<'a> {
    /// `hash` is the ledger's. `asked` are the gates that decide; if it is empty, both do.
    #[must_use]
    pub fn new(
        fold: &'a Fold,
        proofs: &'a Proofs,
        asked: &[GateName],
        hash: &str,
        author: Option<&str>,
    ) -> Self {
        let passing = |case: &'a Case| GateName::ALL.map(|name| missing(name, case, fold, proofs).is_empty());
        let mut cases: Vec<_> = fold.cases().map(|case| (passing(case), case)).collect();
        let gate = |(n, name): (usize, &GateName)| Gate {
            name: *name,
            passing: cases.iter().filter(|(passing, _)| passing[n]).count(),
            cases: cases.len(),
        };
        let gates = GateName::ALL.iter().enumerate().map(gate).collect();
        cases.sort_by_key(|(passing, _)| *passing);
        let mut asked = if asked.is_empty() { GateName::ALL.to_vec() } else { asked.to_vec() };
        asked.sort_unstable();
        asked.dedup();
        let state = |name: &GateName| (*name, review(&fold.reviews, *name, hash, author));
        Self {
            fold,
            proofs,
            cases: cases.into_iter().map(|(_, case)| case).collect(),
            gates,
            asked,
            reviews: GateName::ALL.iter().map(state).collect(),
            hash: hash.to_owned(),
            until: plain(&fold.until),
        }
    }

    /// Every case in words, those that block a gate first. Rows are made one by one, because there may be thousands.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row> {
        self.cases.iter().map(|case| row(case, self.fold, self.proofs))
    }

    /// The gates that were asked for, in order.
    #[must_use]
    pub fn selected(&self) -> Vec<&Gate> {
        self.gates.iter().filter(|gate| self.asked.contains(&gate.name)).collect()
    }

    /// What reviewers said of the gates that were asked for.
    pub fn selected_reviews(&self) -> impl Iterator<Item = &(GateName, ReviewState)> {
        self.reviews.iter().filter(|(gate, _)| self.asked.contains(gate))
    }

    #[must_use]
    pub fn passes(&self) -> bool {
        self.selected().into_iter().all(Gate::passes)
    }
}

/// Whether `one` and `other`, each of the form `NAME`, `MAIL` or `NAME <MAIL>`, share a name or an address.
#[must_use]
pub fn is_same_person(one: &str, other: &str) -> bool {
    let names = |text: &str| -> Vec<String> {
        let parts = text.split(['<', '>']).map(|part| part.trim().to_lowercase());
        parts.filter(|part| !part.is_empty()).collect()
    };
    let other = names(other);
    names(one).iter().any(|name| other.contains(name))
}

/// The newest review of `gate` by somebody other than the author. One of this ledger is preferred to one of another.
fn review(
    reviews: &Ordered<ReviewRecorded>,
    gate: GateName,
    hash: &str,
    author: Option<&str>,
) -> ReviewState {
    let of_gate = || reviews.iter().rev().filter(|review| review.gate == gate.name());
    let foreign = || of_gate().filter(|review| author.is_none_or(|by| !is_same_person(by, &review.reviewer)));
    let newest = foreign().find(|review| review.ledger == hash).or_else(|| foreign().next());
    match (newest, of_gate().next()) {
        (Some(review), _) if review.ledger != hash => ReviewState::Old(plain(&review.reviewer)),
        (Some(review), _) if review.pass => ReviewState::Passed(plain(&review.reviewer)),
        (Some(review), _) => ReviewState::Vetoed(plain(&review.reviewer)),
        (None, Some(own)) => ReviewState::Own(plain(&own.reviewer)),
        (None, None) => ReviewState::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Order;

    fn said(by: &str, ledger: &str, pass: bool) -> ReviewRecorded {
        ReviewRecorded { reviewer: by.into(), gate: "M1".into(), ledger: ledger.into(), pass, note: None }
    }

    #[test]
    fn a_person_is_known_by_name_or_address() {
        for other in ["Ada", "ada <ada@example>", "ADA@example", "Ada L. <ada@example>"] {
            assert!(is_same_person("ada <ada@example>", other), "{other}");
        }
        for other in ["adam", "<>", "", "bob <bob@example>"] {
            assert!(!is_same_person("ada <ada@example>", other), "{other}");
        }
    }

    #[test]
    fn only_somebody_elses_look_at_this_very_ledger_counts() {
        let list = |reviews: &[ReviewRecorded]| {
            let mut list = Ordered::default();
            for (n, review) in reviews.iter().enumerate() {
                let ts = format!("2026-01-01T00:00:0{n}Z");
                list.insert(Order::new(&ts, &blake3::hash(b"")), review.clone());
            }
            list
        };
        let state =
            |reviews: &[ReviewRecorded]| review(&list(reviews), GateName::M1, "now", Some("bob")).to_string();
        assert_eq!(state(&[]), "NONE");
        assert_eq!(state(&[said("ada", "now", true)]), "PASS by ada");
        assert_eq!(state(&[said("ada", "now", true), said("eve", "now", false)]), "FAIL by eve");
        assert_eq!(state(&[said("ada", "old", true)]), "OLD by ada: the ledger changed since");
        assert_eq!(state(&[said("bob", "now", true)]), "NONE: bob is the author");
        assert_eq!(review(&list(&[said("ada", "now", true)]), GateName::M2, "now", None), ReviewState::None);
    }
}
