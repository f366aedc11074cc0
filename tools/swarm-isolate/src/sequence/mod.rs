//! Several runs in one call: what runs next, how far apart they are, which node each is asked to use, and the leases that they
//! live on.

mod cli;
pub mod lease;
pub mod spacing;
pub mod turns;

pub use cli::SequenceArgs;
pub use lease::Leases;
pub use turns::{Turn, Turns};
