//! Evaluates the gates: what each case still lacks, and the lines that programs read. Pure.

mod cost;
mod m1;
pub mod m2;
mod missing;
mod proofs;
pub mod proposal;
mod supply;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use crate::fold::{Case, Fold};

pub use missing::{Choice, Missing};
pub use proofs::{Proofs, Rederivation};
pub use supply::LOAD_WITH;

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

    /// The word for a case that passes.
    #[must_use]
    pub fn achieved(self) -> &'static str {
        match self {
            Self::M1 => "proven",
            Self::M2 => "fixed",
        }
    }
}

/// The result of one gate for the whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub name: GateName,
    /// How many cases pass.
    pub passing: usize,
    /// How many cases there are.
    pub cases: usize,
}

/// What `case` still lacks for gate `name`; empty if it passes.
#[must_use]
pub fn missing(name: GateName, case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Missing> {
    match name {
        GateName::M1 => m1::judge(case, fold, proofs),
        GateName::M2 => m2::judge(case, fold, proofs),
    }
}

impl Gate {
    /// Whether all cases pass. Without a case the gate fails, because nothing is proved.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cases > 0 && self.passing == self.cases
    }

    /// The line that programs read: `GATE M1 FAIL 4/6 proven`.
    #[must_use]
    pub fn line(&self) -> String {
        let word = if self.passes() { "PASS" } else { "FAIL" };
        let (name, achieved) = (self.name.name(), self.name.achieved());
        format!("GATE {name} {word} {}/{} {achieved}", self.passing, self.cases)
    }
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
}
