//! Prints the lines of a bundle in one order: time, then task, then sequence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, Write};

use lib_common::{Error, Result};

use super::entry::Stream;
use super::read::Bundle;
use crate::stream::stamp;

/// One stream's next line, ordered by time, then stream; lines of one stream keep their order.
struct Cursor {
    text: Box<dyn BufRead>,
    times: Box<dyn BufRead>,
    /// `app.1 0123456789ab`
    label: String,
    time: String,
    from: String,
    line: Vec<u8>,
    latest: i64,
}

/// Writes `TIME TASK CONTAINER out|err TEXT` for each line. `service`: only that one, with or without the
/// stack's name in front.
pub fn cat(bundle: &Bundle, service: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let mut cursors = Vec::new();
    let mut streams: Vec<&Stream> =
        bundle.streams.iter().filter(|stream| service.is_none_or(|name| is_of(stream, name))).collect();
    if streams.is_empty() && service.is_some() {
        return Err(
            Error::no("printing a bundle", "no log of such a service").on(service.unwrap_or_default())
        );
    }
    streams.sort_by_key(|stream| (stream.name.clone(), stream.first.clone(), stream.container.clone()));
    let mut heap = BinaryHeap::new();
    for stream in streams {
        let (Some(text), Some(times)) = (&stream.text, &stream.times) else { continue };
        let mut cursor = Cursor {
            text: Box::new(bundle.content(text)?),
            times: Box::new(bundle.content(times)?),
            label: format!("{} {}", stream.name, crate::recorder::short(&stream.container)),
            time: String::new(),
            from: String::new(),
            line: Vec::new(),
            latest: i64::MIN,
        };
        if cursor.advance()? {
            heap.push(Reverse((cursor.latest, cursors.len())));
            cursors.push(cursor);
        }
    }
    while let Some(Reverse((_, at))) = heap.pop() {
        let cursor = &mut cursors[at];
        cursor.print(out).map_err(|e| Error::write("standard output", &e))?;
        if cursor.advance()? {
            heap.push(Reverse((cursor.latest, at)));
        }
    }
    out.flush().map_err(|e| Error::write("standard output", &e))
}

fn is_of(stream: &Stream, service: &str) -> bool {
    stream.service == service || stream.name.split('.').next() == Some(service)
}

impl Cursor {
    /// Reads the next line; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let fail = |e: std::io::Error| Error::cannot("reading a blob", e).on(&self.label);
        self.line.clear();
        if self.text.read_until(b'\n', &mut self.line).map_err(fail)? == 0 {
            return Ok(false);
        }
        let mut time = String::new();
        self.times.read_line(&mut time).map_err(fail)?;
        let (at, from) = time.trim_end().split_once(' ').unwrap_or((time.trim_end(), "out"));
        // A line that was written a little before its predecessor must not overtake it.
        self.latest = stamp::parse(at).unwrap_or(i64::MIN).max(self.latest);
        (self.time, self.from) = (at.to_owned(), from.to_owned());
        Ok(true)
    }

    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        write!(out, "{} {} {} ", self.time, self.label, self.from)?;
        out.write_all(&self.line)
    }
}
