//! The connection to the engine.
//!
//! One transport serves both the typed client (bollard, in `own`) and raw JSON. Strangers' objects, events and logs are
//! read raw, because bollard's enums have no catch-all: one odd value would fail a whole list, one unknown type of
//! event the stream, and a frame in which the engine says that it cannot read a log would count as a line of it.
//! bollard 0.21.1 sends paths without a version whatever it is told; the transport puts the negotiated one in front.

mod endpoint;
mod own;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bollard::models::SystemInfo;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

pub use crate::text::percent_encode;
pub use bollard::models;
pub use endpoint::Endpoint;

use crate::cli::EngineArg;
use crate::error::{Error, Result};
use transport::Transport;

/// Newest API version that these tools were written for. To an older engine they speak the newest version that it
/// knows.
const NEWEST: (u64, u64) = (1, 47);
/// Oldest API version that these tools can use: that of engine 20.10.
const OLDEST: (u64, u64) = (1, 41);

/// The connection to an engine that has answered once. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    transport: Arc<Transport>,
    typed: bollard::Docker,
    version: String,
}

/// What the engine answered instead of success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status; 0 if there was no answer at all.
    pub status: u16,
    pub message: String,
}

impl ApiError {
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.status == 404
    }

    /// An update lost the compare-and-swap: the engine says so with status 500.
    #[must_use]
    pub fn is_out_of_sequence(&self) -> bool {
        self.message.contains("update out of sequence")
    }

    /// The managers have no leader at the moment, or lost it on the way: the engine says so with status 500 or 503.
    #[must_use]
    pub fn is_leaderless(&self) -> bool {
        let signs =
            ["does not have a leader", "DeadlineExceeded", "context deadline exceeded", "lost leadership"];
        let unavailable = ["code = Unavailable", "node is not the leader", "leader is unavailable"];
        self.status >= 500 && signs.iter().chain(&unavailable).any(|sign| self.message.contains(sign))
    }

    /// The error for people. Without an answer or without a leader the same call may succeed later (exit 75); a refusal
    /// is final (exit 2).
    #[must_use]
    pub fn into_error(self, doing: &str, object: &str) -> Error {
        if self.is_leaderless() {
            Error::again(doing, self.message).on(object).hint("are most of the swarm's managers up?")
        } else if self.status == 0 {
            Error::again(doing, self.message).on(object).hint("is the engine up? see DOCKER_HOST, --host")
        } else if self.message.contains("not a swarm manager") {
            Error::cannot(doing, NO_MANAGER).on(object).hint(MANAGER_HINT)
        } else {
            Error::cannot(doing, format!("{} (status {})", self.message, self.status)).on(object)
        }
    }
}

const NO_MANAGER: &str = "this engine is not a manager of a swarm";
const MANAGER_HINT: &str = "scripts/engine up makes a private one; or point DOCKER_HOST at a manager";

impl From<bollard::errors::Error> for ApiError {
    fn from(error: bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code, message } => {
                Self { status: status_code, message }
            }
            other => Self { status: 0, message: other.to_string() },
        }
    }
}

pub type ApiResult<T> = std::result::Result<T, ApiError>;

impl Engine {
    /// Connects, asks for the version and settles on an API version that both sides speak.
    pub async fn connect(arg: &EngineArg) -> Result<Self> {
        let endpoint = Endpoint::resolve(arg.host.as_deref())?;
        let object = endpoint.to_string();
        let mut transport = Transport::new(endpoint, arg.engine_timeout);
        let about = transport.json(Method::GET, "/version", None).await;
        let about = about.map_err(|e| e.into_error("connecting to the engine", &object))?;
        let (major, minor) = negotiate(&about)
            .map_err(|cause| Error::cannot("connecting to the engine", cause).on(object.clone()))?;
        transport.set_version(major, minor);
        let transport = Arc::new(transport);
        let typed = transport::typed(&transport)
            .map_err(|e| ApiError::from(e).into_error("connecting to the engine", &object))?;
        Ok(Self { transport, typed, version: about["Version"].as_str().unwrap_or_default().to_owned() })
    }

