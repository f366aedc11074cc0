//! Traefik as the swarm configures it: the keys of its labels, and the rules of its routers. No I/O.

pub mod label;
pub mod rule;

pub use label::{Label, Protocol};
