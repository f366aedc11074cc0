//! Carries a request to the engine and the answer back, holding no more of either in memory than a buffer.

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

/// A body that is passed on as it arrives.
pub fn stream(body: Incoming) -> Body {
    body.map_err(Into::into).boxed_unsync()
}

pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// The request's headers that the engine needs; all others are left out, so that none can change what it does.
pub fn request_headers(from: &HeaderMap, content_type: Option<&'static str>, hijack: bool) -> HeaderMap {
    // An allow-list, because an unknown header could change how the engine reads the request.
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

/// Idle connections to the engine, kept for further requests.
#[derive(Default)]
pub struct Pool(Mutex<Vec<SendRequest<Body>>>);

/// Most connections that are kept idle.
const IDLE: usize = 8;

impl Pool {
    /// Sends a request. With `alone` it gets a new connection, because it may turn that into a raw stream.
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
                // The engine had closed the idle connection before anything was sent: try again on a new one.
                Err((_, Some(unsent))) => request = unsent,
                Err((cause, None)) => return Err(cause),
            }
        }
        let sender = tokio::time::timeout(timeout, connect(endpoint)).await;
        let sender = sender.map_err(|_| format!("no connection within {} s", timeout.as_secs_f32()))??;
        self.exchange(sender, request, alone).await.map_err(|(cause, _)| cause)
    }

    /// Sends the request on `sender`. An error returns the request too, if nothing of it was sent.
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
        // A connection that was upgraded carries a stream from now on and cannot serve another request.
        if !alone {
            let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pool.retain(|sender| !sender.is_closed());
            if pool.len() < IDLE {
                pool.push(sender);
            }
        }
        Ok(response)
    }

    /// Takes an idle connection whose last answer has been read to its end.
    fn idle(&self) -> Option<SendRequest<Body>> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = pool.iter().position(SendRequest::is_ready)?;
        Some(pool.swap_remove(at))
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens a connection to the engine.
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

/// Removes the hop-by-hop headers (RFC 9110, 7.6.1): they concern one connection, not the answer.
pub fn end_to_end(headers: &mut HeaderMap) {
    for hop in ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"] {
        headers.remove(hop);
    }
}

/// The answer for the client. If the engine agreed to upgrade the connection, the two raw streams are joined.
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

/// Copies bytes both ways until both sides have ended; when one side ends, the other is told at once.
async fn join(client: hyper::upgrade::OnUpgrade, engine: hyper::upgrade::OnUpgrade) {
    if let (Ok(client), Ok(engine)) = tokio::join!(client, engine) {
        let (mut client, mut engine) = (TokioIo::new(client), TokioIo::new(engine));
        // Ignore errors: a side that goes away ends the stream, as it would without a guard.
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut engine, SIZE, SIZE).await;
    }
}

const SIZE: usize = 64 * 1024;
