//! The command under test: its processes, what it is told, and what it says.

pub mod group;
pub mod launch;
