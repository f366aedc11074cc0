//! The gates: what each case still lacks, and the lines that a machine reads. Pure.

mod cost;
pub mod m1;
pub mod m2;
pub mod proposal;

use std::collections::BTreeMap;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use crate::bundles::FirstError;
use crate::evidence::Fault;
use crate::fold::{Case, Fold};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, JsonSchema)]
pub enum GateName {
    /// Every failing case has a proven verdict and an attributed cause
    #[value(name = "M1", alias = "m1")]
    M1,
    /// Every case has a verified fix with an open pull request
    #[value(name = "M2", alias = "m2")]
    M2,
}

impl GateName {
    pub const ALL: [Self; 2] = [Self::M1, Self::M2];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::M1 => "M1",
            Self::M2 => "M2",
        }
    }

    /// What a case is that passes.
    #[must_use]
    pub fn achieved(self) -> &'static str {
        match self {
            Self::M1 => "proven",
            Self::M2 => "fixed",
        }
    }
}

/// Why a case blocks a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// The condition that is not met; one word, for machines.
    pub rule: &'static str,
    /// For people.
    pub what: String,
    /// The command that would supply it, in pieces that a renderer may put on lines of their own.
    pub supply: Vec<String>,
    /// What that may cost, as far as the ledger tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Other ways on, where there is a choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// One of several ways on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Choice {
    pub name: &'static str,
    pub supply: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
}

impl Missing {
    fn new(rule: &'static str, what: impl Into<String>, supply: Vec<String>) -> Self {
        Self { rule, what: what.into(), supply, cost: None, choices: Vec::new() }
    }

    fn costing(mut self, cost: Option<String>) -> Self {
        self.cost = cost;
        self
    }
}

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
    fn objection(&self, case: &str, fold: &Fold) -> Option<String> {
        let Rederivation::Disagrees(text) = &self.rederivation else { return None };
        let own: Vec<&str> = text.lines().filter(|line| line.contains(case)).collect();
        let names_one = fold.cases().any(|case| text.contains(&case.key));
        if names_one { (!own.is_empty()).then(|| own.join("; ")) } else { Some(text.clone()) }
    }
}

/// What one gate says of the whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub name: GateName,
    /// Cases that pass, of how many.
    pub passing: usize,
    pub cases: usize,
}

/// What `case` still lacks for gate `name`; empty when it passes.
#[must_use]
pub fn missing(name: GateName, case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    match name {
        GateName::M1 => m1::judge(case, fold, proofs),
        GateName::M2 => m2::judge(case, fold, proofs),
    }
}

impl Gate {
    /// A gate on nothing proves nothing: it fails.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cases > 0 && self.passing == self.cases
    }

    /// The line that a machine reads: `GATE M1 FAIL 4/6 proven`.
    #[must_use]
    pub fn line(&self) -> String {
        let word = if self.passes() { "PASS" } else { "FAIL" };
        let (name, achieved) = (self.name.name(), self.name.achieved());
        format!("GATE {name} {word} {}/{} {achieved}", self.passing, self.cases)
    }
}

/// Shell quoting where a word needs it.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What loads the node in the runs that a report asks for.
pub const LOAD_WITH: &str = "--load-with 'ground/load slow 0.5'";

/// Further runs for a case: the flow of the design, over the ledger that is there.
fn more_runs(case: &Case, ledger: &str) -> Vec<String> {
    vec![
        "swarm-isolate".into(),
        "--until 'flake-classify --next'".into(),
        "--companion 'log-snap attach'".into(),
        LOAD_WITH.into(),
        format!("-- scripts/lifecycle {}", quote(&case.recipe())),
        format!("<{}", quote(ledger)),
        "| flake-classify".into(),
    ]
}

/// The verdicts derived again from the runs that are there.
fn classify(ledger: &str) -> Vec<String> {
    vec!["flake-classify".into(), format!("<{}", quote(ledger))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_ledger_fails_every_gate() {
        for name in GateName::ALL {
            let gate = Gate { name, passing: 0, cases: 0 };
            assert!(!gate.passes());
            assert_eq!(gate.line(), format!("GATE {} FAIL 0/0 {}", name.name(), name.achieved()));
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quote("a-b_c.d"), "a-b_c.d");
        assert_eq!(quote("$(x)"), "'$(x)'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
