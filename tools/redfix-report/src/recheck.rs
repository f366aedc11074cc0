//! Has `flake-classify` derive every verdict again from the raw records, independently of this program.

use std::io::Write;
use std::time::Duration;

use lib_common::{Error, Result};

use crate::gate::Rederivation;
use crate::program;

const DOING: &str = "re-deriving the verdicts";

/// Derives the verdicts of a stream again.
pub trait Rederive {
    /// Whether the derived verdicts are those that `stream` records.
    fn rederive(&self, stream: &[u8]) -> Result<Rederivation>;
}

/// Derives verdicts by `flake-classify --recheck`.
pub struct FlakeClassify {
    pub deadline: Duration,
}

impl Rederive for FlakeClassify {
    fn rederive(&self, stream: &[u8]) -> Result<Rederivation> {
        let program = program::find("flake-classify").ok_or_else(|| {
            Error::cannot(DOING, "not found")
                .on("flake-classify")
                .hint("install it beside redfix-report or on PATH, or leave --recheck out")
        })?;
        let fail = |e: std::io::Error| Error::cannot(DOING, e).on(program.display());
        // The child reads from a file: writing into a pipe would fail if it stops reading early.
        let mut input = tempfile::tempfile().map_err(fail)?;
        input.write_all(stream).map_err(fail)?;
        std::io::Seek::rewind(&mut input).map_err(fail)?;
        let command = duct::cmd!(&program, "--recheck", "--color", "never")
            .env_remove("REDFIX_LEDGER")
            .stdin_file(input)
            .stdout_null()
            .stderr_capture();
        let Some(output) = program::run(&command, self.deadline).map_err(fail)? else {
            let cause = format!("no answer within {} s", self.deadline.as_secs());
            return Err(Error::again(DOING, cause)
                .on(program.display())
                .hint("raise it with --recheck-timeout"));
        };
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Rederivation::Agrees),
            Some(1) => {
                let said = if said.is_empty() { "no reason given".into() } else { said };
                Ok(Rederivation::Disagrees(said))
            }
            _ => Err(Error::cannot(DOING, format!("{}: {said}", output.status)).on(program.display())),
        }
    }
}
