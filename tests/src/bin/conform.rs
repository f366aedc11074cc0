//! conform FILE: holds every record that the tests made the tools emit (`E2E_RECORDS=FILE`) against the schema.

use std::io::{self, Write as _};
use std::process::ExitCode;

use e2e::schema::conformance;

fn main() -> io::Result<ExitCode> {
    let path = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("conform: which file?"))?;
    let (count, wrong) = conformance(&std::fs::read_to_string(path)?);
    let mut out = io::stdout().lock();
    for fault in wrong.iter().take(20) {
        writeln!(out, "{fault}")?;
    }
    let types = count.iter().map(|(kind, number)| format!("{kind} {number}")).collect::<Vec<_>>().join(", ");
    let all: usize = count.values().sum();
    writeln!(out, "{all} records ({types}): {} faults", wrong.len())?;
    // Nothing emitted is nothing checked.
    Ok(if wrong.is_empty() && all > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
