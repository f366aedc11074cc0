//! Carries a request to the engine and its answer back, without holding more of either than a buffer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lib_common::docker::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What comes from a peer, as it comes.
pub fn stream(body: Incoming) -> Body {
    body.map_err(Into::into).boxed_unsync()
}

pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Headers that mean something to the engine; everything else stays here.
pub fn request_headers(from: &HeaderMap, content_type: Option<&'static str>, hijack: bool) -> HeaderMap {
    let passes = |name: &HeaderName| {
        let name = name.as_str();
        ["user-agent", "x-registry-auth", "x-registry-config", "accept"].contains(&name)
            || (hijack && (name == "upgrade" || name.starts_with("x-docker-expose-session-")))
    };
    let mut headers: HeaderMap = from
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    headers.insert(HOST, HeaderValue::from_static("engine"));
    if headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    if let Some(kind) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers
}

/// Connections to the engine that wait for their next request.
#[derive(Default)]
pub struct Pool(Mutex<Vec<SendRequest<Body>>>);

/// More are not kept.
const IDLE: usize = 8;

impl Pool {
    /// Sends a request; one that may leave HTTP gets a connection of its own.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        timeout: Duration,
        request: Request<Body>,
        alone: bool,
    ) -> Result<Response<Incoming>, String> {
        let mut request = request;
        if let Some(sender) = if alone { None } else { self.idle() } {
            match self.exchange(sender, request, alone).await {
                Ok(response) => return Ok(response),
                // The engine had closed it meanwhile, and nothing was sent.
                Err((_, Some(unsent))) => request = unsent,
                Err((cause, None)) => return Err(cause),
            }
        }
        let sender = tokio::time::timeout(timeout, connect(endpoint)).await;
        let sender = sender.map_err(|_| format!("no connection within {} s", timeout.as_secs_f32()))??;
        self.exchange(sender, request, alone).await.map_err(|(cause, _)| cause)
    }

    /// An error brings the request back where it was not sent.
    async fn exchange(
        &self,
        mut sender: SendRequest<Body>,
        request: Request<Body>,
        alone: bool,
    ) -> Result<Response<Incoming>, (String, Option<Request<Body>>)> {
        let sent = sender.try_send_request(request).await;
        let response = sent.map_err(|mut e| {
            let unsent = e.take_message();
            (e.into_error().to_string(), unsent)
        })?;
        if !alone {
            let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pool.retain(|sender| !sender.is_closed());
            if pool.len() < IDLE {
                pool.push(sender);
            }
        }
        Ok(response)
    }

    /// A connection whose last answer has been read to its end.
    fn idle(&self) -> Option<SendRequest<Body>> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = pool.iter().position(SendRequest::is_ready)?;
        Some(pool.swap_remove(at))
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to the engine, before anything is said.
pub async fn open(endpoint: &Endpoint) -> std::io::Result<Box<dyn Stream>> {
    Ok(match endpoint {
        Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Endpoint::Tcp(address) => Box::new(TcpStream::connect(address).await?),
    })
}

async fn connect(endpoint: &Endpoint) -> Result<SendRequest<Body>, String> {
    let stream = open(endpoint).await.map_err(|e| e.to_string())?;
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// Leaves out what is between two neighbours on the way only.
pub fn end_to_end(headers: &mut HeaderMap) {
    for hop in ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"] {
        headers.remove(hop);
    }
}

/// The answer as the client gets it; if both sides agreed to leave HTTP, their bytes are joined.
pub fn answer(response: Response<Incoming>, client: Option<hyper::upgrade::OnUpgrade>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let engine = hyper::upgrade::on(Response::from_parts(parts.clone(), body));
        if let Some(client) = client {
            tokio::spawn(join(client, engine));
        }
        return Response::from_parts(parts, nothing());
    }
    end_to_end(&mut parts.headers);
    Response::from_parts(parts, stream(body))
}

/// Copies both ways until both have ended; the end of one side is passed on at once.
async fn join(client: hyper::upgrade::OnUpgrade, engine: hyper::upgrade::OnUpgrade) {
    if let (Ok(client), Ok(engine)) = tokio::join!(client, engine) {
        let (mut client, mut engine) = (TokioIo::new(client), TokioIo::new(engine));
        // A side that goes away ends the stream, as it does without a guard.
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut engine, SIZE, SIZE).await;
    }
}

const SIZE: usize = 64 * 1024;
