//! Makes the commands that supply what is missing, in pieces that a renderer may put on lines of their own. Pure.

use crate::fold::Case;
use crate::shell::quote;

/// The option that loads the node in the runs that a report suggests.
pub const LOAD_WITH: &str = "--load-with 'ground/load slow 0.5'";

/// The command that makes further runs for a case, as the pipeline does, beginning with the ledger.
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

/// The command that derives the verdicts again from the runs on the ledger.
pub fn classify(ledger: &str) -> Vec<String> {
    vec!["flake-classify".into(), format!("<{}", quote(ledger))]
}
