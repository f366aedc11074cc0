//! `pr-open`: open or update exactly one pull request per fix, and never merge.

use std::process::ExitCode;

fn main() -> ExitCode {
    lib_common::exit::main("pr-open", pr_open::run)
}
