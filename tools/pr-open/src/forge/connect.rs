//! Makes the forge that the options name, and finds out where git reaches the repository.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lib_common::{Error, Result};
use reqwest::Url;

use super::Forge;
use super::address::Address;
use super::dir::Dir;
use super::gitea::Gitea;
use crate::cli::PlaceArgs;
use crate::git::{Git, Remote};

/// A forge, its git repository, and the token, which must not get into any text.
pub struct Connection {
    pub forge: Box<dyn Forge>,
    pub remote: Remote,
    pub token: Option<String>,
}

/// Makes the connection; `trigger` is the comment that asks CI for a run.
pub fn connect(place: &PlaceArgs, trigger: &str, git: &Git) -> Result<Connection> {
    match &place.forge {
        Address::Dir(path) => {
            let root = path.canonicalize().map_err(|e| {
                Error::cannot("opening the forge", e).on(path.display()).hint("dir:PATH must be a folder")
            })?;
            let dir = Dir::new(root, place.repo.clone(), git.clone(), trigger, place.forge_timeout)?;
            let url = place.git_url.clone().unwrap_or_else(|| dir.bare().display().to_string());
            Ok(Connection { forge: Box::new(dir), remote: Remote { url, config: vec![] }, token: None })
        }
        Address::Http(url) => {
            if url.scheme() == "http" && !place.insecure_http && !is_loopback(url) {
                return Err(Error::cannot(
                    "connecting to the forge",
                    "everybody on the way could read the token in plain http",
                )
                .on(&place.forge)
                .hint("use https, or allow it with --insecure-http"));
            }
            let token = place.token_file.as_deref().map(read_token).transpose()?;
            let forge = Gitea::new(url, place.repo.clone(), token.as_deref(), place.forge_timeout)?;
            let remote = remote_of(url, place, token.as_deref());
            Ok(Connection { forge: Box::new(forge), remote, token })
        }
    }
}

/// Where git fetches and pushes. The token is sent only to the forge's own host, not to another `--git-url`.
fn remote_of(forge: &Url, place: &PlaceArgs, token: Option<&str>) -> Remote {
    let own = format!("{}/{}.git", place.forge, place.repo);
    let url = place.git_url.clone().unwrap_or(own);
    let same = Url::parse(&url).is_ok_and(|other| other.origin() == forge.origin());
    let config = token.filter(|_| same).map(|token| {
        // With a token for a password the forge ignores the user's name.
        let basic = STANDARD.encode(format!("redfix:{token}"));
        (format!("http.{}/.extraHeader", place.forge), format!("Authorization: Basic {basic}"))
    });
    Remote { url, config: config.into_iter().collect() }
}

fn read_token(path: &Path) -> Result<String> {
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
