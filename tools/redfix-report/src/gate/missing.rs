//! What a case lacks to pass a gate, and the command that would supply it.

use schemars::JsonSchema;
use serde::Serialize;

/// Why a case blocks a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// The condition that is not met, as one word for programs.
    pub rule: &'static str,
    /// What is missing, for people.
    pub what: String,
    /// The command that would supply it, in pieces that a renderer may put on lines of their own.
    pub supply: Vec<String>,
    /// What the command costs, as far as the ledger shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Other commands that may supply it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// One of several commands that may supply what is missing.
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
