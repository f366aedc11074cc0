//! The command line of `log-snap`: subcommands, options and their help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand};
use lib_common::cli::{Common, EngineArg, InvestigationArg, ReadArg, Voice, duration, size};
use lib_common::swarm::nodes::NodeArg;

const EXAMPLES: &str = "\
Examples:
  # record from before the deploy until SIGTERM, then print one log.snapped
  log-snap attach --stack iso-mumble-1 --out evidence/snap &
  # capture once what is still there; in a pipe, make one bundle for each run.finished
  log-snap --stack iso-mumble-1 --out evidence/snap
  swarm-isolate ... | log-snap --out evidence | redfix-report
  # read a bundle
  log-snap verify evidence/snap && log-snap cat evidence/snap --service app --since 5m
  log-snap diff good/snap bad/snap; log-snap first-error bad/snap
  # redact a bundle again with a rule that was missing
  log-snap redact bad/snap --out bad/snap-2 --rules more.toml

Exit status: 0 complete; 1 the bundle is written but has gaps, or bundles differ, or nothing was found;
2 nothing was captured, or another error; 75 the engine did not answer.";

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
    pub voice: Voice,
    #[command(flatten)]
    pub snap: Snap,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Take once what is still there (the default); a filter
    Snap(Snap),
    /// Record from now until SIGTERM, SIGINT or the stack's end; reads no standard input
    Attach(Attach),
    /// Recompute every hash of bundles
    Verify(Verify),
    /// Print the log lines of a bundle, merged by time
    Cat(Cat),
    /// Redact a bundle again, with other rules or secrets, into a new one
    Redact(Redact),
    /// Name the first line of each service that the good run does not have
    Diff(Diff),
    /// Name the earliest line that may be the cause
    FirstError(FirstError),
    /// Remove bundles that are old and that no ledger needs
    Gc(Gc),
}

#[derive(Group, Debug, Clone)]
pub struct Snap {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub capture: Capture,
}

/// What is secret, and how it is replaced.
#[derive(Group, Debug, Clone)]
pub struct Secrecy {
    /// File descriptor to read secrets from: lines of `{"name":..,"value_base64":..}`
    #[arg(long, value_name = "N", env = "REDFIX_SECRETS_FD", hide_env_values = true)]
    pub secrets_fd: Option<i32>,
    /// File of more redaction rules, in TOML as gitleaks reads it
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// File with the key of the pseudonyms; created if absent (default: redact.key in --relative-to's folder)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Print the bundle's path relative to this folder
    #[arg(long, value_name = "DIR", env = "REDFIX_LEDGER_DIR", hide_env_values = true)]
    pub relative_to: Option<PathBuf>,
}

#[derive(Group, Debug, Clone)]
pub struct Capture {
    /// Stack to capture (default: that of each run.finished on standard input)
    #[arg(long, value_name = "NAME", env = "REDFIX_STACK", hide_env_values = true)]
    pub stack: Option<String>,
    /// Folder of the bundle; it must not exist yet (default: snap in the evidence folder)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The attempt's evidence folder
    #[arg(long, value_name = "DIR", env = "REDFIX_EVIDENCE", hide_env_values = true)]
    pub evidence: Option<PathBuf>,
    /// Attempt that the evidence belongs to
    #[arg(long, value_name = "ID", env = "REDFIX_ATTEMPT", hide_env_values = true)]
    pub attempt: Option<String>,
    /// Engine of another node, to read that node's logs from; may be repeated
    #[arg(
        long = "node",
        value_name = "NAME=URL",
        value_delimiter = ' ',
        env = "REDFIX_NODES",
        hide_env_values = true
    )]
    pub nodes: Vec<NodeArg>,
    /// Read logs through the engine, even where the log driver's files could be read
    #[arg(long)]
    pub no_files: bool,
    /// Longest time to read what is left at the end; then the bundle is written in any case
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub deadline: Duration,
    /// A log that is silent for longer than this at the end counts as stalled
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub idle: Duration,
    /// Memory of the whole process; when it runs out, lines from the middle of the largest log are dropped
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "64MiB")]
    pub memory: u64,
    /// Bytes to keep of one log: its head and its tail, with a mark in between
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16MiB")]
    pub max_bytes: u64,
    /// Longest log line to keep whole; longer ones are cut
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1MiB")]
    pub max_log_line: u64,
    #[command(flatten)]
    pub secrecy: Secrecy,
    #[command(flatten)]
    pub engine: EngineArg,
}

