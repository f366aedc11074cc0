//! Reads a record stream line by line: it keeps the raw bytes, parses the keys, and needs memory for one line only.
//!
//! A line is passed on as the bytes that were read, never as a re-serialised value: a round trip through
//! `serde_json::Value` reorders keys and damages numbers such as `1.10` or 23-digit integers.

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use serde::de::IgnoredAny;

use crate::cli::Common;
use crate::diag::Diag;
use crate::error::{Error, Result};
use crate::record::{Keys, Known};

/// What a reader does with a last line that has no line feed and is not a whole JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// For a pipe: an earlier tool was cut off, which is an error.
    Error,
    /// For a ledger on disk: its writer died within a line; the reader warns and leaves the line out.
    SetAside,
}

/// One line as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The bytes, line feed included where there was one.
    pub raw: Vec<u8>,
    /// Counted from 1.
    pub number: u64,
    /// False for a line that is not a JSON object, which only `--lenient` lets through.
    pub is_object: bool,
}

impl Line {
    /// The bytes without `\n` or `\r\n`.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        trim(&self.raw)
    }

    /// The routing keys; empty for a line that is not an object, or whose keys are not of our form.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        if self.is_object {
            serde_json::from_slice(self.content()).unwrap_or_default()
        } else {
            Keys::default()
        }
    }
}

/// Reads lines and keeps count; `name` is what errors call the stream.
pub struct Reader<R> {
    input: R,
    name: String,
    number: u64,
    limit: u64,
    lenient: bool,
    torn: Torn,
    newer: BTreeSet<String>,
}

impl<R: BufRead> Reader<R> {
    pub fn new(input: R, name: impl Into<String>, common: &Common, torn: Torn) -> Self {
        Self {
            input,
            name: name.into(),
            number: 0,
            limit: common.max_line,
            lenient: common.lenient,
            torn,
            newer: BTreeSet::new(),
        }
    }

    /// The next line, or `None` at the end. Errors name the stream and the line.
    pub fn next_line(&mut self, diag: &Diag) -> Result<Option<Line>> {
        let mut raw = Vec::new();
        self.number += 1;
        self.read_raw(&mut raw)?;
        if raw.is_empty() {
            return Ok(None);
        }
        self.check(raw, diag)
    }

    /// Checks a line that other code has read, as [`Reader::next_line`] would. `None`: it is a torn end that is left
    /// out.
    pub fn examine(&mut self, raw: Vec<u8>, number: u64, diag: &Diag) -> Result<Option<Line>> {
        self.number = number;
        if trim(&raw).len() as u64 > self.limit {
            return Err(self.too_long());
        }
        self.check(raw, diag)
    }

    fn check(&self, raw: Vec<u8>, diag: &Diag) -> Result<Option<Line>> {
        let whole = raw.last() == Some(&b'\n');
        let is_object = match check_object(trim(&raw)) {
            Ok(()) => true,
            Err(_) if !whole && self.torn == Torn::SetAside => {
                diag.warn(format_args!("{}: line {}: torn last line set aside", self.name, self.number));
                return Ok(None);
            }
            Err(_) if self.lenient => false,
            Err(cause) => return Err(self.error(cause).hint("--lenient passes such lines through")),
        };
        Ok(Some(Line { raw, number: self.number, is_object }))
    }

    /// The record on `line`, if this build knows its type and version.
    pub fn known(&mut self, line: &Line, diag: &Diag) -> Result<Option<Known>> {
        let keys = line.keys();
        let (Some(kind), Some(v)) = (keys.kind, keys.v) else { return Ok(None) };
        match Known::parse(&kind, v, line.content()) {
            Ok(None) => {
                let newer = crate::record::TYPES.iter().any(|(name, _)| *name == kind);
                if newer && self.newer.insert(kind.to_string()) {
                    diag.warn(format_args!(
                        "{}: {kind} of version {v} is newer than this tool: passed on",
                        self.name
                    ));
                }
                Ok(None)
            }
            Ok(known) => Ok(known),
            Err(_) if self.lenient => Ok(None),
            Err(cause) => {
                Err(Error::cannot("reading the record stream", format!("not a valid {kind}: {cause}"))
                    .on(format!("{} line {}", self.name, line.number)))
            }
        }
    }

    fn read_raw(&mut self, raw: &mut Vec<u8>) -> Result<()> {
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.error(e)),
            };
            let end = memchr::memchr(b'\n', chunk);
            let take = end.map_or(chunk.len(), |at| at + 1);
            // The limit does not count `\r\n`, so an unfinished line may have two bytes more.
            let grows = (raw.len() + take) as u64 <= self.limit.saturating_add(2);
            if grows {
                raw.extend_from_slice(&chunk[..take]);
                self.input.consume(take);
            }
            let ended = end.is_some() || take == 0;
            if !grows || ended && trim(raw).len() as u64 > self.limit {
                return Err(self.too_long());
            }
            if ended {
                return Ok(());
            }
        }
    }

    fn too_long(&self) -> Error {
        self.error(format!("longer than {} bytes", self.limit))
            .hint("raise it with --max-line, or move the payload to a file")
    }

    fn error(&self, cause: impl std::fmt::Display) -> Error {
        Error::cannot("reading the record stream", cause).on(format!("{} line {}", self.name, self.number))
    }
}

/// Whether a line, its line feed included or not, is one JSON object.
#[must_use]
pub fn is_object(raw: &[u8]) -> bool {
    check_object(trim(raw)).is_ok()
}

pub(crate) fn trim(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// Whole-line syntax check without building a value: no recursion, no number is parsed.
fn check_object(content: &[u8]) -> std::result::Result<(), String> {
    let text = std::str::from_utf8(content).map_err(|_| "not UTF-8".to_string())?;
    if !text.trim_start_matches([' ', '\t']).starts_with('{') {
        return Err(if text.trim().is_empty() { "blank line".into() } else { "not a JSON object".into() });
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| format!("not a JSON object: column {}", e.column()))
}
