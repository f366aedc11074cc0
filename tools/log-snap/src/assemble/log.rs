//! Writes one log from memory to disk, chunk by chunk. Text without anything suspicious is copied in large pieces; only
//! suspicious lines are redacted one by one.

use std::io;

use lib_common::redact::Redactor;
use lib_common::{Error, Result};
use tempfile::NamedTempFile;

use crate::bundle::blob::Builder;
use crate::bundle::write::Writer;
use crate::clean::Cleaner;
use crate::stream::chunk::{Block, Chunk};
use crate::stream::hold::{Elided, Kept};
use crate::stream::line::Line;
use lib_common::swarm::frame::From;
use lib_common::swarm::stamp::Show;

/// The result of writing a log.
pub struct Written {
    /// The hashes of the blobs with its lines and with their times; a log without a line has no blobs.
    pub text: Option<String>,
    pub times: Option<String>,
    /// Number of lines that were longer than the limit, and were cut.
    pub cut: u64,
}

/// Writes a log. The memory of each chunk is freed as soon as it is written.
pub fn write(kept: Kept, max: usize, cleaner: &mut Cleaner, writer: &mut Writer) -> Result<Written> {
    let fail = |e: io::Error| Error::cannot("writing a log", e);
    let mut log = Log::new(writer.builder()?, writer.builder()?, max, cleaner);
    for chunk in kept.head {
        log.chunk(&chunk).map_err(fail)?;
    }
    if kept.elided.lines > 0 {
        log.mark(kept.elided).map_err(fail)?;
    }
    for chunk in kept.tail {
        log.chunk(&chunk).map_err(fail)?;
    }
    for redactor in &log.redactors {
        cleaner.count(redactor);
    }
    Ok(Written { text: writer.blob(log.text)?, times: writer.blob(log.times)?, cut: log.cut })
}

/// A log that is being written: two blobs with the same number of lines.
pub struct Log {
    text: Builder<NamedTempFile>,
    times: Builder<NamedTempFile>,
    /// One redactor for stdout and one for stderr, because the lines of a private key follow each other only within
    /// the same output.
    redactors: [Redactor; 2],
    show: Show,
    /// Formatted times that are not yet in the blob.
    shown: Vec<u8>,
    max: usize,
    cut: u64,
}

impl Log {
    fn new(
        text: Builder<NamedTempFile>,
        times: Builder<NamedTempFile>,
        max: usize,
        cleaner: &Cleaner,
    ) -> Self {
        let redactors = [cleaner.for_stream(), cleaner.for_stream()];
        Self { text, times, redactors, show: Show::default(), shown: Vec::new(), max, cut: 0 }
    }

    fn chunk(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.block(&chunk.unpack()?)
    }

    fn block(&mut self, block: &Block) -> io::Result<()> {
        let text = block.text();
        // `at` is where the next line starts. The lines from `clean_from` to `at` hold nothing to redact and are not
        // written yet. `suspect` is the next place that may hold something to redact.
        let (mut at, mut clean_from) = (0, 0);
        let mut suspect = self.redactors[0].next_suspect(text, 0);
        for line in block.lines() {
            let (start, end) = (at, at + line.text.len());
            at = end + 1;
            while suspect.as_ref().is_some_and(|suspect| suspect.start < start) {
                suspect = self.redactors[0].next_suspect(text, start);
            }
            let suspicious = suspect.as_ref().is_some_and(|suspect| suspect.start == start);
            let redactor = &mut self.redactors[line.from.index()];
            let long = line.whole > self.max as u64;
            if !suspicious && !long && !redactor.is_within_key() {
                self.time(line.at, line.from)?;
                continue;
            }
            self.text.push(&text[clean_from..start])?;
            clean_from = at;
            self.cut += u64::from(long);
            if let Some(clean) = clean(&line, self.max, redactor) {
                self.text.push(&clean)?;
                self.text.push(b"\n")?;
                self.time(line.at, line.from)?;
            }
        }
        self.text.push(&text[clean_from..])?;
        self.times.push(&self.shown)?;
        self.shown.clear();
        Ok(())
    }

    /// Writes a line of our own that says how many lines are missing here.
    fn mark(&mut self, gone: Elided) -> io::Result<()> {
        for (redactor, border) in self.redactors.iter_mut().zip(gone.pem) {
            // If a private key began in the missing lines, the lines after them are its rest and must be hidden too. If
            // one ended there, the lines after them are ordinary again.
            match border {
                Some(true) => redactor.begin_within_key(),
                Some(false) => redactor.end_of_key(),
                None => {}
            }
        }
        self.text
            .push(format!("[log-snap: {} lines, {} bytes left out]\n", gone.lines, gone.bytes).as_bytes())?;
        self.time(gone.at, From::Out)
    }

    fn time(&mut self, at: i64, from: From) -> io::Result<()> {
        self.show.push(at, &mut self.shown);
        self.shown.extend_from_slice(if from == From::Err { b" err\n" } else { b" out\n" });
        if self.shown.len() > 1 << 16 {
            self.times.push(&self.shown)?;
            self.shown.clear();
        }
        Ok(())
    }
}

/// The line without its secrets; `None` for a line inside a private key, of which nothing may stay. A long line is
/// redacted together with some text beyond the cut, and then cut, so that half a secret never stays.
pub(super) fn clean(line: &Line, max: usize, redactor: &mut Redactor) -> Option<Vec<u8>> {
    let mut clean = redactor.line(line.text).into_owned();
    if clean.is_empty() && !line.text.is_empty() {
        return None;
    }
    if line.whole > max as u64 {
        let beyond = line.text.len().saturating_sub(max);
        clean.truncate(clean.len().saturating_sub(beyond));
        clean.extend_from_slice(format!("[log-snap: cut, {} bytes in all]", line.whole).as_bytes());
    }
    Some(clean)
}
