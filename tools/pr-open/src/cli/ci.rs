//! Arguments: what is asked of CI.

use std::time::Duration;

use lib_common::cli::duration;

/// What is asked of CI.
#[derive(clap::Args, Debug)]
pub struct CiArgs {
    /// Ask CI for a run of this very head, once
    #[arg(long)]
    pub testme: bool,
    /// The comment that asks for it, to the letter
    #[arg(long, value_name = "TEXT", default_value = "!testme")]
    pub trigger: String,
    /// Wait for CI's verdict
    #[arg(long)]
    pub wait: bool,
    /// Longest wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m")]
    pub deadline: Duration,
    /// Longest wait for the first status
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub first_wait: Duration,
    /// First pause between two looks; it grows to 15 times this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    pub poll: Duration,
    /// How long a verdict must stand, unless --require-context says which contexts make it whole
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s")]
    pub settle: Duration,
    /// Status context that must be there and green; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub require_context: Vec<String>,
}
