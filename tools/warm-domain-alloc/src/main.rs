//! `warm-domain-alloc`: lease a domain and stack namespace that collides with nothing on the swarm.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("warm-domain-alloc", warm_domain_alloc::run)
}
