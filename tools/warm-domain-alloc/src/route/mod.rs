//! What the swarm and Traefik make of labels, tasks and networks, recomputed from the engine alone. No I/O.
//!
//! Traefik drops what it cannot use without a word in its API, so the judgement starts from the raw labels.

pub mod alias;
pub mod labels;
pub mod proxy;
pub mod swarm;
