//! `POST /images/load`: copies the client's archive to an unlinked temporary file, checking it on the way
//! ([`archive`]), and sends the copy only when all of it has passed.

pub mod archive;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;

use crate::forward::{Body, BoxError};
use crate::policy::Policy;
use crate::refusal::Refusal;

/// Most pieces that wait between the async side and the blocking thread.
const WAITING: usize = 4;
const PIECE: usize = 64 * 1024;

/// The checked copy of the client's archive, as the body to send to the engine.
pub async fn checked(policy: &Arc<Policy>, body: Incoming) -> Result<Body, Refusal> {
    let (tell, told) = mpsc::channel(WAITING);
    let policy = Arc::clone(policy);
    let copy = tokio::task::spawn_blocking(move || {
        let file = tempfile::tempfile().map_err(|e| failed(&e))?;
        let from = Pieces { told, piece: Bytes::new() };
        archive::copy(from, BufWriter::new(&file), |name| policy.image(name))?;
        Ok::<File, Refusal>(file)
    });
    feed(body, tell).await;
    let file = copy.await.map_err(|e| failed(&io::Error::other(e)))??;
    Ok(whole(file))
}

/// Passes the client's body on. Reads it to the end even when the copy was refused early, because clients read the
/// answer, with its reason, only after they have sent everything.
async fn feed(mut body: Incoming, tell: mpsc::Sender<io::Result<Bytes>>) {
    while let Some(frame) = body.frame().await {
        let piece = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(_trailers)) => continue,
            Err(e) => Err(io::Error::other(e)),
        };
        // Ignore a closed channel: the copy was refused. An error is the last item of the body.
        let _ = tell.send(piece).await;
    }
}

/// The whole file as a body; it is read only as fast as the engine takes it.
fn whole(mut file: File) -> Body {
    let (mut tell, body) = Channel::<Bytes, BoxError>::new(WAITING);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let read = file.rewind().and_then(|()| {
            let mut file = BufReader::with_capacity(PIECE, file);
            loop {
                let mut piece = vec![0; PIECE];
                let read = file.read(&mut piece)?;
                piece.truncate(read);
                if read == 0 || runtime.block_on(tell.send_data(piece.into())).is_err() {
                    return Ok(());
                }
            }
        });
        if let Err(e) = read {
            tell.abort(e.into());
        }
    });
    body.boxed_unsync()
}

fn failed(e: &io::Error) -> Refusal {
    Refusal::new("image", format!("the archive could not be stored: {e}")).remedy("is there room in TMPDIR?")
}

/// The client's body as a blocking reader.
struct Pieces {
    told: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.told.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}
