//! `swarm-guard`: a socket in the engine's place that lets its owner touch only what it created itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("swarm-guard", swarm_guard::run)
}
