//! Answers that are long, or have no end: logs and archives. They are read from the engine in large pieces, whatever the
//! pieces in which it wrote them, because each log line is one of those.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};
use lib_common::docker::Endpoint;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use super::forward::{self, Body, BoxError, Stream};
use super::pause::Pause;

/// What is read at once.
const PIECE: usize = 64 * 1024;
/// After a small piece the next one is not asked for sooner than this: what comes line by line, and fast, is passed on
/// in some thousand pieces a second, not in a hundred thousand. The first one never waits, and the engine's socket holds
/// more than it writes meanwhile.
const PAUSE: Duration = Duration::from_micros(300);
/// The engine's headers are a few hundred bytes.
const MAX_HEADERS: usize = 64;
/// A chunk's size is some hexadecimal digits.
const MAX_CHUNK_HEAD: usize = 1024;

/// Asks the engine, over a connection that is for this answer alone.
pub async fn get(endpoint: &Endpoint, target: &str, headers: &HeaderMap) -> Result<Response<Body>, String> {
    ask(endpoint, target, headers).await.map_err(|e| e.to_string())
}

async fn ask(endpoint: &Endpoint, target: &str, headers: &HeaderMap) -> io::Result<Response<Body>> {
    let mut stream = forward::open(endpoint).await?;
    let mut request = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
    for (name, value) in headers {
        request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    let mut buffer = Buffer::new();
    loop {
        if stream.read(buffer.room()).await.map(|read| buffer.filled(read))? == 0 {
            return Err(odd("the connection ended before the answer"));
        }
        if let Some(response) = head(&mut buffer)? {
            let framing = Framing::of(response.headers())?;
            let (mut parts, ()) = response.into_parts();
            forward::end_to_end(&mut parts.headers);
            return Ok(Response::from_parts(
                parts,
                Answer { stream, buffer, framing, pause: Pause::new()? }.boxed(),
            ));
        }
    }
}

/// The head of the answer, once all of it is there.
fn head(buffer: &mut Buffer) -> io::Result<Option<Response<()>>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let end = match parsed.parse(buffer.rest()).map_err(odd)? {
        httparse::Status::Complete(end) => end,
        httparse::Status::Partial if buffer.room().is_empty() => return Err(odd("endless headers")),
        httparse::Status::Partial => return Ok(None),
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(odd)?;
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(odd)?;
        response.headers_mut().append(name, HeaderValue::from_bytes(header.value).map_err(odd)?);
    }
    buffer.take(end);
    Ok(Some(response))
}

fn odd(cause: impl Into<BoxError>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

/// Bytes that were read and not used yet.
struct Buffer {
    bytes: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; PIECE].into(), begin: 0, end: 0 }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    fn take(&mut self, count: usize) {
        self.begin += count;
    }

    /// Where more can be read to.
    fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        &mut self.bytes[self.end..]
    }

    fn filled(&mut self, count: usize) -> usize {
        self.end += count;
        count
    }
}

/// How the end of the body is told (RFC 9112, section 6).
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    /// `left` bytes of this chunk; `between` it and the next there is a line feed.
    Chunked {
        left: u64,
        between: bool,
    },
    Length(u64),
    UntilClosed,
    Ended,
}

impl Framing {
    fn of(headers: &HeaderMap) -> io::Result<Self> {
        if let Some(coding) = headers.get(TRANSFER_ENCODING) {
            let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            return chunked
                .then_some(Self::Chunked { left: 0, between: false })
                .ok_or_else(|| odd("a coding that is not chunked"));
        }
        let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(Self::UntilClosed) };
        Ok(Self::Length(length.to_str().map_err(odd)?.parse().map_err(odd)?))
    }

    /// Takes what is content out of `buffer`.
    fn decode(&mut self, buffer: &mut Buffer) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        match self {
            Self::Ended => {}
            Self::UntilClosed => some(buffer, u64::MAX, &mut content),
            Self::Length(left) => {
                some(buffer, *left, &mut content);
                *left -= content.len() as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
            }
            Self::Chunked { left, between } => {
                content.reserve(buffer.rest().len());
                loop {
                    let before = content.len();
                    some(buffer, *left, &mut content);
                    *left -= (content.len() - before) as u64;
                    if *left > 0 {
                        break;
                    }
                    if *between {
                        match buffer.rest() {
                            [b'\r', b'\n', ..] => buffer.take(2),
                            [] | [b'\r'] => break,
                            _ => return Err(odd("a chunk that does not end")),
                        }
                        *between = false;
                    }
                    match httparse::parse_chunk_size(buffer.rest()).map_err(|_| odd("no chunk size"))? {
                        httparse::Status::Complete((_, 0)) => {
                            *self = Self::Ended;
                            break;
                        }
                        httparse::Status::Complete((head, size)) => {
                            buffer.take(head);
                            (*left, *between) = (size, true);
                        }
                        httparse::Status::Partial if buffer.rest().len() > MAX_CHUNK_HEAD => {
                            return Err(odd("an endless chunk size"));
                        }
                        httparse::Status::Partial => break,
                    }
                }
            }
        }
        Ok(content)
    }
}

/// At most `most` bytes.
fn some(buffer: &mut Buffer, most: u64, content: &mut Vec<u8>) {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.rest().len());
    content.extend_from_slice(&buffer.rest()[..count]);
    buffer.take(count);
}

/// The body of an answer.
struct Answer {
    stream: Box<dyn Stream>,
    buffer: Buffer,
    framing: Framing,
    pause: Pause,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { stream, buffer, framing, pause } = self.get_mut();
        loop {
            let data = framing.decode(buffer)?;
            if !data.is_empty() {
                if data.len() < PIECE / 2 {
                    pause.arm(PAUSE)?;
                }
                return Poll::Ready(Some(Ok(Frame::data(data.into()))));
            }
            if *framing == Framing::Ended {
                return Poll::Ready(None);
            }
            ready!(pause.poll(context))?;
            let mut room = ReadBuf::new(buffer.room());
            ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
            let read = room.filled().len();
            if buffer.filled(read) == 0 {
                let whole = *framing == Framing::UntilClosed;
                *framing = Framing::Ended;
                return Poll::Ready((!whole).then(|| Err(odd("the engine's answer was cut off").into())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The content of an answer that comes in these pieces; `None`: it is not HTTP, or cut off.
    async fn answer(pieces: Vec<Vec<u8>>) -> Option<(u16, Vec<u8>)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let engine = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            for piece in pieces {
                let _ = stream.write_all(&piece).await; // it may have read enough
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            String::from_utf8(request[..read].to_vec()).unwrap()
        };
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("engine"));
        let client = async {
            let response = get(&Endpoint::Unix(path.clone()), "/x?a=1", &headers).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes().to_vec()))
        };
        let (request, answer) = tokio::join!(engine, client);
        assert_eq!(request, "GET /x?a=1 HTTP/1.1\r\nconnection: close\r\nhost: engine\r\n\r\n");
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
