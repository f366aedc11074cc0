//! Load: how much there was that is not the run's, and how it is made.

pub mod cli;
pub mod condition;
pub mod machine;
pub mod maker;
pub mod makers;
pub mod ports;
pub mod sampler;
pub mod watch;
