//! One block of lines to what the fold needs of them. Pure, and the same on every thread.
//!
//! A result, which is most of a long ledger, is read in one pass and copied nowhere: its names are places in the
//! block. Whatever is not plainly right is left to the careful reader.

use std::borrow::Cow;
use std::fmt;

use lib_common::record::run::{TestFinished, TestOutcome};
use lib_common::record::{Body, Keys, Known, TYPES};
use lib_common::text::Text;
use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use super::block::{Block, Piece};

#[derive(Debug)]
pub enum Event {
    Result {
        attempt: Piece,
        case: Piece,
        outcome: TestOutcome,
        signature: Option<Piece>,
    },
    Known(Box<Known>),
    /// Not an object, not valid for its type, or newer than this build: the careful reader decides.
    Doubtful {
        line: Piece,
        /// Counted from 0 in its block.
        number: u32,
    },
}

#[derive(Debug)]
pub struct Parsed {
    pub block: Block,
    pub events: Vec<Event>,
}

pub fn parse(block: Block) -> Parsed {
    let mut events = Vec::with_capacity(block.bytes().len() / 256);
    for (number, line) in (0..).zip(block.lines()) {
        let event = match std::str::from_utf8(line) {
            Ok(text) => look(block.bytes(), text),
            Err(_) => Look::Doubtful,
        };
        match (event, Piece::of(block.bytes(), line)) {
            (Look::Nothing, _) => {}
            (Look::Event(event), _) => events.push(event),
            (Look::Doubtful, Some(line)) => events.push(Event::Doubtful { line, number }),
            // A line beyond 4 GiB: its first part is as doubtful.
            (Look::Doubtful, None) => {
                events.extend(Piece::of(block.bytes(), &[]).map(|line| Event::Doubtful { line, number }));
            }
        }
    }
    Parsed { block, events }
}

enum Look {
    Nothing,
    Event(Event),
    Doubtful,
}

fn look(block: &[u8], line: &str) -> Look {
    const RESULT: &str = r#"{"type":"test.finished","v":1,"#;
    if line.starts_with(RESULT)
        && let Some(event) = result(block, line)
    {
        return Look::Event(event);
    }
    // A struct would be read from an array too.
    if !line.trim_start_matches([' ', '\t']).starts_with('{') {
        return Look::Doubtful;
    }
    let (kind, v) = match serde_json::from_str::<Keys>(line) {
        Ok(Keys { kind: Some(kind), v: Some(v), .. }) => (kind, v),
        Ok(_) => return Look::Nothing,
        // An object of another form, or none.
        Err(_) if serde_json::from_str::<IgnoredAny>(line).is_ok() => return Look::Nothing,
        Err(_) => return Look::Doubtful,
    };
    if !TYPES.iter().any(|(name, _)| *name == kind) {
        return Look::Nothing;
    }
    match Known::parse(&kind, v, line.as_bytes()) {
        Ok(Some(known)) => Look::Event(Event::Known(Box::new(known))),
        _ => Look::Doubtful,
    }
}

/// A `test.finished` without escapes in its names.
fn result(block: &[u8], line: &str) -> Option<Event> {
    let Wire { attempt_id, case, outcome, signature, .. } = serde_json::from_str(line).ok()?;
    let place = |Name(name): &Name| match name {
        Cow::Borrowed(name) => Piece::of(block, name.as_bytes()),
        Cow::Owned(_) => None,
    };
    let signature = match &signature {
        Some(name) => Some(place(name)?),
        None => None,
    };
    Some(Event::Result { attempt: place(&attempt_id)?, case: place(&case)?, outcome, signature })
}

/// [`TestFinished`] as it lies in the line: the rest must be there and of its form, though no verdict uses it.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    attempt_id: Name<'a>,
    #[serde(borrow)]
    case: Name<'a>,
    outcome: TestOutcome,
    #[serde(borrow, default)]
    signature: Option<Name<'a>>,
    #[serde(borrow, rename = "recipe")]
    _recipe: Name<'a>,
    #[serde(borrow, rename = "test")]
    _test: Name<'a>,
    #[serde(rename = "duration_ms")]
    _duration_ms: u64,
    #[serde(rename = "message", default)]
    _message: Option<Text>,
}

/// Borrowed wherever the text has no escapes; serde's own `Option<Cow>` is always a copy.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsName;
        impl<'de> Visitor<'de> for AsName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(AsName)
    }
}

const _: () = assert!(TestFinished::V == 1, "the fast path reads version 1");
