//! Decodes the engine's log stream: `stdcopy` frames, or raw bytes if the service has a TTY.
//!
//! A frame is one byte of stream type, three zero bytes, a big-endian 32-bit length and that many bytes.
//! A frame of type 3 is an error message: by then the engine has answered 200, so it can only report within the stream
//! that it could not read the log.

use super::stamp;

/// Which of the container's outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum From {
    Out,
    Err,
}

impl From {
    /// 0 or 1, for what is kept per output.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self == Self::Err)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        if self == Self::Err { "err" } else { "out" }
    }
}

/// A decoded part of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// A line, or a part of a long one, behind its timestamp.
    Log(From, &'b [u8]),
    /// An error message of the engine, never log text.
    Fault(String),
}

/// Largest frame that is accepted. No log driver writes more than 16 KiB and attributes at once, so that a frame beyond
/// this shows a broken stream.
const MAX_FRAME: usize = 4 << 20;
/// The engine splits longer lines after this many bytes, whatever the log driver.
pub const CHUNK: usize = 16 * 1024;
const HEADER: usize = 8;

/// Takes bytes as they come. The first byte shows whether the stream is raw or in frames: a raw stream starts with the
/// digits of a timestamp, a frame with a byte from 0 to 3.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    shape: Option<Shape>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Framed,
    Raw,
}

impl Decoder {
    /// Decodes the pieces that are whole so far. After an error the decoder cannot go on.
    pub fn push(&mut self, bytes: &[u8], on: &mut impl FnMut(Piece)) -> Result<(), String> {
        self.buffer.extend_from_slice(bytes);
        let Some(&first) = self.buffer.first() else { return Ok(()) };
        let shape = *self.shape.get_or_insert(if first <= 3 { Shape::Framed } else { Shape::Raw });
        let used = match shape {
            Shape::Framed => self.frames(on)?,
            Shape::Raw => self.raw(on),
        };
        self.buffer.drain(..used);
        Ok(())
    }

    /// Ends the stream. What is left is a last raw line without a line feed, or half a frame, which is an error.
    pub fn finish(self, on: &mut impl FnMut(Piece)) -> Result<(), String> {
        match (self.shape, self.buffer.len()) {
            (_, 0) => Ok(()),
            (Some(Shape::Raw), _) => {
                on(Piece::Log(From::Out, &self.buffer));
                Ok(())
            }
            (_, left) => Err(format!("the log stream ended within a frame ({left} bytes of it)")),
        }
    }

    fn frames(&self, on: &mut impl FnMut(Piece)) -> Result<usize, String> {
        let mut at = 0;
        while let Some(header) = self.buffer.get(at..at + HEADER) {
            let size = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if header[0] > 3 || header[1..4] != [0; 3] || size > MAX_FRAME {
                return Err(format!("not a log frame: {header:02x?}"));
            }
            let Some(body) = self.buffer.get(at + HEADER..at + HEADER + size) else { break };
            on(match header[0] {
                3 => Piece::Fault(String::from_utf8_lossy(body).trim().to_owned()),
                2 => Piece::Log(From::Err, body),
                _ => Piece::Log(From::Out, body),
            });
            at += HEADER + size;
        }
        Ok(at)
    }

    /// In a raw stream nothing separates messages: a message ends with a line feed or, if it is a part of a longer
    /// line, after exactly [`CHUNK`] bytes.
    fn raw(&self, on: &mut impl FnMut(Piece)) -> usize {
        let mut at = 0;
        loop {
            let rest = &self.buffer[at..];
            let head = stamp::split(rest).map_or(0, |(_, len)| len);
            let window = &rest[..rest.len().min(head + CHUNK)];
            let size = match memchr::memchr(b'\n', &window[head..]) {
                Some(end) => head + end + 1,
                None if rest.len() >= head + CHUNK => head + CHUNK,
                None => return at,
            };
            on(Piece::Log(From::Out, &rest[..size]));
            at += size;
        }
    }
}

