//! Carries a request to the engine and its answer back, without holding more of either than a buffer.

use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lib_common::docker::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

pub type Body = BoxBody<Bytes, hyper::Error>;

pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
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

/// Sends a request on a connection of its own.
pub async fn send(
    endpoint: &Endpoint,
    timeout: Duration,
    request: Request<Body>,
) -> Result<Response<Incoming>, String> {
    let late = || format!("no connection within {} s", timeout.as_secs_f32());
    match endpoint {
        Endpoint::Unix(path) => {
            let stream = tokio::time::timeout(timeout, UnixStream::connect(path)).await;
            over(stream.map_err(|_| late())?.map_err(|e| e.to_string())?, request).await
        }
        Endpoint::Tcp(address) => {
            let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
            over(stream.map_err(|_| late())?.map_err(|e| e.to_string())?, request).await
        }
    }
}

async fn over<S>(stream: S, request: Request<Body>) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let text = |e: hyper::Error| e.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(text)
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
    for hop in ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"] {
        parts.headers.remove(hop);
    }
    Response::from_parts(parts, body.boxed())
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
