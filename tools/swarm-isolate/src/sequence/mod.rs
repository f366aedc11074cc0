//! Several runs in one call: which is next, how far apart they start, which node each is asked to use, and the leases
//! of their domains.

mod cli;
pub mod lease;
pub mod spacing;
pub mod turns;

pub use cli::SequenceArgs;
pub use lease::Leases;
pub use turns::{Turn, Turns};
