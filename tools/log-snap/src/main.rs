//! `log-snap`: capture the evidence of a run, redacted, bounded, content-addressed.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("log-snap", log_snap::run)
}
