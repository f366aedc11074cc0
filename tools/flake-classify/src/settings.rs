//! The user's choices about how a verdict is reached.

use crate::rule::Rule;

/// The options that a verdict depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub rule: Rule,
    /// Time between the first and the last failing isolated run on one machine, in milliseconds, from which on they
    /// count as independent.
    pub spacing_ms: i64,
    /// Whether runs on one machine that are closer together may prove `genuine`.
    pub accept_correlated: bool,
    /// Whether runs count whose condition somebody claims and nothing measured.
    pub accept_claimed: bool,
}
