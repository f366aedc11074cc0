//! Options about CI.

use std::time::Duration;

use lib_common::cli::duration;

/// Whether CI is asked for a run, and how its verdict is waited for.
#[derive(clap::Args, Debug)]
pub struct CiArgs {
    /// Ask CI for a run of the head commit, once
    #[arg(long)]
    pub testme: bool,
    /// Ask CI again for this very head, although it was asked
    #[arg(long)]
    pub retest: bool,
    /// The comment that asks for it, to the letter
    #[arg(long, value_name = "TEXT", value_parser = trigger, default_value = "!testme")]
    pub trigger: String,
    /// Wait for CI's verdict
    #[arg(long)]
    pub wait: bool,
    /// Longest wait for the verdict
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m")]
    pub deadline: Duration,
    /// Longest wait for the first status
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub first_wait: Duration,
    /// First pause between two polls; it grows to 15 times this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    pub poll: Duration,
    /// How long the result must stay the same, unless --require-context is given
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s")]
    pub settle: Duration,
    /// Status context that must be green; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub require_context: Vec<String>,
}

impl CiArgs {
    /// Whether CI is asked at all.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.testme || self.retest
    }
}

/// A forge keeps the blanks around a comment, CI may not want them, and nobody means them.
fn trigger(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it is empty".into()) } else { Ok(text.to_owned()) }
}
