//! `flake-classify`: decide genuine, load-flake, flake or inconclusive in as few runs as possible.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("flake-classify", flake_classify::run)
}