/// The text of a log that was read without timestamps, with all outputs in the order in which they came. Error messages
/// of the engine are lines of it. Of a stream that breaks off, everything before the break is returned.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    let (mut decoder, mut text) = (Decoder::default(), Vec::new());
    let mut take = |piece: Piece| match piece {
        Piece::Log(_, piece) => text.extend_from_slice(piece),
        Piece::Fault(cause) => text.extend([cause.as_bytes(), b"\n"].concat()),
    };
    if decoder.push(bytes, &mut take).is_ok() {
        match decoder.shape {
            Some(Shape::Framed) => text.extend_from_slice(decoder.buffer.get(HEADER..).unwrap_or_default()),
            _ => drop(decoder.finish(&mut take)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: &str = "2026-01-02T03:04:05.123456789Z ";

    pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], &size[..], body].concat()
    }

    /// Output, text; a fault has no output.
    type Owned = (Option<From>, Vec<u8>);

    fn decode(parts: &[&[u8]]) -> Result<Vec<Owned>, String> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        let mut keep = |piece: Piece| {
            out.push(match piece {
                Piece::Log(from, text) => (Some(from), text.to_vec()),
                Piece::Fault(cause) => (None, cause.into_bytes()),
            });
        };
        for part in parts {
            decoder.push(part, &mut keep)?;
        }
        decoder.finish(&mut keep)?;
        Ok(out)
    }

    #[test]
    fn frames_of_each_type() {
        let bytes = [frame(1, b"a\n"), frame(2, b"\xff\n"), frame(3, b"Error grabbing logs: x\n")].concat();
        let fault = (None, b"Error grabbing logs: x".to_vec());
        let expected = vec![(Some(From::Out), b"a\n".to_vec()), (Some(From::Err), b"\xff\n".to_vec()), fault];
        assert_eq!(decode(&[&bytes]), Ok(expected));
    }

    #[test]
    fn a_length_that_holds_a_line_feed_is_no_border() {
        let body = [b'x'; 10];
        assert_eq!(decode(&[&frame(3, &body)]), Ok(vec![(None, b"xxxxxxxxxx".to_vec())]));
    }

    #[test]
    fn a_broken_stream_is_an_error() {
        assert!(decode(&[&frame(1, b"abc")[..9]]).unwrap_err().contains("within a frame"));
        assert!(decode(&[&[1, 0, 0, 7, 0, 0, 0, 1, 65]]).unwrap_err().contains("not a log frame"));
        assert!(decode(&[&[1, 0, 0, 0, 255, 0, 0, 1, 65]]).unwrap_err().contains("not a log frame"));
    }

    #[test]
    fn a_raw_stream_gives_lines_and_chunks() {
        let long = vec![b'x'; CHUNK];
        let bytes = [
            AT.as_bytes(),
            b"one\r\n",
            AT.as_bytes(),
            &long[..],
            AT.as_bytes(),
            b"end\n",
            AT.as_bytes(),
            b"last",
        ];
        let pieces = decode(&[&bytes.concat()]).unwrap();
        let sizes: Vec<usize> = pieces.iter().map(|(_, bytes)| bytes.len() - AT.len()).collect();
        assert_eq!(sizes, [5, CHUNK, 4, 4]);
    }

    #[test]
    fn the_text_of_frames_and_of_a_terminal() {
        let bytes =
            [frame(1, b"one\ntw"), frame(1, b"o\n"), frame(3, b"no log "), frame(2, b"three")].concat();
        assert_eq!(text(&bytes), b"one\ntwo\nno log\nthree");
        assert_eq!(text(&bytes[..bytes.len() - 3]), b"one\ntwo\nno log\nth", "cut off");
        assert_eq!(text(b"a\r\nb\n"), b"a\r\nb\n");
        assert_eq!(text(&[1, 0, 0, 7]), b"");
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same(cuts in prop::collection::vec(0usize..200, 0..6), raw: bool) {
            let bytes = if raw {
                format!("{AT}one\n{AT}two two\n{AT}last").into_bytes()
            } else {
                [frame(1, b"abc\n"), frame(2, b""), frame(1, &[7; 90]), frame(3, b"no")].concat()
            };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&parts), decode(&[&bytes]));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            let _ = (decode(&[&bytes]), text(&bytes));
        }
    }
}
