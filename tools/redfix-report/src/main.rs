//! `redfix-report`: render the ledger for people and evaluate the gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("redfix-report", redfix_report::run)
}
