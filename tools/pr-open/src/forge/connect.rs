//! Makes the forge that the options name, and finds out where git reaches the repository.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lib_common::{Error, Result};
use reqwest::Url;

use super::Forge;
use super::address::{Address, RepoName};
use super::dir::Dir;
use super::gitea::Gitea;
use super::http::Http;
use crate::cli::{PlaceArgs, SiteArgs};
use crate::git::{Git, Remote};

/// A forge, its git repository, and the token, which must not get into any text.
pub struct Connection {
    pub address: Address,
    pub repo: RepoName,
    pub forge: Box<dyn Forge>,
    pub remote: Remote,
    pub token: Option<String>,
}

/// Makes the connection; `trigger` is the comment that asks CI for a run.
pub fn connect(place: &PlaceArgs, trigger: &str, git: &Git) -> Result<Connection> {
    let site = &place.site;
    let Some(address) = site.forge.clone() else {
        return Err(Error::cannot("connecting to the forge", "--forge (or REDFIX_FORGE) is missing"));
    };
    let repo = place.repo_name()?;
    match &address {
        Address::Dir(path) => {
            let root = path.canonicalize().map_err(|e| {
                Error::cannot("opening the forge", e).on(path.display()).hint("dir:PATH must be a folder")
            })?;
            let dir = Dir::new(root, repo.clone(), git.clone(), trigger, site.forge_timeout)?;
            let url = place.git_url.clone().unwrap_or_else(|| dir.bare().display().to_string());
            let remote = Remote { url, config: vec![], ca_file: None };
            Ok(Connection { address, repo, forge: Box::new(dir), remote, token: None })
        }
        Address::Http(url) => {
            is_private(url, site)?;
            let token = site.token_file.as_deref().map(read_token).transpose()?;
            let http = Http::new(url, repo.clone(), token.as_deref(), &site.trust())?;
            let forge = Gitea::new(http, repo.clone(), token.is_some(), place.web_url.clone());
            let git_url = place.git_url.clone().unwrap_or_else(|| format!("{address}/{repo}.git"));
            let remote = remote_of(&address, url, git_url, token.as_deref(), site.ca_file.clone());
            Ok(Connection { address, repo, forge: Box::new(forge), remote, token })
        }
    }
}

/// The forge's own repository gets the token and the forge's authorities, another address does not.
fn remote_of(
    address: &Address,
    forge: &Url,
    url: String,
    token: Option<&str>,
    ca_file: Option<PathBuf>,
) -> Remote {
    let same = Url::parse(&url).is_ok_and(|other| other.origin() == forge.origin());
    let config = token.filter(|_| same).map(|token| {
        // With a token for a password the forge ignores the user's name.
        let basic = STANDARD.encode(format!("redfix:{token}"));
        (format!("http.{address}/.extraHeader"), format!("Authorization: Basic {basic}"))
    });
    Remote { url, config: config.into_iter().collect(), ca_file: ca_file.filter(|_| same) }
}

impl Connection {
    /// What no text may hold: the token, and what git is given in its place.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let header =
            |(_, value): &(String, String)| value.rsplit_once("Basic ").map(|(_, basic)| basic.to_owned());
        self.token.iter().cloned().chain(self.remote.config.iter().filter_map(header)).collect()
    }
}

/// Nobody on the way can read the token.
pub fn is_private(url: &Url, site: &SiteArgs) -> Result<()> {
    if url.scheme() == "https" || site.insecure_http || is_loopback(url) {
        return Ok(());
    }
    Err(Error::cannot("connecting to the forge", "plain http would show the token to everybody")
        .on(url.as_str().trim_end_matches('/'))
        .hint("use https, or say --insecure-http"))
}

/// The one word in the file.
pub fn read_token(path: &Path) -> Result<String> {
    let fail = |e: &dyn std::fmt::Display| Error::cannot("reading the token", e).on(path.display());
    let text = fs::read_to_string(path).map_err(|e| fail(&e))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(fail(&"not one word"));
    }
    Ok(token.to_owned())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
