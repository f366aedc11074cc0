//! Arguments.

use clap::Parser;
use lib_common::cli::Common;
use lib_common::exit::ToolArgs;

/// Lease a domain and stack namespace that collides with nothing on the swarm
#[derive(Parser, Debug)]
#[command(name = "warm-domain-alloc", version, max_term_width = 100)]
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
