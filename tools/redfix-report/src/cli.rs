//! Arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use lib_common::cli::{Common, LedgerArg, Voice, duration, size};
use lib_common::exit::ToolArgs;

use crate::check::CheckArgs;
use crate::gate::GateName;

const EXAMPLES: &str = "\
Examples:
  redfix-report ledger.jsonl
  redfix-report --gate M1 --recheck --verify-evidence ledger.jsonl | head -n 1
  redfix-report --format md --out report.md ledger.jsonl
  redfix-report --format text,md,html,csv,junit,json --out reports/ ledger.jsonl
  redfix-report review --gate M1 --reviewer ada --ledger ledger.jsonl ledger.jsonl

Exit: 0 the selected gates pass, 1 one of them fails, 2 cannot.";

/// Render the ledger for people and evaluate the gates
#[derive(Parser, Debug)]
#[command(name = "redfix-report", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the report itself takes.
#[derive(clap::Args, Clone, Debug)]
pub struct ReportArgs {
    /// How the report is written; several with --out DIR
    #[arg(long, value_enum, value_delimiter = ',', default_value = "text")]
    pub format: Vec<Format>,
    /// Markdown of at most this many bytes: details go first, the gates and their tables never
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_bytes: Option<u64>,
    /// Gate that decides the exit code; may be repeated (default: both)
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', value_name = "GATE")]
    pub gate: Vec<GateName>,
    /// Write to this file, or into this folder as report.FORMAT; only the gate lines go to standard output
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Keep STATUS, BACKLOG, REVIEW and JOURNAL-redfix.md and the canon exceptions of DECISIONS.md in this folder current
    #[arg(long, value_name = "DIR", env = "REDFIX_STATE_DIR", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Ledger that standard input is a copy of: evidence paths are relative to its folder, too
    #[arg(long, value_name = "FILE", env = "REDFIX_LEDGER", hide_env_values = true)]
    pub ledger: Option<PathBuf>,
    /// Ledgers to read, in any order (default or `-`: standard input)
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What a gate is judged with: the report and a review take the same.
#[derive(clap::Args, Clone, Debug)]
pub struct ProofArgs {
    /// Folder that evidence paths are relative to, besides the folders of the ledgers
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Verify every attempt's evidence and, with `log-snap verify`, every log bundle: gate M1 fails by a mismatch
    #[arg(long)]
    pub verify_evidence: bool,
    /// Deadline of verifying one log bundle, and of reading the first errors out of all
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub bundle_timeout: Duration,
    /// Have `flake-classify --recheck` derive every verdict again; gate M1 fails where it disagrees
    #[arg(long)]
    pub recheck: bool,
    /// Deadline of the re-derivation
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub recheck_timeout: Duration,
    /// Who made the fixes: a review by the same name does not count
    #[arg(long, value_name = "NAME", env = "REDFIX_AUTHOR", hide_env_values = true)]
    pub author: Option<String>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Judge one gate again and append `review.recorded`: the second look by somebody else
    Review(ReviewArgs),
}

#[derive(clap::Args, Clone, Debug)]
pub struct ReviewArgs {
    /// Who reviews; must not be the author
    #[arg(long, value_name = "NAME")]
    pub reviewer: String,
    /// Gate that was reviewed
    #[arg(long, value_enum, ignore_case = true, value_name = "GATE")]
    pub gate: GateName,
    /// Record a veto although the gate passes
    #[arg(long)]
    pub reject: bool,
    /// What the reviewer wants to say
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    #[command(flatten)]
    pub durable: LedgerArg,
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Ledgers to read (default or `-`: standard input, which is passed through)
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal, 80 columns
    Text,
    /// Markdown that is safe to paste into a comment
    Md,
    /// One file for a browser
    Html,
    /// A table for a spreadsheet
    Csv,
    /// A suite per gate, a test per case
    Junit,
    /// The same words for another program
    Json,
}

impl Format {
    /// File name ending.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Md => "md",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Junit => "xml",
            Self::Json => "json",
        }
    }
}

impl ToolArgs for Args {
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.common.voice
    }
}
