//! Reads the JSON body of a request, within bounds: in memory a body takes many times its bytes.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper::body::Incoming as Stream;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;
use tokio::sync::SemaphorePermit;

use crate::refusal::Refusal;
use crate::route::{Incoming, Route};
use crate::shared::Shared;

/// Largest JSON body that the guard accepts.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// Most values in a JSON body: each takes many times its bytes in memory.
const MAX_VALUES: usize = 20_000;
/// A JSON body of at most so many bytes is read at once; larger ones wait for their turn.
const SMALL_BODY: usize = 64 * 1024;
/// How long a client may take to send a JSON body.
const BODY_TIME: Duration = Duration::from_mins(1);

/// Refuses a body with form values: the engine would read them in preference to the query that was checked.
pub fn no_form(request: &Request<Stream>) -> Result<(), Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let kind = String::from_utf8_lossy(kind).trim().to_ascii_lowercase();
    if kind.starts_with("application/x-www-form-urlencoded") || kind.starts_with("multipart/") {
        return Err(
            Refusal::new("form", "the body is a form").remedy("send JSON, and parameters in the query")
        );
    }
    Ok(())
}

/// Reads and parses the body if the route has a JSON body. An archive stays in the stream.
pub async fn read<'s>(
    shared: &'s Shared,
    route: &Route,
    body: &mut Option<Stream>,
    headers: &hyper::HeaderMap,
) -> Result<(Option<Value>, Option<SemaphorePermit<'s>>), Refusal> {
    if route.incoming == Incoming::Archive {
        return Ok((None, None));
    }
    let Some(stream) = body.take() else { return Ok((None, None)) };
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let large = || {
        Refusal::new("body", format!("more than {} MiB of JSON", MAX_BODY >> 20)).remedy("send less at once")
    };
    if announced.is_some_and(|length: usize| length > MAX_BODY) {
        drain(stream).await;
        return Err(large());
    }
    let is_small =
        hyper::body::Body::is_end_stream(&stream) || announced.is_some_and(|length| length <= SMALL_BODY);
    let turn = if is_small { None } else { shared.large_bodies.acquire().await.ok() };
    let all = tokio::time::timeout(BODY_TIME, Limited::new(stream, MAX_BODY).collect()).await;
    let late = || Refusal::new("body", "it does not arrive").remedy("send it at once");
    let bytes = all.map_err(|_| late())?.map_err(|_| large())?.to_bytes();
    let empty = bytes.iter().all(u8::is_ascii_whitespace);
    match route.incoming {
        _ if empty => Ok((None, None)),
        Incoming::Json if bytes.iter().filter(|byte| b",[{".contains(byte)).count() > MAX_VALUES => {
            Err(Refusal::new("body", format!("more than {MAX_VALUES} values")).remedy("send less at once"))
        }
        Incoming::Json => {
            let odd =
                |e| Refusal::new("body", format!("not plain JSON: {e}")).remedy("send UTF-8, each key once");
            Ok((Some(crate::json::parse(&bytes).map_err(odd)?), turn))
        }
        _ => Err(Refusal::new("body", "this call takes no body").remedy("send none")),
    }
}

/// Reads the rest of a refused request for up to 2 s. A client that is still sending would otherwise get a reset
/// connection instead of the answer.
pub async fn drain(body: Stream) {
    let all = async {
        let mut body = Limited::new(body, 64 * 1024 * 1024);
        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), all).await;
}
