//! Arguments about the command: what it is told, how long it may take, who judges it, where its output goes.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use lib_common::cli::{duration, size};

use super::env::Mapping;
use super::pattern::Pattern;

#[derive(clap::Args, Debug, Clone)]
pub struct CommandArgs {
    /// Set VAR for the command; {domain}, {stack}, {ref} and others stand for what this attempt has (repeatable)
    #[arg(
        long = "env",
        value_name = "VAR=VALUE",
        value_delimiter = '\n',
        env = "REDFIX_COMMAND_ENV",
        hide_env_values = true
    )]
    pub mappings: Vec<Mapping>,
    /// Admit apps of this name, chosen by the command itself: `*` and `?` are wild (repeatable)
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        env = "REDFIX_NAMESPACE",
        hide_env_values = true
    )]
    pub namespace: Vec<Pattern>,
    /// Give the command a pseudo-terminal
    #[arg(long, value_parser = FalseyValueParser::new(), env = "REDFIX_PTY", hide_env_values = true)]
    pub pty: bool,
    /// Shell command that decides from recorded state: exit 0 pass, 1 fail, others undecided
    #[arg(long, value_name = "CMD", env = "REDFIX_CHECK", hide_env_values = true)]
    pub check: Option<String>,
    /// Longest time that the command may take
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h", env = "REDFIX_TIMEOUT", hide_env_values = true)]
    pub timeout: Duration,
    /// Longest time without output and without progress of the stack's tasks (default: no limit)
    #[arg(long, value_name = "TIME", value_parser = duration, env = "REDFIX_IDLE_TIMEOUT", hide_env_values = true)]
    pub idle_timeout: Option<Duration>,
    /// From SIGTERM to SIGKILL, for the command and its helpers
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s", env = "REDFIX_GRACE", hide_env_values = true)]
    pub grace: Duration,
    /// Records go to this file, or to this number of an open descriptor; standard output, standard error and the
    /// exit code are then the command's own
    #[arg(long, value_name = "FILE|FD", env = "REDFIX_RECORDS", hide_env_values = true)]
    pub records: Option<RecordsTo>,
    /// Free space that the evidence folder and the engine's folder need before a run
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2GiB", env = "REDFIX_MIN_FREE", hide_env_values = true)]
    pub min_free: u64,
}

impl CommandArgs {
    /// The open descriptor that records go to, if it is one.
    pub fn records_descriptor(&self) -> Option<u32> {
        match self.records {
            Some(RecordsTo::Descriptor(number)) => Some(number),
            _ => None,
        }
    }
}

/// Where records go when standard output is the command's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsTo {
    File(PathBuf),
    Descriptor(u32),
}

impl RecordsTo {
    /// The path to open: a descriptor is opened anew, so that its number can be kept from the command.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Descriptor(number) => format!("/proc/self/fd/{number}").into(),
        }
    }
}

impl FromStr for RecordsTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u32>() {
            Ok(0..=2) => Err("descriptors 0 to 2 are the command's own".into()),
            Ok(number) => Ok(Self::Descriptor(number)),
            Err(_) if text.is_empty() => Err("neither a file nor a descriptor's number".into()),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_descriptor() {
        assert_eq!("3".parse(), Ok(RecordsTo::Descriptor(3)));
        assert_eq!("./3".parse(), Ok(RecordsTo::File("./3".into())));
        assert!("2".parse::<RecordsTo>().is_err() && "".parse::<RecordsTo>().is_err());
    }
}
