//! Answers that are long or endless: logs and archives. The engine sends each log line as a chunk of its own. Whatever
//! has arrived when the client's side is ready is passed on as one piece, which saves a wake-up and a write per line.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{Connection, handshake};
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lib_common::docker::Endpoint;

use crate::forward::{self, Body, BoxError, Stream};

/// A piece is passed on once it has this many bytes; one more chunk may come on top.
const PIECE: usize = 64 * 1024;

/// Asks the engine, over a connection that serves this answer only.
pub async fn get(endpoint: &Endpoint, target: &str, headers: HeaderMap) -> Result<Response<Body>, String> {
    ask(endpoint, target, headers).await.map_err(|e| e.to_string())
}

async fn ask(endpoint: &Endpoint, target: &str, headers: HeaderMap) -> Result<Response<Body>, BoxError> {
    let stream = forward::open(endpoint).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let mut connection = Driven(Some(connection));
    let mut request = Request::get(target).body(forward::nothing())?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let mut sent = std::pin::pin!(sender.send_request(request));
    let response = std::future::poll_fn(|context| {
        connection.drive(context);
        sent.as_mut().poll(context)
    });
    let (mut parts, body) = response.await?.into_parts();
    let coding = parts.headers.get(TRANSFER_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err("the engine answered in a transfer coding other than chunked".into());
    }
    forward::end_to_end(&mut parts.headers);
    Ok(Response::from_parts(parts, LongBody { connection, body, ended: None }.boxed_unsync()))
}

/// A connection that is driven by the task that reads its answer. A task of its own, as hyper has it otherwise, would
/// have to be woken for each chunk.
struct Driven(Option<Connection<TokioIo<Box<dyn Stream>>, Body>>);

impl Driven {
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(context).is_ready()
        {
            // Ignore an error of the connection: the body that it cuts off reports it.
            self.0 = None;
        }
    }
}

/// The body of a long answer.
struct LongBody {
    connection: Driven,
    body: Incoming,
    /// How the body ended, once it has.
    ended: Option<Result<(), hyper::Error>>,
}

impl HttpBody for LongBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { connection, body, ended } = self.get_mut();
        let mut piece = Vec::new();
        while ended.is_none() && piece.len() < PIECE {
            connection.drive(context);
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    piece.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Poll::Ready(Some(Err(e))) => *ended = Some(Err(e)),
                Poll::Ready(None) => *ended = Some(Ok(())),
                Poll::Pending if piece.is_empty() => return Poll::Pending,
                // Hand on what is there: a client that follows a log must not wait until a piece is full.
                Poll::Pending => break,
            }
        }
        if !piece.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
        }
        match ended.replace(Ok(())) {
            Some(Err(e)) => Poll::Ready(Some(Err(e.into()))),
            _ => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Status and content of an answer that the engine sends in these pieces; `None` when it is no HTTP or is cut off.
    async fn answer(pieces: Vec<Vec<u8>>) -> Option<(u16, Vec<u8>)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let engine = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            for piece in pieces {
                let _ = stream.write_all(&piece).await; // the reader may have closed the connection already
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            String::from_utf8(request[..read].to_vec()).unwrap()
        };
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("engine"));
        let client = async {
            let response = get(&Endpoint::Unix(path.clone()), "/x?a=1", headers).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes().to_vec()))
        };
        let (request, answer) = tokio::join!(engine, client);
        assert_eq!(request, "GET /x?a=1 HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n\r\n");
        answer
    }

    fn run(pieces: Vec<Vec<u8>>) -> Option<(u16, Vec<u8>)> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer(pieces))
    }

    #[test]
    fn every_way_to_tell_the_end() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", Some((200, "abc"))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
                Some((200, "abc")),
            ),
            ("HTTP/1.1 404 Not Found\r\n\r\nabc", Some((404, "abc"))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some((200, ""))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", None),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", None),
            ("HTTP/1.1", None),
            ("no HTTP at all\r\n\r\n", None),
        ] {
            let expected = expected.map(|(status, body)| (status, body.as_bytes().to_vec()));
            assert_eq!(run(vec![text.into()]), expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn chunks_and_pieces_do_not_matter(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20), size in 1usize..200,
        ) {
            let mut sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in &chunks {
                sent.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                sent.extend([chunk, &b"\r\n"[..]].concat());
            }
            sent.extend_from_slice(b"0\r\n\r\n");
            let pieces = sent.chunks(size).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(run(pieces), Some((200, chunks.concat())));
        }
    }
}
