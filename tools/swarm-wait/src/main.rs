//! `swarm-wait`: wait until a stack has converged, and give up as soon as it never will.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("swarm-wait", swarm_wait::run)
}