#[derive(Group, Debug, Clone)]
pub struct Attach {
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(flatten)]
    pub capture: Capture,
    /// Also stop when the stack was there and is gone
    #[arg(long)]
    pub until_gone: bool,
}

#[derive(Group, Debug, Clone)]
pub struct Verify {
    /// Folders of bundles
    #[arg(value_name = "BUNDLE", required = true)]
    pub bundles: Vec<PathBuf>,
}

#[derive(Group, Debug, Clone, Default)]
pub struct Cat {
    /// Folder of a bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// Only this service, with or without the stack's name in front
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only this task: its name (app.1), or the beginning of its id or its container's
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Only lines from this time on: RFC 3339, or an age before the bundle's last line (5m)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only lines before this time, in the forms of --since
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only lines that match this expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Print the content of this blob instead, from --offset on
    #[arg(long, value_name = "HASH", conflicts_with_all = ["service", "task", "since", "until", "grep"])]
    pub blob: Option<String>,
    /// First byte of the blob to print
    #[arg(long, value_name = "BYTES", default_value_t, requires = "blob")]
    pub offset: u64,
    /// How many bytes of the blob to print (default: to its end)
    #[arg(long, value_name = "BYTES", requires = "blob")]
    pub bytes: Option<u64>,
}

#[derive(Group, Debug, Clone)]
pub struct Redact {
    /// Folder of a bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// Folder of the new bundle; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub secrecy: Secrecy,
    #[command(flatten)]
    pub investigation: InvestigationArg,
}

#[derive(Group, Debug, Clone)]
pub struct Diff {
    /// Bundle of a run that went well
    #[arg(value_name = "GOOD")]
    pub good: PathBuf,
    /// Bundle of a run that did not
    #[arg(value_name = "BAD")]
    pub bad: PathBuf,
}

#[derive(Group, Debug, Clone)]
pub struct FirstError {
    /// Folder of a bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
}

#[derive(Group, Debug, Clone)]
pub struct Gc {
    /// Folders to look for bundles in
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// Keep bundles that are younger than this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30d",
          env = "REDFIX_SNAP_KEEP", hide_env_values = true)]
    pub keep: Duration,
    /// Keep every bundle that this ledger names; may be repeated
    #[arg(long, value_name = "FILE", env = "REDFIX_LEDGER", hide_env_values = true)]
    pub ledger: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadArg,
    /// Only print what would be removed
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Parses `--memory`. The process itself needs 28 MiB (`plan::BASE`); below 32 MiB too little is left for the logs.
fn memory(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < 32 << 20 { Err("log-snap needs at least 32MiB".into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["log-snap", "--stack", "s", "--out", "o", "-q"]).unwrap();
        assert!(args.command.is_none() && args.voice.quiet);
        let args =
            Args::try_parse_from(["log-snap", "attach", "--stack", "s", "-v", "--until-gone"]).unwrap();
        assert!(matches!(args.command, Some(Command::Attach(attach)) if attach.until_gone));
        let args = Args::try_parse_from([
            "log-snap",
            "--stack",
            "s",
            "--node",
            "a=unix:///x",
            "--node",
            "b=tcp://y",
        ]);
        let nodes: Vec<String> = args
            .unwrap()
            .snap
            .capture
            .nodes
            .iter()
            .map(|node| format!("{}={}", node.name, node.host))
            .collect();
        assert_eq!(nodes, ["a=unix:///x", "b=tcp://y"]);
        assert!(Args::try_parse_from(["log-snap", "--node", "a"]).is_err());
        assert!(Args::try_parse_from(["log-snap", "--memory", "1MiB"]).is_err());
        assert!(Args::try_parse_from(["log-snap", "cat", "b", "--offset", "1"]).is_err());
        assert!(Args::try_parse_from(["log-snap", "verify"]).is_err());
        assert!(
            Args::try_parse_from(["log-snap", "--stack", "s", "attach"]).is_err(),
            "never silently ignored"
        );
    }
}
