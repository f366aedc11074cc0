//! Blocks of whole lines, as large as one read brings them.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr_iter, memrchr};

use crate::error::{Error, Result};

/// Bytes of a block's buffer: large enough that handling a block costs little per line, small enough to stay in a
/// core's cache. In a debug build, which is for tests, blocks are smaller, so that a short stream has many of them.
pub const SIZE: usize = if cfg!(debug_assertions) { 16 * 1024 } else { 512 * 1024 };

/// When a block is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// As soon as one read brought a whole line, because a later tool of the pipe waits for it.
    AsRead,
    /// Once it is full or the stream has ended.
    Full,
}

/// A place in a block, in 32-bit numbers to keep it small. Only a single line of 4 GiB makes a block larger than they
/// can say; such a line has no pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    at: u32,
    len: u32,
}

impl Piece {
    /// Where `part` lies in `whole`; `None` if it does not lie in it.
    #[must_use]
    pub fn of(whole: &[u8], part: &[u8]) -> Option<Self> {
        let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        whole.get(at..at.checked_add(part.len())?)?;
        Some(Self { at: at.try_into().ok()?, len: part.len().try_into().ok()? })
    }

    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }
}

/// Whole lines; only the last one of a stream may lack its line feed.
#[derive(Debug)]
pub struct Block<T> {
    buffer: Vec<u8>,
    len: usize,
    /// What a [`super::Parser`] found in it.
    pub found: Vec<T>,
    /// Number of the first line, counted from 1.
    pub first: u64,
    /// Whether the read filled the buffer, so that more input is likely to be there already.
    pub(super) full: bool,
    /// Up to this length a line is given as a text.
    limit: usize,
}

impl<T> Block<T> {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The lines with their line feeds.
    pub fn raw(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let bytes = self.bytes();
        let ends = memchr_iter(b'\n', bytes).map(|at| at + 1);
        let rest = Some(bytes.len()).filter(|_| bytes.last().is_some_and(|byte| *byte != b'\n'));
        ends.chain(rest).map(move |end| &bytes[std::mem::replace(&mut start, end)..end])
    }

    /// The lines with their line feeds, and as texts without them where they are UTF-8 and not too long.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], Option<&str>)> {
        let bytes = self.bytes();
        // One check of the whole block is faster than one per line. Only if it fails each line is checked by itself.
        let whole = std::str::from_utf8(bytes).ok();
        self.raw().map(move |raw| {
            let content = crate::stream::trim(raw);
            let text = match whole {
                _ if content.len() > self.limit => None,
                Some(whole) => {
                    let at = raw.as_ptr() as usize - bytes.as_ptr() as usize;
                    whole.get(at..at + content.len())
                }
                None => std::str::from_utf8(content).ok(),
            };
            (raw, text)
        })
    }

    /// The text at `piece`; empty if the piece is not of this block.
    #[must_use]
    pub fn text(&self, piece: Piece) -> &str {
        self.bytes().get(piece.range()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Cuts a stream into blocks.
pub struct Blocks<'a, T> {
    input: Box<dyn Read + 'a>,
    /// What errors call the stream.
    name: &'a str,
    arrival: Arrival,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    /// Blocks whose memory can be used again.
    spare: Vec<Block<T>>,
    line: u64,
    limit: usize,
}

impl<'a, T> Blocks<'a, T> {
    /// A line that grows longer than `limit` bytes is handed out at once, even if its end was not read, so that the
    /// tool can report it without keeping all of it in memory.
    #[must_use]
    pub fn new(input: Box<dyn Read + 'a>, name: &'a str, limit: u64, arrival: Arrival) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { input, name, arrival, rest: Vec::new(), spare: Vec::new(), line: 1, limit }
    }

    /// The next block, or `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Block<T>>> {
        let (mut buffer, mut found) =
            self.spare.pop().map_or_else(Default::default, |block| (block.buffer, block.found));
        found.clear();
        let mut len = self.rest.len();
        // The buffer is never shortened, because `resize` would zero it anew for every block.
        buffer.resize(buffer.len().max(SIZE).max(2 * len), 0);
        buffer[..len].copy_from_slice(&self.rest);
        self.rest.clear();
        // Before this place there is no line feed; it is not searched again.
        let mut searched = len;
        loop {
            if len == buffer.len() {
                buffer.resize(2 * len, 0);
            }
            let read = self.read(&mut buffer[len..])?;
            len += read;
            let full = len == buffer.len();
            if self.arrival == Arrival::Full && !full && read > 0 {
                continue;
            }
            let too_long = len > self.limit.saturating_add(2);
            let end = match memrchr(b'\n', &buffer[searched..len]) {
                Some(at) => searched + at + 1,
                None if read == 0 || too_long => len,
                None => {
                    searched = len;
                    continue;
                }
            };
            if len == 0 {
                return Ok(None);
            }
            self.rest.extend_from_slice(&buffer[end..len]);
            let first = self.line;
            self.line += memchr_iter(b'\n', &buffer[..end]).count() as u64;
            return Ok(Some(Block { buffer, len: end, found, first, full, limit: self.limit }));
        }
    }

    /// Gives a block's memory back.
    pub(super) fn recycle(&mut self, block: Block<T>) {
        // A buffer that grew for one long line is not kept.
        if block.buffer.len() == SIZE {
            self.spare.push(block);
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.input.read(into) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    let fail = |e| {
                        Error::cannot("reading the record stream", e)
                            .on(format!("{} line {}", self.name, self.line))
                    };
                    return other.map_err(fail);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives at most `step` bytes a read, as a pipe may.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(into.len());
            self.0.read(&mut into[..step])
        }
    }

    proptest! {
        #[test]
        fn no_split_changes_a_line(
            lines in proptest::collection::vec("[a-zé]{0,40}", 0..60),
            longest in 0..3 * SIZE,
            step in 1usize..2 * SIZE,
            full: bool,
            ends: bool,
        ) {
            let all = [lines.join("\n"), "x".repeat(longest), lines.join("\n")].join("\n");
            let all = if ends { all + "\n" } else { all };
            let arrival = if full { Arrival::Full } else { Arrival::AsRead };
            let mut blocks: Blocks<()> =
                Blocks::new(Box::new(Trickle(all.as_bytes(), step)), "test", u64::MAX, arrival);
            let (mut read, mut line) = (Vec::new(), 1);
            while let Some(block) = blocks.next_block().unwrap() {
                prop_assert_eq!(block.first, line);
                prop_assert!(block.lines().all(|(_, text)| text.is_some()));
                line += block.raw().count() as u64;
                prop_assert!(read.last().is_none_or(|byte| *byte == b'\n'), "a block begins with a line");
                read.extend_from_slice(block.bytes());
                blocks.recycle(block);
            }
            prop_assert!(read == all.as_bytes());
        }
    }

    #[test]
    fn what_is_too_long_or_no_text_has_none() {
        let mut blocks: Blocks<()> =
            Blocks::new(Box::new(&b"abcd\r\nabcde\n\xff\n"[..]), "test", 4, Arrival::AsRead);
        let block = blocks.next_block().unwrap().unwrap();
        let texts: Vec<Option<&str>> = block.lines().map(|(_, text)| text).collect();
        assert_eq!(texts, [Some("abcd"), None, None]);
    }
}
