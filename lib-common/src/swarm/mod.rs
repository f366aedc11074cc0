//! The engine's nouns, each defined once: what objects there are, and how their labels are read.

pub mod address;
pub mod event;
pub mod frame;
pub mod label;
#[cfg(feature = "docker")]
pub mod nodes;
pub mod object;
pub mod stack;
pub mod stamp;
pub mod task;
pub mod traefik;
