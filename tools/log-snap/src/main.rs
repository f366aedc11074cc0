//! The `log-snap` binary; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("log-snap", log_snap::run)
}
