//! What the gates are judged by besides the ledger: results of I/O that was done beforehand. Pure.

use std::collections::BTreeMap;

use crate::bundles::FirstError;
use crate::evidence::Fault;
use crate::fold::Fold;

/// What an independent re-derivation from the raw records says of the verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rederivation {
    #[default]
    NotAsked,
    Agrees,
    /// What the re-derivation objects to, for people.
    Disagrees(String),
}

/// What the gates are judged by besides the ledger: results of I/O that was done beforehand.
#[derive(Debug, Default)]
pub struct Proofs {
    /// By attempt: its evidence is what was recorded, or why not.
    pub evidence: BTreeMap<String, Result<(), String>>,
    /// By attempt: the end of its log, if its evidence is what was recorded.
    pub logs: BTreeMap<String, String>,
    /// What `--verify-evidence` found.
    pub faults: Vec<Fault>,
    /// By attempt: the first error in its log bundle, or why none is known.
    pub first_errors: BTreeMap<String, Result<FirstError, String>>,
    pub rederivation: Rederivation,
    /// The name of the ledger in the commands that the report prints.
    pub ledger: String,
}

impl Proofs {
    /// What the re-derivation objects to about `case`: the lines that name it, or all lines if none names any case.
    #[must_use]
    pub fn objection(&self, case: &str, fold: &Fold) -> Option<String> {
        let Rederivation::Disagrees(text) = &self.rederivation else { return None };
        let own: Vec<&str> = text.lines().filter(|line| line.contains(case)).collect();
        let names_one = fold.cases().any(|case| text.contains(&case.key));
        if names_one { (!own.is_empty()).then(|| own.join("; ")) } else { Some(text.clone()) }
    }
}
