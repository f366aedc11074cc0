//! Where a forge is, and the name of a repository on it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;

/// `--forge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Gitea or Forgejo; without credentials, query or fragment, and without a slash at the end.
    Http(Url),
    /// Bare repositories and a review queue in a folder.
    Dir(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("dir:") {
            return if path.is_empty() {
                Err("dir: needs a path".into())
            } else {
                Ok(Self::Dir(path.into()))
            };
        }
        // What was typed may hold a password: it is not repeated.
        let url = Url::parse(text).map_err(|e| format!("not https://HOST or dir:PATH: {e}"))?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err("not https://HOST or dir:PATH".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds credentials: use --token-file".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("holds a query or a fragment".into());
        }
        Ok(Self::Http(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
        }
    }
}

/// Whether it can be the name of an owner, or of one of their repositories.
#[must_use]
pub fn is_part(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && !text.starts_with('.') && text.chars().all(plain)
}

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoName {
    pub owner: String,
    pub name: String,
}

impl FromStr for RepoName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => {
                Ok(Self { owner: owner.into(), name: name.into() })
            }
            _ => Err(format!("'{text}' is not of the form OWNER/NAME")),
        }
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["https://git.example", "https://git.example/sub", "http://127.0.0.1:3000", "dir:/srv/x"]
        {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in ["", "git.example", "ftp://x", "dir:", "https://x/?token=1", "https://x/#a"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        let error = "https://bob:hunter22@x/".parse::<Address>().unwrap_err();
        assert!(error.contains("--token-file") && !error.contains("hunter22"));
    }

    #[test]
    fn repositories() {
        assert_eq!("a/b.c".parse::<RepoName>().unwrap().to_string(), "a/b.c");
        for bad in ["", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/b c"] {
            assert!(bad.parse::<RepoName>().is_err(), "{bad}");
        }
    }
}
