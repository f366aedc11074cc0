//! The engine's nouns, each defined once: what objects there are, and how their labels are read.

pub mod label;
pub mod object;
