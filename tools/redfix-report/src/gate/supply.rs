//! The commands that supply what is missing, in pieces that a renderer may put on lines of their own. Pure.

use crate::fold::Case;
use crate::shell::quote;

/// What loads the node in the runs that a report asks for.
pub const LOAD_WITH: &str = "--load-with 'ground/load slow 0.5'";

/// Further runs for a case: the flow of the design, over the ledger that is there.
pub fn more_runs(case: &Case, ledger: &str) -> Vec<String> {
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
pub fn classify(ledger: &str) -> Vec<String> {
    vec!["flake-classify".into(), format!("<{}", quote(ledger))]
}
