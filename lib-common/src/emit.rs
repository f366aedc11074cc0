//! Writing a record stream: lines passed on byte for byte, own records appended, each one durable in the
//! ledger first.

use std::collections::HashSet;
use std::io::Write;

use crate::cli::Common;
use crate::clock::rfc3339;
use crate::error::{Error, Result};
use crate::exit::Io;
use crate::ledger::{Ledger, key};
use crate::record::{Body, Head, Known, to_line};
use crate::stream::{Line, Reader, Torn};

/// Where a tool's records go: the ledger (if any), then standard output.
pub struct Emitter {
    investigation: Option<String>,
    ledger: Option<Ledger>,
    /// Lines already on standard output, known only where there is a ledger to compare with.
    passed: HashSet<[u8; 16]>,
}

impl Emitter {
    /// `investigation`: what the user asked for; else that of the first record that passes.
    #[must_use]
    pub fn new(investigation: Option<String>, ledger: Option<Ledger>) -> Self {
        Self { investigation, ledger, passed: HashSet::new() }
    }

    /// The investigation that new records belong to; a fresh one if none was named or seen.
    pub fn investigation(&mut self) -> &str {
        self.investigation.get_or_insert_with(crate::new_id)
    }

    /// Whether there is a ledger that keeps what standard output loses.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.ledger.is_some()
    }

    /// Passes a line on. A missing last line feed is added, so that our own records start a line.
    pub fn pass(&mut self, io: &mut Io, line: &Line) -> Result<()> {
        if self.investigation.is_none() {
            self.investigation = line.keys().investigation.map(Into::into);
        }
        if let Some(ledger) = &mut self.ledger {
            self.passed.insert(key(&line.raw));
            ledger.append_new(&line.raw)?;
        }
        write_line(io, &line.raw)
    }

    /// Passes a line of the ledger on, unless standard input brought it already. True: it was new.
    pub fn pass_unseen(&mut self, io: &mut Io, line: &Line) -> Result<bool> {
        if self.passed.contains(&key(&line.raw)) {
            return Ok(false);
        }
        self.pass(io, line).map(|()| true)
    }

    /// Appends a record of ours: ledger and fsync first, then one write and one flush.
    pub fn emit<B: Body>(&mut self, io: &mut Io, body: &B) -> Result<()> {
        let line = self.line(io, body)?;
        self.put(io, &line)
    }

    /// Appends a line that a child wrote for us (its records go through the parent).
    pub fn put(&mut self, io: &mut Io, line: &[u8]) -> Result<()> {
        if let Some(ledger) = &mut self.ledger {
            self.passed.insert(key(line));
            ledger.append_new(line)?;
        }
        write_line(io, line)
    }

    /// Prints a line that the ledger could not take: better there than nowhere.
    pub fn print(io: &mut Io, line: &[u8]) -> Result<()> {
        write_line(io, line)
    }

    /// The bytes of a record of ours, without the line feed.
    pub fn line<B: Body>(&mut self, io: &Io, body: &B) -> Result<Vec<u8>> {
        let head = Head {
            kind: B::TYPE.into(),
            v: B::V,
            ts: rfc3339(io.clock.now()),
            investigation: self.investigation().to_owned(),
            tool: format!("{}/{}", io.diag.tool(), crate::VERSION),
        };
        let line = to_line(&head, body).map_err(|e| Error::cannot("writing a record", e).on(B::TYPE))?;
        #[cfg(debug_assertions)]
        note(&line);
        Ok(line)
    }
}

/// What is built for tests also appends each record to the file that `E2E_RECORDS` names, so that the output of the
/// whole test suite can be held against the schema.
#[cfg(debug_assertions)]
fn note(line: &[u8]) {
    let Some(path) = std::env::var_os("E2E_RECORDS") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    // Some tests run a tool as a user who may not write there: its records are not looked at.
    let _ = file.and_then(|mut file| file.write_all(&[line, b"\n"].concat()));
}

/// Copies standard input to standard output, line by line, and hands each known record to `on` after it was
/// passed on. A terminal is not read.
pub fn copy_records(
    common: &Common,
    io: &mut Io,
    emitter: &mut Emitter,
    mut on: impl FnMut(&mut Io, &mut Emitter, Known) -> Result<()>,
) -> Result<()> {
    if io.stdin_is_terminal {
        return Ok(());
    }
    let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
    let mut reader = Reader::new(input, "standard input", common, Torn::Error);
    while let Some(line) = reader.next_line(&io.diag)? {
        emitter.pass(io, &line)?;
        if let Some(known) = reader.known(&line, &io.diag)? {
            on(io, emitter, known)?;
        }
    }
    Ok(())
}

fn write_line(io: &mut Io, raw: &[u8]) -> Result<()> {
    let whole;
    let bytes = if raw.last() == Some(&b'\n') {
        raw
    } else {
        whole = [raw, b"\n"].concat();
        &whole
    };
    io.stdout
        .write_all(bytes)
        .and_then(|()| io.stdout.flush())
        .map_err(|e| Error::write("standard output", &e))
}
