//! The engine's nouns, each defined once. All but the connections to nodes and the open stream of events is without I/O.
//!
//! [`object`]: kinds of objects, and what the engine's lists say of each; [`label`]: keys of labels; [`event`]: what happens;
//! [`frame`] and [`stamp`]: logs as they come, and their times; [`task`]: states; [`address`]: subnets and what is used of
//! them; [`stack`]: names by abra's rule; `nodes`: the engines of a swarm's nodes; [`traefik`]: its labels and rules.

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
