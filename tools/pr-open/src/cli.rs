//! Arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use lib_common::cli::{Common, LedgerArg, duration};
use lib_common::exit::ToolArgs;

use crate::forge::{Address, RepoName};
use crate::git::Author;

const EXAMPLES: &str = "\
Examples:
  ... | flake-classify | pr-open --fix scripts/recipes/mumble/fixes/readiness \\
      --forge https://git.example --repo ci/harness --token-file /etc/redfix/token --testme --wait
  pr-open --fix fixes/readiness --forge dir:/srv/review --repo ci/harness --dry-run <ledger.jsonl

Exit status: 0 open and, with --wait, green; 1 red, or refused by a guard; 2 cannot; 75 still pending,
or the forge is away";

/// Open or update exactly one pull request per fix, and never merge
#[derive(Parser, Debug)]
#[command(name = "pr-open", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub ledger: LedgerArg,
    #[command(flatten)]
    pub fix: FixArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub ci: CiArgs,
    /// Say on standard error what would be done, with the body; change nothing, append no record
    #[arg(long)]
    pub dry_run: bool,
    /// Open a new one although an earlier one was closed unmerged
    #[arg(long)]
    pub reopen: bool,
}

/// What is proposed.
#[derive(clap::Args, Debug)]
pub struct FixArgs {
    /// The fix's folder: the files `patch`, `repo`, `route` and `title`
    #[arg(long, value_name = "DIR")]
    pub fix: PathBuf,
    /// Name of the fix (default: the folder's name)
    #[arg(long, value_name = "ID")]
    pub fix_id: Option<String>,
    /// Recipe in the branch's name (default: from the folder's path, else from the patch)
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Case that the fix is for; may be repeated (default: all of the recipe whose route is the fix's)
    #[arg(long, value_name = "KEY")]
    pub case: Vec<String>,
    /// Author and committer
    #[arg(
        long,
        value_name = "NAME <MAIL>",
        default_value = "redfix <noreply@redfix.invalid>",
        env = "REDFIX_AUTHOR",
        hide_env_values = true
    )]
    pub author: Author,
    /// Text of the pull request with {title}, {explanation}, {cases}, {evidence}, {fix}, {verified}, {upstream}
    #[arg(long, value_name = "FILE", env = "REDFIX_PR_TEMPLATE", hide_env_values = true)]
    pub template: Option<PathBuf>,
    /// Issue of the upstream project that tracks the defect; named in the text
    #[arg(long, value_name = "URL")]
    pub upstream_issue: Option<String>,
}

/// Where it is proposed.
#[derive(clap::Args, Debug)]
pub struct PlaceArgs {
    /// The forge: `https://HOST` (Gitea, Forgejo), or `dir:PATH`
    #[arg(long, value_name = "URL", env = "REDFIX_FORGE", hide_env_values = true)]
    pub forge: Address,
    /// Repository
    #[arg(long, value_name = "OWNER/NAME", env = "REDFIX_REPO", hide_env_values = true)]
    pub repo: RepoName,
    /// Branch that the pull request is against
    #[arg(long, value_name = "BRANCH", default_value = "main", env = "REDFIX_BASE", hide_env_values = true)]
    pub base: String,
    /// File that holds the access token
    #[arg(long, value_name = "FILE", env = "REDFIX_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
    /// Where git fetches from and pushes to (default: the forge's own address)
    #[arg(long, value_name = "URL", env = "REDFIX_GIT_URL", hide_env_values = true)]
    pub git_url: Option<String>,
    /// Allow plain http to a host that is not this machine
    #[arg(long)]
    pub insecure_http: bool,
    /// Refuse a token that may push to or merge into the base
    #[arg(long)]
    pub strict: bool,
    /// Deadline of each request to the forge
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s",
          env = "REDFIX_FORGE_TIMEOUT", hide_env_values = true)]
    pub forge_timeout: Duration,
    /// Deadline of each git command
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m",
          env = "REDFIX_GIT_TIMEOUT", hide_env_values = true)]
    pub git_timeout: Duration,
}

/// What a person takes upon themselves.
#[derive(clap::Args, Debug)]
pub struct ConsentArgs {
    /// Open it without a verdict that supports it; recorded, and the gates see it
    #[arg(long)]
    pub no_verdict: bool,
    /// Allow a patch that touches tests
    #[arg(long)]
    pub with_tests: bool,
    /// Allow a patch that touches more than one recipe
    #[arg(long)]
    pub multi: bool,
    /// What counts as a test; may be repeated
    #[arg(long, value_name = "GLOB", value_delimiter = ',', default_values = crate::guard::TESTS,
          env = "REDFIX_TESTS_GLOB", hide_env_values = true)]
    pub tests_glob: Vec<String>,
}

/// What is asked of CI.
#[derive(clap::Args, Debug)]
pub struct CiArgs {
    /// Ask CI for a run of this very head, once
    #[arg(long)]
    pub testme: bool,
    /// The comment that asks for it, to the letter
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "!testme",
        env = "REDFIX_TRIGGER",
        hide_env_values = true
    )]
    pub trigger: String,
    /// Wait for CI's verdict
    #[arg(long)]
    pub wait: bool,
    /// Longest wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m",
          env = "REDFIX_CI_DEADLINE", hide_env_values = true)]
    pub deadline: Duration,
    /// Longest wait for the first status
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m",
          env = "REDFIX_CI_FIRST_WAIT", hide_env_values = true)]
    pub first_wait: Duration,
    /// First pause between two looks; it grows to 15 times this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s",
          env = "REDFIX_CI_POLL", hide_env_values = true)]
    pub poll: Duration,
    /// How long a verdict must stand, unless --require-context says which contexts make it whole
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s",
          env = "REDFIX_CI_SETTLE", hide_env_values = true)]
    pub settle: Duration,
    /// Status context that must be there and green; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "REDFIX_CI_CONTEXTS",
        hide_env_values = true
    )]
    pub require_context: Vec<String>,
}

impl ToolArgs for Args {
    const CHANGES_THE_WORLD: bool = true;

    fn common(&self) -> &Common {
        &self.common
    }
}
