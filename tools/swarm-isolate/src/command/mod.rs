//! The command under test: how it is started and ended, its environment, and its output.

pub mod cgroup;
pub mod check;
pub mod cli;
pub mod env;
pub mod group;
pub mod idle;
pub mod launch;
pub mod output;
pub mod pty;
pub mod run;
pub mod strays;
pub mod vocabulary;
