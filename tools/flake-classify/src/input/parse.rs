//! One block of lines to what the fold needs of them. Pure, and the same on every thread.
//!
//! A result, which is most of a long ledger, is read in one pass and copied nowhere: its names are places in the
//! block. Whatever is not plainly right is left to the careful reader.

use std::collections::HashSet;
use std::sync::Arc;

use lib_common::record::run::TestOutcome;
use lib_common::record::{Keys, Known, TYPES};
use lib_common::signature::normalise;
use serde::de::IgnoredAny;

use super::block::{Block, Piece};
use super::{canon, wire};
use crate::attempt::{Profile, Profiles, milliseconds};
use crate::texts;

#[derive(Debug)]
pub enum Event {
    Result {
        attempt: Piece,
        case: Piece,
        outcome: TestOutcome,
        signature: Option<Piece>,
    },
    /// The normalised text of a signature that this thread had not seen.
    Text(Box<(String, Vec<u8>)>),
    Run(Box<Run>),
    /// Any other record that the fold uses.
    Known(Known),
    /// Not an object, not valid for its type, or newer than this build: the careful reader decides.
    Doubtful {
        line: Piece,
        /// Counted from 0 in its block.
        number: u32,
    },
}

/// A `run.finished`, reduced by the thread that read it.
#[derive(Debug)]
pub struct Run {
    pub id: String,
    pub started: Option<i64>,
    pub duration_ms: u64,
    pub profile: Arc<Profile>,
    pub signature: Option<String>,
    pub cases: Vec<String>,
}

/// One for each thread.
#[derive(Debug)]
pub struct Parser {
    profiles: Profiles,
    /// Signatures whose text was handed on.
    texts: HashSet<String>,
    /// Longest line, its line feed included; the careful reader complains about a longer one.
    limit: usize,
}

impl Parser {
    pub fn new(limit: usize) -> Self {
        Self { profiles: Profiles::default(), texts: HashSet::new(), limit }
    }

    /// Fills in the block's events.
    pub fn parse(&mut self, block: &mut Block) {
        let mut events = std::mem::take(&mut block.events);
        let bytes = block.bytes();
        let whole = std::str::from_utf8(bytes).ok();
        for (number, line) in (0..).zip(block.lines()) {
            let place = Piece::of(bytes, line);
            let text = match whole {
                _ if line.len() > self.limit => None,
                Some(whole) => place.and_then(|piece| whole.get(piece.range())),
                None => std::str::from_utf8(line).ok(),
            };
            match text.map_or(Look::Doubtful, |text| self.look(bytes, text)) {
                Look::Nothing => {}
                Look::Event(event) => events.push(event),
                Look::Result(event, text) => {
                    events.extend(text.map(|text| Event::Text(Box::new(text))));
                    events.push(event);
                }
                Look::Doubtful => {
                    // A line beyond 4 GiB has no place: its beginning is as doubtful.
                    let line = place.or_else(|| Piece::of(bytes, &line[..1]));
                    events.extend(line.map(|line| Event::Doubtful { line, number }));
                }
            }
        }
        block.events = events;
    }

    fn look(&mut self, block: &[u8], line: &str) -> Look {
        const RUN: &str = r#"{"type":"run.finished","v":1,"#;
        if line.starts_with(canon::START)
            && let Some(look) = self.result(block, line)
        {
            return look;
        }
        if line.starts_with(RUN)
            && let Ok(record) = serde_json::from_str::<wire::Run>(line)
        {
            return Look::Event(self.run(&record));
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
            Ok(Some(known)) => Look::Event(Event::Known(known)),
            _ => Look::Doubtful,
        }
    }

    /// A `test.finished`: as our own tools write it, else in any form that has no escapes in its names.
    fn result(&mut self, block: &[u8], line: &str) -> Option<Look> {
        if let Some(canon::Test { attempt_id, case, outcome, message, signature }) = canon::test(line) {
            let text = self.text(signature, message.map(str::as_bytes));
            return Some(Look::Result(event(block, attempt_id, case, outcome, signature)?, text));
        }
        let wire::Test { attempt_id, case, outcome, signature, message, .. } =
            serde_json::from_str(line).ok()?;
        let text = self.text(signature.as_deref(), message.as_ref().map(|text| &text.0[..]));
        Some(Look::Result(event(block, &attempt_id, &case, outcome, signature.as_deref())?, text))
    }

    /// The normalised text of a failure, if this thread has not seen its signature.
    fn text(&mut self, signature: Option<&str>, message: Option<&[u8]>) -> Option<(String, Vec<u8>)> {
        let (signature, message) = signature.zip(message)?;
        let new = self.texts.len() < texts::KEPT && !self.texts.contains(signature);
        new.then(|| {
            self.texts.insert(signature.to_owned());
            (signature.to_owned(), normalise(message))
        })
    }

    fn run(&mut self, record: &wire::Run) -> Event {
        Event::Run(Box::new(Run {
            id: record.attempt_id.to_string(),
            started: milliseconds(&record.started),
            duration_ms: record.duration_ms,
            profile: self.profiles.of(&record.view()),
            signature: record.signature.as_deref().map(ToOwned::to_owned),
            cases: record.cases.iter().map(|case| (**case).to_owned()).collect(),
        }))
    }
}

/// `None` where a name is not in the block: it had escapes and was copied.
fn event(
    block: &[u8],
    attempt_id: &str,
    case: &str,
    outcome: TestOutcome,
    signature: Option<&str>,
) -> Option<Event> {
    let place = |name: &str| Piece::of(block, name.as_bytes());
    let signature = match signature {
        Some(name) => Some(place(name)?),
        None => None,
    };
    Some(Event::Result { attempt: place(attempt_id)?, case: place(case)?, outcome, signature })
}

enum Look {
    Nothing,
    Event(Event),
    Result(Event, Option<(String, Vec<u8>)>),
    Doubtful,
}
