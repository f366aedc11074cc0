//! What the gates are judged by besides the ledger: results of I/O that was done before. Pure.

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
    /// Its objection, for people.
    Disagrees(String),
}

/// What the gates are judged by besides the ledger: results of I/O that was done before.
#[derive(Debug, Default)]
pub struct Proofs {
    /// Whether the evidence of an attempt verifies, else why not.
    pub evidence: BTreeMap<String, Result<(), String>>,
    /// The end of an attempt's log, where its evidence verifies.
    pub logs: BTreeMap<String, String>,
    /// What `--verify-evidence` found.
    pub faults: Vec<Fault>,
    /// What went wrong first by the log bundle of an attempt, else a word why that is not known.
    pub first_errors: BTreeMap<String, Result<FirstError, String>>,
    pub rederivation: Rederivation,
    /// What commands call the ledger.
    pub ledger: String,
}

impl Proofs {
    /// The objection of the re-derivation to `case`: the lines that name it, or all where none names a case.
    #[must_use]
    pub fn objection(&self, case: &str, fold: &Fold) -> Option<String> {
        let Rederivation::Disagrees(text) = &self.rederivation else { return None };
        let own: Vec<&str> = text.lines().filter(|line| line.contains(case)).collect();
        let names_one = fold.cases().any(|case| text.contains(&case.key));
        if names_one { (!own.is_empty()).then(|| own.join("; ")) } else { Some(text.clone()) }
    }
}
