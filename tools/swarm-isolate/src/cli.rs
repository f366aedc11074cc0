//! Arguments.

use clap::Parser;
use lib_common::cli::Common;
use lib_common::exit::ToolArgs;

/// Run a command alone, or under measured load, on the swarm, and leave nothing behind
#[derive(Parser, Debug)]
#[command(name = "swarm-isolate", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
}

impl ToolArgs for Args {
    const CHANGES_THE_WORLD: bool = true;

    fn common(&self) -> &Common {
        &self.common
    }
}
