//! The checks for each kind of object. Each is a function from a request and what is known to a decision.

pub mod container;
pub mod exec;
pub mod image;
pub mod mounts;
pub mod network;
pub mod read;
pub mod service;
pub mod store;
pub mod volume;