    /// Engine version, e.g. `20.10.24+dfsg1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.transport.endpoint()
    }

    /// The connection's deadline for one call.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.transport.timeout()
    }

    /// `GET` of a path without version, as raw JSON.
    pub async fn get(&self, path: &str) -> ApiResult<Value> {
        self.transport.json(Method::GET, path, None).await
    }

    /// `POST` with a JSON body, as raw JSON (null where the engine answers nothing).
    pub async fn post(&self, path: &str, body: Option<&Value>) -> ApiResult<Value> {
        self.transport.json(Method::POST, path, body).await
    }

    /// `DELETE`. It is no error if the object does not exist any more.
    pub async fn delete(&self, path: &str) -> ApiResult<()> {
        match self.transport.json(Method::DELETE, path, None).await {
            Err(e) if !e.is_missing() => Err(e),
            _ => Ok(()),
        }
    }

    /// `GET` whose body is read as it comes (logs, events). The deadline covers only the response's head.
    pub async fn stream(&self, path: &str) -> ApiResult<Response<Incoming>> {
        self.transport.send(Method::GET, path, None).await
    }

    /// The next chunk of a stream, or `None` at its end.
    pub async fn chunk(stream: &mut Response<Incoming>) -> ApiResult<Option<Bytes>> {
        loop {
            match stream.body_mut().frame().await {
                None => return Ok(None),
                Some(Err(e)) => return Err(ApiError { status: 0, message: e.to_string() }),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// What the engine says of itself, or an error if it is not a manager of a swarm.
    pub async fn require_manager(&self) -> Result<SystemInfo> {
        let doing = "looking for a swarm manager";
        let object = self.endpoint().to_string();
        let info = self.info().await.map_err(|e| e.into_error(doing, &object))?;
        if info.swarm.as_ref().and_then(|swarm| swarm.control_available) != Some(true) {
            return Err(Error::cannot(doing, NO_MANAGER).on(object).hint(MANAGER_HINT));
        }
        Ok(info)
    }
}

/// The `filters={...}` of a query, percent-encoded.
#[must_use]
pub fn filters(pairs: &[(&str, &str)]) -> String {
    let map: std::collections::BTreeMap<&str, [&str; 1]> = pairs.iter().map(|(k, v)| (*k, [*v])).collect();
    let json = serde_json::to_string(&map).unwrap_or_default();
    format!("filters={}", percent_encode(&json))
}

/// The newest API version that both the engine and these tools speak, from the engine's answer to `/version`.
fn negotiate(about: &Value) -> std::result::Result<(u64, u64), String> {
    let version = |key: &str| about[key].as_str().and_then(parse_version);
    let newest = version("ApiVersion").unwrap_or_default();
    let oldest = version("MinAPIVersion").unwrap_or_default();
    if newest < OLDEST {
        return Err(format!("its API version is {}, but 1.41 or newer is needed", about["ApiVersion"]));
    }
    if oldest > NEWEST {
        return Err(format!(
            "its oldest API version is {}, but 1.47 or older is needed",
            about["MinAPIVersion"]
        ));
    }
    Ok(newest.min(NEWEST))
}

fn parse_version(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn status_error(status: StatusCode, body: &[u8]) -> ApiError {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|v| v["message"].as_str()).map(ToOwned::to_owned);
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
    ApiError { status: status.as_u16(), message }
}

#[cfg(test)]
mod tests {
    use super::negotiate;
    use serde_json::json;

    #[test]
    fn the_newest_version_that_both_speak() {
        let with =
            |newest: &str, oldest: &str| negotiate(&json!({"ApiVersion": newest, "MinAPIVersion": oldest}));
        assert_eq!(with("1.41", "1.12"), Ok((1, 41)), "20.10");
        assert_eq!(with("1.51", "1.24"), Ok((1, 47)), "28");
        assert_eq!(with("1.52", "1.44"), Ok((1, 47)), "29");
        assert!(with("1.40", "1.12").unwrap_err().contains("1.41 or newer"));
        assert!(with("1.60", "1.48").unwrap_err().contains("1.47 or older"));
        assert_eq!(negotiate(&json!({"ApiVersion": "1.47"})), Ok((1, 47)));
        assert!(negotiate(&json!({})).is_err());
    }
}
