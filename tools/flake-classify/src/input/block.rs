//! Blocks of whole lines, as large as one read brings them.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use lib_common::{Error, Result};
use memchr::{memchr_iter, memrchr};

use super::parse::Event;

/// Large enough that a block costs little, small enough to stay in a core's cache.
pub const SIZE: usize = if cfg!(test) { 16 * 1024 } else { 512 * 1024 };

/// A place in a block. Blocks are below 4 GiB but for a line that long, which has no pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    at: u32,
    len: u32,
}

impl Piece {
    /// Where `part` lies in `whole`; `None` if it is no part of it.
    pub fn of(whole: &[u8], part: &[u8]) -> Option<Self> {
        let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        whole.get(at..at.checked_add(part.len())?)?;
        Some(Self { at: at.try_into().ok()?, len: part.len().try_into().ok()? })
    }

    pub fn range(self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }
}

/// Whole lines; only the last one of a stream may lack its line feed.
#[derive(Debug, Default)]
pub struct Block {
    buffer: Vec<u8>,
    len: usize,
    /// What a parser found in it.
    pub events: Vec<Event>,
    /// Number of the first line, counted from 1.
    pub first: u64,
    /// The read filled it: more is there already.
    pub full: bool,
}

impl Block {
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The lines with their line feeds.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let bytes = self.bytes();
        let ends = memchr_iter(b'\n', bytes).map(|at| at + 1);
        let rest = Some(bytes.len()).filter(|_| bytes.last().is_some_and(|byte| *byte != b'\n'));
        ends.chain(rest).map(move |end| &bytes[std::mem::replace(&mut start, end)..end])
    }

    /// Empty where the piece is not of this block.
    pub fn text(&self, piece: Piece) -> &str {
        self.bytes().get(piece.range()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Cuts a stream into blocks.
pub struct Blocks<'a> {
    input: Box<dyn BufRead + 'a>,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    /// Blocks that are free again.
    spare: Vec<Block>,
    line: u64,
    pub limit: usize,
}

impl<'a> Blocks<'a> {
    /// A line longer than `limit` is handed out as soon as it is, whole or not, for the reader to complain.
    pub fn new(input: Box<dyn BufRead + 'a>, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { input, rest: Vec::new(), spare: Vec::new(), line: 1, limit }
    }

    /// The next block, or `None` at the end.
    pub fn next(&mut self) -> Result<Option<Block>> {
        // Never shortened, so that a buffer is zeroed once and not for every block.
        let Block { mut buffer, mut events, .. } = self.spare.pop().unwrap_or_default();
        events.clear();
        let mut len = self.rest.len();
        buffer.resize(buffer.len().max(SIZE).max(2 * len), 0);
        buffer[..len].copy_from_slice(&self.rest);
        self.rest.clear();
        loop {
            let before = len;
            if before == buffer.len() {
                buffer.resize(2 * before, 0);
            }
            let read = self.read(&mut buffer[before..])?;
            len += read;
            let too_long = len > self.limit.saturating_add(2);
            let end = match memrchr(b'\n', &buffer[before..len]) {
                Some(at) => before + at + 1,
                None if read == 0 || too_long => len,
                None => continue,
            };
            if len == 0 {
                return Ok(None);
            }
            let full = len == buffer.len();
            self.rest.extend_from_slice(&buffer[end..len]);
            let first = self.line;
            self.line += memchr_iter(b'\n', &buffer[..end]).count() as u64;
            return Ok(Some(Block { buffer, len: end, events, first, full }));
        }
    }

    /// Gives a block's memory back.
    pub fn recycle(&mut self, block: Block) {
        // One long line is no reason to keep its memory.
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
                            .on(format!("standard input line {}", self.line))
                    };
                    return other.map_err(fail);
                }
            }
        }
    }
}
