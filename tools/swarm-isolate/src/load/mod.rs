//! CPU load: measures how much of it is not the run's, and makes it for loaded runs.

pub mod cli;
pub mod condition;
pub mod machine;
pub mod maker;
pub mod makers;
pub mod ports;
pub mod sampler;
pub mod watch;
