//! From the settings to a forge, and to where git finds the repository.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lib_common::{Error, Result};
use reqwest::Url;

use super::Forge;
use super::address::{Address, RepoName};
use super::dir::Dir;
use super::gitea::Gitea;
use crate::cli::{PlaceArgs, SiteArgs};
use crate::git::{Git, Remote};

/// A forge, the repository behind it, and the secret that no text may hold.
pub struct Connection {
    pub address: Address,
    pub repo: RepoName,
    pub forge: Box<dyn Forge>,
    pub remote: Remote,
    pub token: Option<String>,
}

/// `trigger`: the comment that asks CI for a run.
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
            let remote = Remote { url, config: vec![] };
            Ok(Connection { address, repo, forge: Box::new(dir), remote, token: None })
        }
        Address::Http(url) => {
            is_private(url, site)?;
            let token = site.token_file.as_deref().map(read_token).transpose()?;
            let forge = Gitea::new(url, repo.clone(), token.as_deref(), site.forge_timeout)?;
            let git_url = place.git_url.clone().unwrap_or_else(|| format!("{address}/{repo}.git"));
            let remote = remote_of(&address, url, git_url, token.as_deref());
            Ok(Connection { address, repo, forge: Box::new(forge), remote, token })
        }
    }
}

/// The forge's own repository gets the token, another address does not.
fn remote_of(address: &Address, forge: &Url, url: String, token: Option<&str>) -> Remote {
    let same = Url::parse(&url).is_ok_and(|other| other.origin() == forge.origin());
    let config = token.filter(|_| same).map(|token| {
        // The user's name does not matter where the password is a token.
        let basic = STANDARD.encode(format!("redfix:{token}"));
        (format!("http.{address}/.extraHeader"), format!("Authorization: Basic {basic}"))
    });
    Remote { url, config: config.into_iter().collect() }
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
