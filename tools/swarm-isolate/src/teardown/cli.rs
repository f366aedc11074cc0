//! Options about teardown, protection and the nodes.

use std::time::Duration;

use clap::{Args, Subcommand};
use lib_common::cli::{EngineArg, InvestigationArg, LedgerArg, duration};
use lib_common::swarm::nodes::NodeArg;

use super::pattern::Pattern;
use crate::slot::{CountArg, TtlArg};

#[derive(Args, Clone, Debug, Default)]
pub struct DownArgs {
    /// A change of anything that this NAME, GLOB or label=KEY[=VALUE] matches counts as harm, whoever made it (repeatable)
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ' ',
        env = "REDFIX_PROTECT",
        hide_env_values = true
    )]
    pub protect: Vec<Pattern>,
    /// Engine of another node of the swarm: its containers and volumes are invisible to the manager (repeatable)
    #[arg(
        long = "node",
        value_name = "NAME=HOST",
        value_delimiter = ' ',
        env = "REDFIX_NODES",
        hide_env_values = true
    )]
    pub nodes: Vec<NodeArg>,
    /// Longest teardown, after which what is left is named and the run fails
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub teardown_timeout: Duration,
}

#[derive(Args, Debug)]
pub struct ReapArgs {
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    #[command(flatten)]
    pub count: CountArg,
    #[command(flatten)]
    pub ttl: TtlArg,
    #[command(flatten)]
    pub down: DownArgs,
    /// Say what would be torn down, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct KeptArgs {
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(subcommand)]
    pub action: Option<KeptAction>,
}

#[derive(Subcommand, Debug)]
pub enum KeptAction {
    /// Tear down kept stacks: they are nobody's any more
    Release(ReleaseArgs),
}

#[derive(Args, Debug)]
pub struct ReleaseArgs {
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub down: DownArgs,
    /// Stack, or the attempt that created it
    #[arg(required = true)]
    pub name: Vec<String>,
    /// Say what would be torn down, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
