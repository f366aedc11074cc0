//! Options about the forge and the repository.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lib_common::Error;
use lib_common::cli::duration;

use crate::forge::{Address, RepoName, Trust, is_part};

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
    /// Certificates of authorities to trust besides the system's, in PEM form: for the API and for git
    #[arg(long, value_name = "FILE", env = "REDFIX_CA_FILE", hide_env_values = true)]
    pub ca_file: Option<PathBuf>,
    /// Deadline of each request to the forge
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub forge_timeout: Duration,
}

/// Where the fix is proposed.
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
    /// Address by which people reach the forge, for links, where --forge is an internal one
    #[arg(long, value_name = "URL", value_parser = super::what::web_address)]
    pub web_url: Option<String>,
    /// Refuse a token that may push to or merge into the base; a label or reviewer left out is an error
    #[arg(long)]
    pub strict: bool,
    /// Deadline of each git command, and of the wait for another pr-open at the same branch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub git_timeout: Duration,
    /// How long somebody else who may be opening or asking at this moment is waited for
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub grace: Duration,
}

impl SiteArgs {
    /// What the connection to the forge is made with.
    #[must_use]
    pub fn trust(&self) -> Trust<'_> {
        Trust { ca_file: self.ca_file.as_deref(), timeout: self.forge_timeout }
    }
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
