//! What the user may choose about the verdict.

use crate::rule::Rule;

/// What the user may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub rule: Rule,
    /// First to last failing isolated run on one machine, in milliseconds, from which on they count as independent.
    pub spacing_ms: i64,
    pub accept_correlated: bool,
    /// Count runs whose condition somebody claims and nothing measured.
    pub accept_claimed: bool,
}
