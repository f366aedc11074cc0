//! A body whose small pieces are put together as they come: a log line is one piece of the engine's answer, and to pass
//! each on by itself costs more than all the rest.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Pieces are gathered up to this many bytes.
const ENOUGH: usize = 64 * 1024;

/// `B`, with what is there at one time as one piece. Nothing waits for more to come.
pub struct Gather<B> {
    inner: B,
    gathered: Vec<u8>,
    /// What ended the gathering, and is told next.
    then: Option<Result<Frame<Bytes>, hyper::Error>>,
    ended: bool,
    /// Whoever reads the engine's connection had its turn since the last piece, and had no other.
    asked: bool,
}

impl<B> Gather<B> {
    pub fn new(inner: B) -> Self {
        Self { inner, gathered: Vec::new(), then: None, ended: false, asked: false }
    }

    fn take(&mut self) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let gathered = std::mem::take(&mut self.gathered);
        Poll::Ready(Some(Ok(Frame::data(gathered.into()))))
    }
}

impl<B> Body for Gather<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(next) = self.then.take() {
            return Poll::Ready(Some(next));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    let data = frame.into_data().unwrap_or_default();
                    self.asked = false;
                    if self.gathered.is_empty() && data.len() >= ENOUGH {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    self.gathered.extend_from_slice(&data);
                    if self.gathered.len() >= ENOUGH {
                        return self.take();
                    }
                }
                Poll::Ready(next) if self.gathered.is_empty() => return Poll::Ready(next),
                Poll::Ready(next) => {
                    self.ended = next.is_none();
                    self.then = next;
                    return self.take();
                }
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                // The connection hands over one piece at a turn: let it have another one before this one goes.
                Poll::Pending if !self.asked => {
                    self.asked = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => {
                    self.asked = false;
                    return self.take();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.then.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, more) = (self.inner.size_hint(), self.gathered.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + more);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + more);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt as _;

    use super::*;

    /// Pieces one at a time; an empty one is a turn without any.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            match self.0.pop_front() {
                Some(piece) if piece.is_empty() => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                piece => Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into())))),
            }
        }
    }

    async fn lengths(pieces: &[&[u8]]) -> Vec<usize> {
        let mut body = Gather::new(Pieces(pieces.iter().map(|piece| piece.to_vec()).collect()));
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            all.push(frame.unwrap().into_data().unwrap().len());
        }
        all
    }

    #[tokio::test]
    async fn what_is_there_goes_together_and_nothing_waits() {
        assert_eq!(lengths(&[b"one", b"", b"two", b"", b"three"]).await, [11], "one turn between the pieces");
        assert_eq!(lengths(&[b"one", b"", b"", b"two"]).await, [3, 3], "a pause");
        let big = vec![0; ENOUGH];
        assert_eq!(lengths(&[&big, b"x", &big]).await, [ENOUGH, ENOUGH + 1]);
        assert_eq!(lengths(&[]).await, [0; 0]);
    }
}
