//! Arguments.

use clap::Parser;
use lib_common::cli::Common;
use lib_common::exit::ToolArgs;

/// Capture the evidence of a run, redacted, bounded, content-addressed
#[derive(Parser, Debug)]
#[command(name = "log-snap", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
}

impl ToolArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }
}
