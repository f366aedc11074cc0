//! Arguments.

use clap::Parser;
use lib_common::cli::Common;
use lib_common::exit::ToolArgs;

/// Open or update exactly one pull request per fix, and never merge
#[derive(Parser, Debug)]
#[command(name = "pr-open", version, max_term_width = 100)]
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
