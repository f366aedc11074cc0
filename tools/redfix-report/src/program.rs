//! Finds other tools of the project and runs them with a deadline.

use std::io;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use duct::Expression;

/// The path of a tool: on `PATH`, else beside this executable.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    which::which(name).ok().or_else(|| {
        let beside = std::env::current_exe().ok()?.with_file_name(name);
        beside.is_file().then_some(beside)
    })
}

/// Runs a command to its end, whatever its exit code. `None`: it was killed at the deadline.
pub fn run(command: &Expression, deadline: Duration) -> io::Result<Option<Output>> {
    let child = command.unchecked().start()?;
    if child.wait_timeout(deadline)?.is_none() {
        child.kill()?;
        return Ok(None);
    }
    child.into_output().map(Some)
}
