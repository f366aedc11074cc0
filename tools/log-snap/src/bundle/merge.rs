//! Merges the lines of several logs into one order: by time, then by task, then by their place in the log.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::BufRead;

use lib_common::{Error, Result};

use super::entry::Stream;
use super::read::Bundle;
use lib_common::swarm::stamp;

/// One line of a log.
pub struct Row<'c> {
    pub stream: &'c Stream,
    /// When it was written, as RFC 3339.
    pub time: &'c str,
    /// The same time in nanoseconds since 1970.
    pub at: i64,
    /// `out` or `err`
    pub from: &'c str,
    /// The line with its line feed.
    pub line: &'c [u8],
    /// Number of the line in its log, counted from 1.
    pub number: u64,
    /// Byte in the log's blob at which the line starts.
    pub offset: u64,
}

struct Cursor<'s> {
    stream: &'s Stream,
    text: Box<dyn BufRead>,
    times: Box<dyn BufRead>,
    line: Vec<u8>,
    time: String,
    at: i64,
    /// The latest time of the log so far, by which its lines are merged. If a line has an earlier time than the line
    /// before it, the two still stay in the order of the log.
    latest: i64,
    number: u64,
    offset: u64,
}

/// Hands every line of `streams` to `on`, in order, until `on` returns false.
pub fn merge<'s>(
    bundle: &Bundle,
    streams: impl Iterator<Item = &'s Stream>,
    mut on: impl FnMut(&Row) -> Result<bool>,
) -> Result<()> {
    let (mut cursors, mut heap) = (Vec::new(), BinaryHeap::new());
    for stream in streams {
        let (Some(text), Some(times)) = (&stream.text, &stream.times) else { continue };
        let mut cursor = Cursor {
            stream,
            text: Box::new(bundle.content(text)?),
            times: Box::new(bundle.content(times)?),
            line: Vec::new(),
            time: String::new(),
            at: 0,
            latest: i64::MIN,
            number: 0,
            offset: 0,
        };
        if cursor.advance()? {
            heap.push(Reverse((cursor.latest, cursors.len())));
            cursors.push(cursor);
        }
    }
    while let Some(Reverse((_, place))) = heap.pop() {
        let cursor = &mut cursors[place];
        if !on(&cursor.row())? {
            return Ok(());
        }
        if cursor.advance()? {
            heap.push(Reverse((cursor.latest, place)));
        }
    }
    Ok(())
}

impl Cursor<'_> {
    /// Reads the next line; returns false at the end of the log.
    fn advance(&mut self) -> Result<bool> {
        let fail = |e: std::io::Error| Error::cannot("reading a blob", e).on(&self.stream.name);
        self.offset += self.line.len() as u64;
        self.number += 1;
        self.line.clear();
        if self.text.read_until(b'\n', &mut self.line).map_err(fail)? == 0 {
            return Ok(false);
        }
        self.time.clear();
        self.times.read_line(&mut self.time).map_err(fail)?;
        self.at = stamp::parse(self.time.split(' ').next().unwrap_or_default()).unwrap_or(i64::MIN);
        self.latest = self.at.max(self.latest);
        Ok(true)
    }

    fn row(&self) -> Row<'_> {
        let (time, from) = self.time.trim_end().split_once(' ').unwrap_or((self.time.trim_end(), "out"));
        Row {
            stream: self.stream,
            time,
            at: self.at,
            from,
            line: &self.line,
            number: self.number,
            offset: self.offset,
        }
    }
}
