//! Arguments of teardown, protection and the nodes.

use clap::{Args, Subcommand};
use lib_common::swarm::nodes::NodeArg;

use super::pattern::Pattern;

#[derive(Args, Clone, Debug, Default)]
pub struct DownArgs {
    /// A change of what NAME, GLOB or label=KEY[=VALUE] matches is harm, whoever made it (repeatable)
    #[arg(
        long,
        global = true,
        value_name = "PATTERN",
        value_delimiter = ' ',
        env = "REDFIX_PROTECT",
        hide_env_values = true
    )]
    pub protect: Vec<Pattern>,
    /// Engine of another node of the swarm: its containers and volumes are invisible to the manager (repeatable)
    #[arg(
        long = "node",
        global = true,
        value_name = "NAME=HOST",
        value_delimiter = ' ',
        env = "REDFIX_NODES",
        hide_env_values = true
    )]
    pub nodes: Vec<NodeArg>,
    /// Leave what a passed run created standing, never to be reaped; 'swarm-isolate kept' lists it
    #[arg(long)]
    pub keep_on_success: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub struct ReapArgs {
    /// Say what would be torn down, change nothing
    #[arg(short = 'n', long = "dry-run")]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub struct KeptArgs {
    #[command(subcommand)]
    pub action: Option<KeptAction>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum KeptAction {
    /// Tear down kept stacks: they are nobody's any more
    Release {
        /// Stack, or the attempt that created it
        #[arg(required = true)]
        name: Vec<String>,
        /// Say what would be torn down, change nothing
        #[arg(short = 'n', long = "dry-run")]
        dry_run: bool,
    },
}
