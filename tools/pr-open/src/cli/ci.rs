//! Options about CI.

use std::time::Duration;

use lib_common::cli::duration;

/// Whether CI is asked for a run, and how its verdict is waited for.
#[derive(clap::Args, Debug)]
pub struct CiArgs {
    /// Ask CI for a run of the head commit, once
    #[arg(long)]
    pub testme: bool,
    /// The exact comment that asks CI for a run
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "!testme",
        env = "REDFIX_TRIGGER",
        hide_env_values = true
    )]
    pub trigger: String,
    /// Wait for CI's verdict
    #[arg(long)]
    pub wait: bool,
    /// Longest wait for the verdict
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m",
          env = "REDFIX_CI_DEADLINE", hide_env_values = true)]
    pub deadline: Duration,
    /// Longest wait for the first status
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m",
          env = "REDFIX_CI_FIRST_WAIT", hide_env_values = true)]
    pub first_wait: Duration,
    /// First pause between two polls; it grows to 15 times this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s",
          env = "REDFIX_CI_POLL", hide_env_values = true)]
    pub poll: Duration,
    /// How long the result must stay the same, unless --require-context is given
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s",
          env = "REDFIX_CI_SETTLE", hide_env_values = true)]
    pub settle: Duration,
    /// Status context that must be green; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "REDFIX_CI_CONTEXTS",
        hide_env_values = true
    )]
    pub require_context: Vec<String>,
}
