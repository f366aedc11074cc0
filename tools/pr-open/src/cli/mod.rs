//! The command line of `pr-open`.

mod ci;
mod place;
mod what;

use clap::Parser;
use lib_common::cli::{Common, LedgerArg, Voice};

pub use ci::CiArgs;
pub use place::{PlaceArgs, SiteArgs};
pub use what::{ConsentArgs, TextArgs, WhatArgs};

const EXAMPLES: &str = "\
Examples:
  ... | flake-classify | pr-open --fix ground/rows/mumble/fixes/readiness \\
      --forge https://git.example --repo ci/harness --token-file /etc/redfix/token --testme --wait
  pr-open --fix fixes/readiness --forge dir:/srv/review --repo ci/harness --dry-run <ledger.jsonl
  pr-open --branch fix/gitea/ini --route recipe-pr --title 'gitea: a writable app.ini' --body-file why.md \\
      --repo ci/gitea <ledger.jsonl
  pr-open --comment --pr 4 --fix fixes/stale-test --repo ci/harness <ledger.jsonl

Exit status: 0 open and, with --wait, green; 1 red, or refused by a guard; 2 cannot; 75 still pending,
or the forge is away";

/// Open or update exactly one pull request per fix, and never merge
#[derive(Parser, Debug)]
#[command(name = "pr-open", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub ledger: LedgerArg,
    #[command(flatten)]
    pub what: WhatArgs,
    #[command(flatten)]
    pub text: TextArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub ci: CiArgs,
    /// Explain the fix in a comment on a pull request instead of opening one
    #[arg(long, requires = "pr", conflicts_with_all = ["branch", "testme", "retest", "wait"])]
    pub comment: bool,
    /// The pull request to comment on
    #[arg(long, value_name = "N", requires = "comment")]
    pub pr: Option<u64>,
    /// Open a new one although an earlier one was closed or merged
    #[arg(long)]
    pub reopen: bool,
    /// Print the requests that would be sent, and the text, on standard error; change nothing
    #[arg(long)]
    pub dry_run: bool,
}
