//! The command line of `swarm-isolate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use lib_common::cli::{Common, EngineArg, LedgerArg, Voice, duration};

use crate::command::cli::CommandArgs;
use crate::load::cli::LoadArgs;
use crate::sequence::SequenceArgs;
use crate::slot::{ShowArgs, SlotArgs};
use crate::teardown::cli::{DownArgs, KeptArgs, ReapArgs};

/// Run a command alone, or under measured load, on the swarm, and leave nothing behind
#[derive(Parser, Debug)]
#[command(name = "swarm-isolate", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Subcommand, Debug)]
pub enum Action {
    /// Take a slot, or all, run a command with its streams untouched, and exit as it does
    Hold(HoldArgs),
    /// Finish what dead predecessors left: tear down their stacks, free their slots, write their records
    Reap(ReapArgs),
    /// List the stacks that --keep-on-success left standing, or release them
    Kept(KeptArgs),
    /// The detached process that finishes a run whose tool was killed
    #[command(hide = true)]
    Reaper {
        #[arg(long)]
        detached: bool,
    },
    /// Print who holds the swarm's slots
    Slots(ShowArgs),
}

#[derive(clap::Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    #[command(flatten)]
    pub command: CommandArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    /// Level of a further factor; the command sees it as `REDFIX_FACTOR_<NAME>` (repeatable)
    #[arg(long, value_name = "NAME=LEVEL", value_parser = factor)]
    pub factor: Vec<(String, String)>,
    /// How many runs of each recipe
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "until")]
    pub runs: u32,
    /// Shell command that reads all records before each run; it prints a run.planned, or exits 0 when all is settled
    #[arg(long, value_name = "CMD")]
    pub until: Option<String>,
    /// Shell command that runs beside the command, from before its start until just before teardown
    #[arg(long, value_name = "CMD")]
    pub companion: Option<String>,
    /// Recipe (default: that of the case on standard input)
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Version of the recipe (default: that of the case on standard input)
    #[arg(long, value_name = "V")]
    pub version_under_test: Option<String>,
    /// Domain to derive the attempts' domains and stacks from (default: the lease on standard input)
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,
    /// Folder for the evidence of each attempt (default: the ledger's folder, else a temporary one)
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Say what would be run, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub slot: SlotArgs,
    #[command(flatten)]
    pub sequence: SequenceArgs,
    #[command(flatten)]
    pub down: DownArgs,
    /// Leave what a passed run created standing, never to be reaped; 'swarm-isolate kept' lists it
    #[arg(long)]
    pub keep_on_success: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub program: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub struct HoldArgs {
    /// Take all slots, so that nobody deploys beside the command
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub slot: SlotArgs,
    /// From SIGTERM to SIGKILL, for the command
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub grace: Duration,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub down: DownArgs,
    /// Say what would be run, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub program: Vec<String>,
}

fn factor(text: &str) -> Result<(String, String), String> {
    let (name, level) = text.split_once('=').ok_or("not of the form NAME=LEVEL")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || level.is_empty() {
        return Err("a factor's name is made of a-z, 0-9 and _, and its level is not empty".into());
    }
    Ok((name.into(), level.into()))
}

const EXAMPLES: &str = "\
Examples:
  Run a life cycle alone, three times, and see each run's record:
      swarm-isolate --domain iso-mumb.ci.example --runs 3 -- scripts/lifecycle mumble
  The same with the node loaded:
      swarm-isolate --domain iso-mumb.ci.example --condition loaded \\
          --load-with 'ground/load slow 0.5' -- scripts/lifecycle mumble
  As a stage of the pipe, until the verdict is settled:
      ... | swarm-isolate --until 'flake-classify --next' --companion 'log-snap attach' \\
          --ledger ledger.jsonl -- scripts/lifecycle mumble | ...
  A slot for an existing CI, at night:
      swarm-isolate hold --wait 8h --window 22:00-06:00 -- ./run-ci
  In front of an existing runner, whose output and exit code stay what they are:
      swarm-isolate --records runs.jsonl --pty --env APP={domain} --domain iso-mumb.ci.example -- ./run mumble
  After a crash of this tool:
      swarm-isolate reap";
