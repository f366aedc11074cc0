//! What the renderers are given: judged gates, what reviewers said, rows. Pure.

use std::fmt;

use lib_common::record::verdict::ReviewRecorded;

use crate::escape::plain;
use crate::fold::Fold;
use crate::gate::{Gate, GateName, Proofs};
use crate::row::{Row, rows};

#[derive(Debug)]
pub struct Report {
    pub gates: Vec<Gate>,
    /// The gates that decide the exit code.
    asked: Vec<GateName>,
    pub reviews: Vec<(GateName, ReviewState)>,
    pub rows: Vec<Row>,
    /// Names the ledger's content.
    pub hash: String,
    /// Time of its newest record; empty without one.
    pub until: String,
}

/// The second look by somebody other than the author: a gate is done only with it.
#[derive(Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Of exactly this ledger.
    Passed(String),
    Vetoed(String),
    /// The ledger changed since.
    Old(String),
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

impl Report {
    /// `hash` is the ledger's, `asked` the gates that decide (none: both).
    #[must_use]
    pub fn new(fold: &Fold, proofs: &Proofs, asked: &[GateName], hash: &str, author: Option<&str>) -> Self {
        let gates: Vec<Gate> = GateName::ALL.iter().map(|name| Gate::judge(*name, fold, proofs)).collect();
        let rows = rows(fold, &gates, proofs);
        let mut asked = if asked.is_empty() { GateName::ALL.to_vec() } else { asked.to_vec() };
        asked.sort_unstable();
        asked.dedup();
        let state = |name: &GateName| (*name, review(&fold.reviews, *name, hash, author));
        let reviews = GateName::ALL.iter().map(state).collect();
        Self { gates, asked, reviews, rows, hash: hash.to_owned(), until: plain(&fold.until) }
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

/// Whether two ways of naming oneself, `NAME`, `MAIL` or `NAME <MAIL>`, share a name or an address.
#[must_use]
pub fn is_same_person(one: &str, other: &str) -> bool {
    let names = |text: &str| -> Vec<String> {
        let parts = text.split(['<', '>']).map(|part| part.trim().to_lowercase());
        parts.filter(|part| !part.is_empty()).collect()
    };
    let other = names(other);
    names(one).iter().any(|name| other.contains(name))
}

/// The newest review of `gate` by somebody else; of this ledger before one of an older ledger.
fn review(reviews: &[ReviewRecorded], gate: GateName, hash: &str, author: Option<&str>) -> ReviewState {
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
        let state =
            |reviews: &[ReviewRecorded]| review(reviews, GateName::M1, "now", Some("bob")).to_string();
        assert_eq!(state(&[]), "NONE");
        assert_eq!(state(&[said("ada", "now", true)]), "PASS by ada");
        assert_eq!(state(&[said("ada", "now", true), said("eve", "now", false)]), "FAIL by eve");
        assert_eq!(state(&[said("ada", "old", true)]), "OLD by ada: the ledger changed since");
        assert_eq!(state(&[said("bob", "now", true)]), "NONE: bob is the author");
        assert_eq!(review(&[said("ada", "now", true)], GateName::M2, "now", None), ReviewState::None);
    }
}
