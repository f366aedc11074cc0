//! Arguments: where it is proposed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lib_common::Error;
use lib_common::cli::duration;

use crate::forge::{Address, RepoName, is_part};

/// The forge, and who we are there: the same for every pull request.
#[derive(clap::Args, Debug)]
pub struct SiteArgs {
    /// The forge: `https://HOST` (Gitea, Forgejo), or `dir:PATH`
    #[arg(long, value_name = "URL", required = true, env = "REDFIX_FORGE", hide_env_values = true)]
    pub forge: Option<Address>,
    /// Owner of the repository, where --repo names none
    #[arg(long, value_name = "NAME", value_parser = owner, env = "REDFIX_OWNER", hide_env_values = true)]
    pub owner: Option<String>,
    /// File that holds the access token
    #[arg(long, value_name = "FILE", env = "REDFIX_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
    /// Allow plain http to a host that is not this machine
    #[arg(long)]
    pub insecure_http: bool,
    /// Deadline of each request to the forge
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub forge_timeout: Duration,
}

/// Where it is proposed.
#[derive(clap::Args, Debug)]
pub struct PlaceArgs {
    #[command(flatten)]
    pub site: SiteArgs,
    /// Repository
    #[arg(long, value_name = "[OWNER/]NAME")]
    pub repo: Repo,
    /// Branch that the pull request is against
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub base: String,
    /// Where git fetches from and pushes to (default: the forge's own address)
    #[arg(long, value_name = "URL")]
    pub git_url: Option<String>,
    /// Refuse a token that may push to or merge into the base; a label or reviewer left out is an error
    #[arg(long)]
    pub strict: bool,
    /// Deadline of each git command, and of the wait for another pr-open at the same branch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub git_timeout: Duration,
}

/// `--repo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repo {
    Whole(RepoName),
    /// The owner is said by `--owner`.
    Bare(String),
}

impl FromStr for Repo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_part(text) { Ok(Self::Bare(text.into())) } else { text.parse().map(Self::Whole) }
    }
}

impl PlaceArgs {
    /// The repository with its owner.
    pub fn repo_name(&self) -> lib_common::Result<RepoName> {
        match (&self.repo, &self.site.owner) {
            (Repo::Whole(repo), _) => Ok(repo.clone()),
            (Repo::Bare(name), Some(owner)) => Ok(RepoName { owner: owner.clone(), name: name.clone() }),
            (Repo::Bare(name), None) => {
                Err(Error::cannot("reading arguments", "whose repository it is, is not said")
                    .on(format!("--repo {name}"))
                    .hint("--repo OWNER/NAME, or --owner (REDFIX_OWNER)"))
            }
        }
    }
}

fn owner(text: &str) -> Result<String, String> {
    if is_part(text) { Ok(text.into()) } else { Err(format!("'{text}' is no owner of repositories")) }
}
