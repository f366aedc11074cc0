//! Arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand};
use lib_common::cli::{Common, EngineArg, duration, size};
use lib_common::exit::ToolArgs;

const EXAMPLES: &str = "\
Examples:
  # record from before the deploy until SIGTERM, then print one log.snapped
  log-snap attach --stack iso-mumble-1 --out evidence/snap &
  # take once what is still there; behind a run, one bundle for each run.finished
  log-snap --stack iso-mumble-1 --out evidence/snap
  swarm-isolate ... | log-snap --out evidence | redfix-report
  # look at it
  log-snap verify evidence/snap && log-snap cat evidence/snap --service app

Exit status: 0 complete; 1 partial (the bundle is written), or verify found a difference;
2 nothing captured, or cannot; 75 the engine is away.";

/// Capture the evidence of a run, redacted, bounded, content-addressed
#[derive(Parser, Debug)]
#[command(
    name = "log-snap",
    version,
    max_term_width = 100,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "COMMAND"
)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub capture: Capture,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Take once what is still there (the default); a filter
    Snap(Capture),
    /// Record from now until SIGTERM, SIGINT or the stack's end; reads no standard input
    Attach(Attach),
    /// Recompute every hash of bundles
    Verify(Verify),
    /// Print the log lines of a bundle, merged by time
    Cat(Cat),
}

#[derive(Group, Debug, Clone)]
pub struct Capture {
    /// Stack to capture (default: that of each run.finished on standard input)
    #[arg(long, value_name = "NAME", env = "REDFIX_STACK", hide_env_values = true)]
    pub stack: Option<String>,
    /// Folder of the bundle; it must not exist yet (default: snap in the evidence folder)
    #[arg(long, value_name = "DIR", env = "REDFIX_SNAP_OUT", hide_env_values = true)]
    pub out: Option<PathBuf>,
    /// The attempt's evidence folder
    #[arg(long, value_name = "DIR", env = "REDFIX_EVIDENCE", hide_env_values = true)]
    pub evidence: Option<PathBuf>,
    /// Attempt that the evidence belongs to
    #[arg(long, value_name = "ID", env = "REDFIX_ATTEMPT", hide_env_values = true)]
    pub attempt: Option<String>,
    /// Print the bundle's path relative to this folder
    #[arg(long, value_name = "DIR", env = "REDFIX_LEDGER_DIR", hide_env_values = true)]
    pub relative_to: Option<PathBuf>,
    /// How long taking the rest may last; the bundle is written after it in any case
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s",
          env = "REDFIX_SNAP_DEADLINE", hide_env_values = true)]
    pub deadline: Duration,
    /// Longest silence of one log before it counts as stalled
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s",
          env = "REDFIX_SNAP_IDLE", hide_env_values = true)]
    pub idle: Duration,
    /// Bytes that are kept of one log: head and tail, with a mark between
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16MiB",
          env = "REDFIX_SNAP_MAX_BYTES", hide_env_values = true)]
    pub max_bytes: u64,
    /// Longest log line that is kept whole
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1MiB",
          env = "REDFIX_SNAP_MAX_LOG_LINE", hide_env_values = true)]
    pub max_log_line: u64,
    #[command(flatten)]
    pub engine: EngineArg,
}

#[derive(Group, Debug, Clone)]
pub struct Attach {
    #[command(flatten)]
    pub capture: Capture,
    /// Stop by itself when the stack was there and is gone
    #[arg(long, env = "REDFIX_SNAP_UNTIL_GONE", hide_env_values = true)]
    pub until_gone: bool,
}

#[derive(Group, Debug, Clone)]
pub struct Verify {
    /// Folders of bundles
    #[arg(value_name = "BUNDLE", required = true)]
    pub bundles: Vec<PathBuf>,
}

#[derive(Group, Debug, Clone)]
pub struct Cat {
    /// Folder of a bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// Only this service, with or without the stack's name in front
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
}

impl ToolArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["log-snap", "--stack", "s", "--out", "o", "-q"]).unwrap();
        assert!(args.command.is_none() && args.common.quiet);
        let args =
            Args::try_parse_from(["log-snap", "attach", "--stack", "s", "-v", "--until-gone"]).unwrap();
        assert!(matches!(args.command, Some(Command::Attach(attach)) if attach.until_gone));
        assert!(Args::try_parse_from(["log-snap", "verify"]).is_err());
        assert!(
            Args::try_parse_from(["log-snap", "--stack", "s", "attach"]).is_err(),
            "never silently ignored"
        );
    }
}
