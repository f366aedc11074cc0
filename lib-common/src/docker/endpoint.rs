//! Finds the engine's address: `--host`, else `DOCKER_HOST`, else the docker client's context, else the default socket.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Unix(PathBuf),
    /// host:port, plain HTTP
    Tcp(String),
}

impl Endpoint {
    /// `host` is `--host` or `DOCKER_HOST`; without it the docker client's current context decides.
    pub fn resolve(host: Option<&str>) -> Result<Self> {
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            return Self::parse(host);
        }
        let config = std::env::var_os("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker")));
        let context = std::env::var("DOCKER_CONTEXT").ok().filter(|name| !name.is_empty());
        match config {
            Some(config) => Self::from_context(&config, context),
            None => Ok(Self::default_socket()),
        }
    }

    /// The path of the engine's Unix socket; `None` if it listens on TCP.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp(_) => None,
        }
    }

    fn default_socket() -> Self {
        Self::Unix("/var/run/docker.sock".into())
    }

    /// Reads `config.json` for the current context and `contexts/meta/*/meta.json` for its address.
    fn from_context(config: &Path, named: Option<String>) -> Result<Self> {
        let current = || {
            let text = fs::read(config.join("config.json")).ok()?;
            let value: Value = serde_json::from_slice(&text).ok()?;
            value["currentContext"].as_str().map(ToOwned::to_owned)
        };
        let Some(name) = named.or_else(current).filter(|name| name != "default") else {
            return Ok(Self::default_socket());
        };
        let metas = fs::read_dir(config.join("contexts/meta")).into_iter().flatten().flatten();
        for meta in metas {
            let Ok(text) = fs::read(meta.path().join("meta.json")) else { continue };
            let Ok(value) = serde_json::from_slice::<Value>(&text) else { continue };
            if value["Name"] == name.as_str() {
                let host = value["Endpoints"]["docker"]["Host"].as_str().unwrap_or_default();
                return Self::parse(host);
            }
        }
        Err(Error::cannot("finding the engine", "no such docker context").on(format!("'{name}'")))
    }

    fn parse(host: &str) -> Result<Self> {
        match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) if !address.is_empty() => {
                let address = address.trim_end_matches('/');
                let port = if address.rsplit_once(':').is_some_and(|(_, p)| p.parse::<u16>().is_ok()) {
                    ""
                } else {
                    ":2375"
                };
                Ok(Self::Tcp(format!("{address}{port}")))
            }
            _ => Err(Error::cannot("finding the engine", "not of the form unix:///path or tcp://host:port")
                .on(format!("'{host}'"))
                .hint("for ssh, forward the socket: ssh -L /tmp/d.sock:/var/run/docker.sock HOST")),
        }
    }

    /// Whether the engine runs on this machine, so that `/proc` here describes its node.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(Endpoint::parse("unix:///x/y.sock").unwrap(), Endpoint::Unix("/x/y.sock".into()));
        assert_eq!(Endpoint::parse("tcp://h:1").unwrap(), Endpoint::Tcp("h:1".into()));
        assert_eq!(Endpoint::parse("tcp://h").unwrap(), Endpoint::Tcp("h:2375".into()));
        for bad in ["ssh://h", "unix://", "h:1", "unix://rel"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn contexts() {
        let dir = tempfile::tempdir().unwrap();
        let meta = dir.path().join("contexts/meta/abc");
        fs::create_dir_all(&meta).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://10.0.0.1:2375"}}}"#,
        )
        .unwrap();
        let get = |name: Option<&str>| Endpoint::from_context(dir.path(), name.map(Into::into));
        assert_eq!(get(None).unwrap(), Endpoint::default_socket());
        assert_eq!(get(Some("far")).unwrap(), Endpoint::Tcp("10.0.0.1:2375".into()));
        assert!(get(Some("nowhere")).is_err());
        fs::write(dir.path().join("config.json"), r#"{"currentContext":"far"}"#).unwrap();
        assert_eq!(get(None).unwrap(), Endpoint::Tcp("10.0.0.1:2375".into()));
    }
}
