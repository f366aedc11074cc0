//! HTTP over a Unix socket or TCP: one connection per call, no pool, a deadline on each.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::{BollardRequest, ClientVersion};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};

use super::{ApiError, ApiResult, Endpoint, status_error};

pub(super) struct Transport {
    endpoint: Endpoint,
    timeout: Duration,
    /// The negotiated API version, e.g. (1, 41). It is put in front of each path; unset until it is known.
    prefix: OnceLock<(usize, usize)>,
}

impl Transport {
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        Self { endpoint, timeout, prefix: OnceLock::new() }
    }

    pub fn set_version(&mut self, major: u64, minor: u64) {
        let narrow = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        self.prefix = OnceLock::from((narrow(major), narrow(minor)));
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    fn versioned(&self, path: &str) -> String {
        self.prefix.get().map_or_else(|| path.to_owned(), |(major, minor)| format!("/v{major}.{minor}{path}"))
    }

    /// Sends one request and reads the whole answer as JSON.
    pub async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> ApiResult<Value> {
        let whole = async {
            let response = self.send(method, path, body).await?;
            let bytes = response.into_body().collect().await.map_err(no_answer)?.to_bytes();
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&bytes).map_err(|e| no_answer(format!("the answer is not JSON: {e}")))
        };
        self.within(whole).await
    }

    /// Sends one request and returns the answer's head; an error status becomes an error.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> ApiResult<Response<Incoming>> {
        let bytes = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(self.versioned(path))
            .header(HOST, "engine")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))
            .map_err(no_answer)?;
        let response = self.within(self.exchange(request)).await?;
        // 304 says that there was nothing to do, e.g. that a container to stop is stopped already.
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let status = response.status();
        let body = self.within(async { response.into_body().collect().await.map_err(no_answer) }).await?;
        Err(status_error(status, &body.to_bytes()))
    }

    /// Waits for `work`, or returns an error once the deadline of a call has passed.
    pub async fn within<T>(&self, work: impl Future<Output = ApiResult<T>>) -> ApiResult<T> {
        let late = || no_answer(format!("no answer within {} s", self.timeout.as_secs_f32()));
        tokio::time::timeout(self.timeout, work).await.map_err(|_| late())?
    }

    async fn exchange<B>(&self, request: Request<B>) -> ApiResult<Response<Incoming>>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match &self.endpoint {
            Endpoint::Unix(path) => over(UnixStream::connect(path).await.map_err(no_answer)?, request).await,
            Endpoint::Tcp(address) => {
                over(TcpStream::connect(address).await.map_err(no_answer)?, request).await
            }
        }
    }
}

async fn over<S, B>(stream: S, request: Request<B>) -> ApiResult<Response<Incoming>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(no_answer)?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(no_answer)
}

fn no_answer(cause: impl std::fmt::Display) -> ApiError {
    ApiError { status: 0, message: cause.to_string() }
}

/// The typed client over the same transport. bollard puts no version into its paths although it is told one, so this
/// puts it there.
pub(super) fn typed(transport: &Arc<Transport>) -> Result<bollard::Docker, bollard::errors::Error> {
    type Answer = Pin<Box<dyn Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send>>;
    let (major, minor) = transport.prefix.get().copied().unwrap_or((1, 41));
    let version = ClientVersion { major_version: major, minor_version: minor };
    let shared = Arc::clone(transport);
    let send = move |request: BollardRequest| -> Answer {
        let transport = Arc::clone(&shared);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            let path = if path.starts_with("/v1.") { path } else { transport.versioned(&path) };
            parts.uri = path.parse::<Uri>().map_err(std::io::Error::other)?;
            parts.headers.insert(HOST, hyper::header::HeaderValue::from_static("engine"));
            let answer = transport.within(transport.exchange(Request::from_parts(parts, body))).await;
            answer.map_err(|e| std::io::Error::other(e.message).into())
        })
    };
    bollard::Docker::connect_with_custom_transport(
        send,
        Some("redfix://engine"),
        // bollard counts whole seconds. One more makes sure that the transport's own deadline, with its message, is
        // first.
        transport.timeout.as_secs().saturating_add(1),
        &version,
    )
}
