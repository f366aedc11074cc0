//! Options about teardown, protection and the nodes.

use clap::{Args, Subcommand};
use lib_common::swarm::nodes::NodeArg;

use super::pattern::Pattern;

#[derive(Args, Clone, Debug, Default)]
pub struct DownArgs {
    /// A change of anything that this NAME, GLOB or label=KEY[=VALUE] matches counts as harm, whoever made it (repeatable)
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
    /// Keep the stack of a run that passed, and never reap it; 'swarm-isolate kept' lists such stacks
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
    /// Tear down kept stacks
    Release {
        /// Stack, or the attempt that created it
        #[arg(required = true)]
        name: Vec<String>,
        /// Say what would be torn down, change nothing
        #[arg(short = 'n', long = "dry-run")]
        dry_run: bool,
    },
}
