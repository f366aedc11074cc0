//! Arguments.

use clap::Parser;
use lib_common::cli::Common;
use lib_common::exit::ToolArgs;

/// Decide genuine, load-flake, flake or inconclusive in as few runs as possible
#[derive(Parser, Debug)]
#[command(name = "flake-classify", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
}

impl ToolArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }
}
