//! What all children of a run have in common: the command, its companion and its check, and the load. No I/O.

use std::path::Path;

use super::cli::CommandArgs;
use super::env::Facts;
use super::group::{Start, Stdout};
use super::vocabulary::Vocabulary;

/// How the children of a run are started.
#[derive(Clone, Copy)]
pub struct Children<'c> {
    /// The run's command.
    pub command: &'c [String],
    /// Shell command that runs beside it.
    pub companion: Option<&'c str>,
    pub args: &'c CommandArgs,
    pub vocabulary: &'c Vocabulary,
    /// The guard's program.
    pub guard: &'c Path,
    /// What they print is shown, too.
    pub show: bool,
}

impl<'c> Children<'c> {
    /// One that is told these facts and only logged; what is special about it is for the caller to add.
    pub fn start<'s>(&self, command: &'s [String], facts: &Facts, log: &'s Path) -> Start<'s>
    where
        'c: 's,
    {
        Start {
            command,
            variables: facts.variables(&self.args.mappings),
            log,
            stdout: Stdout::Log,
            show: self.show,
            pty: false,
            cgroup: None,
            vocabulary: self.vocabulary,
            records: self.args.records_descriptor(),
            guard: None,
        }
    }
}
