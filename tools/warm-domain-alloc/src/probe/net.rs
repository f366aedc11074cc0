//! Asks a domain layer by layer: DNS, TCP, TLS, HTTP. Each step has a deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::target::Target;
use super::tls::{self, Served};

/// Most bytes of a body that are read.
const MAX_BODY: usize = 64 << 10;

/// How the domains of a call are asked.
pub struct Asking {
    /// Addresses to use in place of DNS.
    pub resolve: Vec<IpAddr>,
    pub timeout: Duration,
    pub tls: Arc<tls::Settings>,
}

/// What each layer answered; `None` for a layer that was not reached.
#[derive(Clone, Debug, Default)]
pub struct LayerAnswers {
    pub dns: Option<Result<Vec<IpAddr>, String>>,
    pub tcp: Option<Result<SocketAddr, NoConnection>>,
    pub tls: Option<Result<Served, String>>,
    pub http: Option<Result<Answer, NoAnswer>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoConnection {
    Refused,
    Timeout,
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    Timeout,
    Closed(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub location: String,
    pub body: Vec<u8>,
}

/// Asks one target. If DNS has no address for it, the addresses `instead` are tried, to see what would answer.
pub async fn ask(target: &Target, asking: &Asking, instead: &[IpAddr]) -> LayerAnswers {
    let mut seen = LayerAnswers::default();
    let addresses = if asking.resolve.is_empty() {
        let found = resolve(target, asking.timeout).await;
        // If DNS fails, ask Traefik's own addresses all the same, to tell whether anything else is wrong.
        let addresses = found.clone().unwrap_or_else(|_| instead.to_vec());
        seen.dns = Some(found);
        addresses
    } else {
        asking.resolve.clone()
    };
    if addresses.is_empty() {
        return seen;
    }
    let stream = match connect(&addresses, target.port, asking.timeout).await {
        Err(cause) => {
            seen.tcp = Some(Err(cause));
            return seen;
        }
        Ok((stream, address)) => {
            seen.tcp = Some(Ok(address));
            stream
        }
    };
    if !target.https {
        seen.http = Some(get(stream, target, asking.timeout).await);
        return seen;
    }
    match tokio::time::timeout(asking.timeout, tls::handshake(&asking.tls, &target.domain, stream)).await {
        Err(_) => seen.tls = Some(Err(format!("no answer within {} s", asking.timeout.as_secs_f32()))),
        Ok(Err(cause)) => seen.tls = Some(Err(cause)),
        Ok(Ok((stream, served))) => {
            seen.tls = Some(Ok(served));
            seen.http = Some(get(stream, target, asking.timeout).await);
        }
    }
    seen
}

async fn resolve(target: &Target, timeout: Duration) -> Result<Vec<IpAddr>, String> {
    let name = (target.domain.as_str(), target.port);
    let found = match tokio::time::timeout(timeout, tokio::net::lookup_host(name)).await {
        Err(_) => return Err(format!("no answer within {} s", timeout.as_secs_f32())),
        Ok(Err(e)) => return Err(e.to_string()),
        Ok(Ok(found)) => found,
    };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() { Err("no address".into()) } else { Ok(addresses) }
}

/// Connects to the first address that accepts; if none does, returns the first address's error.
async fn connect(
    addresses: &[IpAddr],
    port: u16,
    timeout: Duration,
) -> Result<(TcpStream, SocketAddr), NoConnection> {
    let mut first = None;
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let cause = match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Err(_) => NoConnection::Timeout,
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => NoConnection::Refused,
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::TimedOut => NoConnection::Timeout,
            Ok(Err(e)) => NoConnection::Other(e.to_string()),
        };
        first.get_or_insert(cause);
    }
    Err(first.unwrap_or(NoConnection::Timeout))
}

async fn get<S>(stream: S, target: &Target, timeout: Duration) -> Result<Answer, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let closed = |e: &dyn std::fmt::Display| NoAnswer::Closed(e.to_string());
    let whole = async {
        let request = Request::get(&target.path)
            .header(HOST, target.authority())
            .header(USER_AGENT, concat!("warm-domain-alloc/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|e| closed(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| closed(&e))?;
        let driver = tokio::spawn(connection);
        let mut response = sender.send_request(request).await.map_err(|e| closed(&e))?;
        let header = |name| {
            let value = response.headers().get(name);
            value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
        };
        let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
        let mut body = Vec::new();
        while body.len() < MAX_BODY {
            // If the body breaks off, use what has come.
            let Some(Ok(frame)) = response.body_mut().frame().await else { break };
            body.extend(frame.into_data().into_iter().flatten());
        }
        body.truncate(MAX_BODY);
        driver.abort();
        Ok(Answer { status: response.status().as_u16(), content_type, location, body })
    };
    tokio::time::timeout(timeout, whole).await.unwrap_or(Err(NoAnswer::Timeout))
}
