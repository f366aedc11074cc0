//! Options of a sequence of runs.

use std::time::Duration;

use lib_common::cli::duration;

#[derive(clap::Args, Debug)]
pub struct SequenceArgs {
    /// Least time between the starts of two runs; runs on record count, too
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub apart: Duration,
}
