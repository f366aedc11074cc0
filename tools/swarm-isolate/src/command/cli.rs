//! Options about the command: its environment, its time limits, who judges it, where its output goes.

use std::time::Duration;

use lib_common::allow::Allow;
use lib_common::cli::{Place, duration, size};

use super::env::Mapping;

#[derive(clap::Args, Debug, Clone)]
pub struct CommandArgs {
    /// Set VAR for the command; {domain}, {stack}, {ref} and others are replaced by this attempt's values (repeatable)
    #[arg(long = "env", value_name = "VAR=VALUE")]
    pub mappings: Vec<Mapping>,
    /// What the command may do beyond touching its own objects: network, exec, domain, stack, image, path
    /// or log-driver (repeatable)
    #[arg(long, value_name = "KIND=VALUE", value_delimiter = ',')]
    pub allow: Vec<Allow>,
    /// Give the command a pseudo-terminal
    #[arg(long)]
    pub pty: bool,
    /// Shell command that decides the outcome from recorded state: exit 0 pass, 1 fail, others undecided
    #[arg(long, value_name = "CMD")]
    pub check: Option<String>,
    /// Longest time that the command may take
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    pub timeout: Duration,
    /// Longest time without output and without progress of the stack's tasks (default: no limit)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL, for the command and its helpers
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub grace: Duration,
    /// Append records to this file, or write them to the open descriptor with this number; standard output, standard
    /// error and the exit code are then the command's own
    #[arg(long, value_name = "FILE|FD")]
    pub records: Option<Place>,
    /// Free space that the evidence folder and the engine's folder need before a run
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2GiB")]
    pub min_free: u64,
}

impl CommandArgs {
    /// The number of the open descriptor that records go to, if they go to one.
    pub fn records_descriptor(&self) -> Option<u32> {
        match self.records {
            Some(Place::Descriptor(number)) => Some(number),
            _ => None,
        }
    }
}
