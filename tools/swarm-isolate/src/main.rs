//! `swarm-isolate`: run a command alone, or under measured load, on the swarm, and leave nothing behind.

use std::process::ExitCode;

fn main() -> ExitCode {
    swarm_isolate::called().unwrap_or_else(|| lib_common::exit::main("swarm-isolate", swarm_isolate::run))
}
