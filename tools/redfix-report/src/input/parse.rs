//! Parsing a block of whole lines: each line once, whatever it is. Pure.

use std::ops::Range;

use lib_common::record::run::{TestFinished, TestOutcome};
use lib_common::record::{Body, Head, Keys, Known, TYPES};
use lib_common::text::Text;
use memchr::memchr_iter;
use serde::Deserialize;

use crate::order::Order;

/// Whole lines; only the last one of a stream may lack its line feed.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    /// One for each line, once it was parsed.
    pub lines: Vec<Parsed>,
}

/// What a line is.
#[derive(Debug)]
pub enum Parsed {
    /// No record of ours.
    Other([u8; 32]),
    Known([u8; 32], Order, Head, Known),
    Test([u8; 32], Test),
    /// To be read in the careful way, which words every complaint.
    Doubtful,
}

/// A `test.finished`, most of any ledger; its names are places in the block.
#[derive(Debug)]
pub struct Test {
    pub ts: Range<usize>,
    pub attempt: Range<usize>,
    pub case: Range<usize>,
    pub outcome: TestOutcome,
    pub message: Option<Text>,
}

/// [`Head`] and [`TestFinished`] as they lie in one line. All of it must be there and of its form, though the
/// report does not use it; a name with an escape in it is not, and takes the long way.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    v: u32,
    ts: &'a str,
    #[serde(rename = "investigation")]
    _investigation: &'a str,
    #[serde(rename = "tool")]
    _tool: &'a str,
    attempt_id: &'a str,
    case: &'a str,
    #[serde(rename = "recipe")]
    _recipe: &'a str,
    #[serde(rename = "test")]
    _test: &'a str,
    outcome: TestOutcome,
    #[serde(rename = "duration_ms")]
    _duration_ms: u64,
    #[serde(default)]
    message: Option<Text>,
    #[serde(rename = "signature", borrow, default)]
    _signature: Option<&'a str>,
}

const _: () = assert!(TestFinished::V == 1, "the short way reads version 1");

impl Block {
    /// Parses every line; one longer than `limit` is doubtful.
    pub fn parse(&mut self, limit: usize) {
        let bytes = &self.bytes;
        self.lines = places(bytes).map(|place| line(bytes, place, limit)).collect();
    }

    pub fn text(&self, place: &Range<usize>) -> &str {
        self.bytes.get(place.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The lines with their line feeds.
    pub fn raw(&self) -> impl Iterator<Item = &[u8]> {
        places(&self.bytes).map(|place| &self.bytes[place])
    }
}

fn places(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let rest = (!bytes.is_empty() && bytes.last() != Some(&b'\n')).then_some(bytes.len());
    let ends = memchr_iter(b'\n', bytes).map(|at| at + 1).chain(rest);
    ends.map(move |end| std::mem::replace(&mut start, end)..end)
}

fn line(block: &[u8], place: Range<usize>, limit: usize) -> Parsed {
    let raw = &block[place];
    let content = raw.strip_suffix(b"\n").unwrap_or(raw);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let Ok(text) = std::str::from_utf8(content) else { return Parsed::Doubtful };
    if content.len() > limit {
        return Parsed::Doubtful;
    }
    let hash = || *blake3::hash(content).as_bytes();
    if text.starts_with(r#"{"type":"test.finished","#)
        && let Some(test) = test(block, text)
    {
        return Parsed::Test(hash(), test);
    }
    // A struct would be read from an array too.
    if !text.trim_start_matches([' ', '\t']).starts_with('{') {
        return Parsed::Doubtful;
    }
    let (kind, v) = match serde_json::from_str::<Keys>(text) {
        Ok(Keys { kind: Some(kind), v: Some(v), .. }) => (kind, v),
        Ok(_) => return Parsed::Other(hash()),
        Err(_) => return Parsed::Doubtful,
    };
    if !TYPES.iter().any(|(name, _)| *name == kind) {
        return Parsed::Other(hash());
    }
    match (Known::parse(&kind, v, content), serde_json::from_str::<Head>(text)) {
        (Ok(Some(known)), Ok(head)) => {
            let hash = blake3::hash(content);
            Parsed::Known(*hash.as_bytes(), Order::new(&head.ts, &hash), head, known)
        }
        _ => Parsed::Doubtful,
    }
}

fn test(block: &[u8], text: &str) -> Option<Test> {
    let wire: Wire = serde_json::from_str(text).ok()?;
    if (wire.kind, wire.v) != (TestFinished::TYPE, TestFinished::V) {
        return None;
    }
    let place = |part: &str| {
        let at = (part.as_ptr() as usize).checked_sub(block.as_ptr() as usize)?;
        block.get(at..at.checked_add(part.len())?).map(|_| at..at + part.len())
    };
    Some(Test {
        ts: place(wire.ts)?,
        attempt: place(wire.attempt_id)?,
        case: place(wire.case)?,
        outcome: wire.outcome,
        message: wire.message,
    })
}
