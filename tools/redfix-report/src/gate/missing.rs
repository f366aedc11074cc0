//! Why a case blocks a gate, and what would supply it.

use schemars::JsonSchema;
use serde::Serialize;

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
    pub fn new(rule: &'static str, what: impl Into<String>, supply: Vec<String>) -> Self {
        Self { rule, what: what.into(), supply, cost: None, choices: Vec::new() }
    }

    #[must_use]
    pub fn costing(mut self, cost: Option<String>) -> Self {
        self.cost = cost;
        self
    }
}
