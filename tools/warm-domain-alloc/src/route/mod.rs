//! Computes from the engine's data what Traefik and the swarm's DNS make of labels, tasks and networks. No I/O.
//!
//! Traefik's API does not show what Traefik dropped because it could not use it, so this starts from the raw labels.

pub mod alias;
pub mod labels;
pub mod proxy;
pub mod swarm;
