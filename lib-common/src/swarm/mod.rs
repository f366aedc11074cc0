//! The engine's nouns, each defined once: what objects there are, and how their labels are read.

pub mod address;
pub mod label;
#[cfg(feature = "docker")]
pub mod nodes;
pub mod object;
pub mod task;
