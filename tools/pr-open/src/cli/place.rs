//! Options about the forge and the repository.

use std::path::PathBuf;
use std::time::Duration;

use lib_common::cli::duration;

use crate::forge::{Address, RepoName};

/// Where the fix is proposed.
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
    /// Refuse a token that may push to or merge into the base; a label or reviewer left out is an error
    #[arg(long)]
    pub strict: bool,
    /// Deadline of each request to the forge
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s",
          env = "REDFIX_FORGE_TIMEOUT", hide_env_values = true)]
    pub forge_timeout: Duration,
    /// Deadline of each git command, and of the wait for another pr-open at the same branch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m",
          env = "REDFIX_GIT_TIMEOUT", hide_env_values = true)]
    pub git_timeout: Duration,
}
