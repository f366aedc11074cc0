//! The rules, one file per kind of object. A rule is a pure function from a request, and what is known of the objects
//! that it names, to a decision.

pub mod container;
pub mod exec;
pub mod image;
pub mod logging;
pub mod mounts;
pub mod names;
pub mod network;
pub mod ports;
pub mod read;
pub mod service;
pub mod store;
pub mod volume;
