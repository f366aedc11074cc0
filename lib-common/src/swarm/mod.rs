//! The concepts of a Docker Swarm, each defined once. Only `nodes` and the stream in [`event`] do I/O.
//!
//! [`object`]: kinds of objects, and the engine's lists of them; [`label`]: keys of labels; [`event`]: the engine's
//! events; [`frame`] and [`stamp`]: logs and their times; [`task`]: states of tasks; [`address`]: subnets and their
//! addresses in use; [`stack`]: names of stacks as abra makes them; `nodes`: the engines of a swarm's nodes;
//! [`traefik`]: labels and rules of Traefik.

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
