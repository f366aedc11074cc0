//! What two or more redfix tools need, nothing else.
//!
//! [`record`] defines the lines that the tools exchange, [`stream`] reads and passes them on byte for byte,
//! [`blocks`] reads long streams of them on two threads, [`ledger`] keeps them on disk before anybody else sees
//! them, [`code`] and [`error`] give every tool the same codes and the same voice.

pub mod allow;
pub mod blocks;
pub mod case;
pub mod check;
pub mod cli;
pub mod clock;
pub mod code;
#[cfg(feature = "docker")]
pub mod cover;
pub mod diag;
#[cfg(feature = "docker")]
pub mod docker;
pub mod emit;
pub mod error;
pub mod evidence;
pub mod exit;
pub mod glob;
pub mod glr;
pub mod junit;
pub mod ledger;
pub mod pattern;
pub mod record;
pub mod redact;
pub mod signature;
pub mod stream;
pub mod swarm;
pub mod text;

pub use code::Exit;
pub use error::{Error, Result};
pub use exit::Io;

/// Version of the workspace; every tool carries the same one.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A fresh id that sorts by time: 26 characters, Crockford base 32 (<https://github.com/ulid/spec>).
#[must_use]
pub fn new_id() -> String {
    ulid::Ulid::generate().to_string()
}
