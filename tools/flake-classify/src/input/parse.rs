//! Parses a block of lines into events for the fold. Pure, and the same on every thread.
//!
//! Most of a long ledger are results. Their names are not copied, but kept as places in the block.

use std::collections::HashSet;
use std::sync::Arc;

use lib_common::blocks::{self, Block, Piece};
use lib_common::record::run::{RunFinished, TestOutcome};
use lib_common::record::{Content, Known, TestLine, parse_line};
use lib_common::signature::normalise;

use crate::attempt::{Profile, Profiles, View, milliseconds};
use crate::texts;

#[derive(Debug)]
pub enum Event {
    Result {
        attempt: Piece,
        case: Piece,
        outcome: TestOutcome,
        signature: Option<Piece>,
    },
    /// A signature that this thread had not seen, and the normalised text behind it.
    Text(Box<(String, Vec<u8>)>),
    Run(Box<RunLine>),
    /// Any other record that the fold uses.
    Known(Known),
    /// A line that is not an object, not valid for its type, or newer than this build. [`super::Stream`] has it
    /// checked.
    Doubtful {
        line: Piece,
        /// Number of the line, counted from 0 in its block.
        number: u32,
    },
}

/// A `run.finished`, reduced to what the fold needs by the thread that parsed it.
#[derive(Debug)]
pub struct RunLine {
    pub id: String,
    pub started: Option<i64>,
    pub cost_ms: u64,
    pub profile: Arc<Profile>,
    pub signature: Option<String>,
    pub cases: Vec<String>,
}

/// The parser of one thread.
#[derive(Debug, Default)]
pub struct Parser {
    profiles: Profiles,
    /// Signatures whose text this thread has handed on.
    texts: HashSet<String>,
}

impl blocks::Parser for Parser {
    type Found = Event;

    fn parse(&mut self, block: &mut Block<Event>) {
        let mut events = std::mem::take(&mut block.found);
        let bytes = block.bytes();
        for (number, (raw, text)) in (0..).zip(block.lines()) {
            let found = match text.map_or(Content::Doubtful, parse_line) {
                Content::Other => continue,
                Content::Test(test) => {
                    events.extend(self.text(&test).map(Event::Text));
                    event(bytes, &test)
                }
                Content::Known(Known::RunFinished(run)) => Some(self.run(&run)),
                Content::Known(known) => Some(Event::Known(known)),
                Content::Doubtful => None,
            };
            events.extend(found.or_else(|| {
                // A line beyond 4 GiB has no place. Its first byte stands for it: that is doubtful as well.
                let place = Piece::of(bytes, raw).or_else(|| Piece::of(bytes, &raw[..1]));
                place.map(|line| Event::Doubtful { line, number })
            }));
        }
        block.found = events;
    }
}

impl Parser {
    /// The normalised text of a failure, if this thread has not seen its signature.
    fn text(&mut self, test: &TestLine) -> Option<Box<(String, Vec<u8>)>> {
        let (signature, message) = test.signature.zip(test.message)?;
        let new = self.texts.len() < texts::KEPT && !self.texts.contains(signature);
        new.then(|| {
            self.texts.insert(signature.to_owned());
            Box::new((signature.to_owned(), normalise(message.as_bytes())))
        })
    }

    fn run(&mut self, record: &RunFinished) -> Event {
        Event::Run(Box::new(RunLine {
            id: record.attempt_id.clone(),
            started: milliseconds(&record.started),
            cost_ms: record.duration_ms.saturating_add(record.cleanup.duration_ms),
            profile: self.profiles.of(&View::of(record)),
            signature: record.signature.clone(),
            cases: record.cases.clone(),
        }))
    }
}

/// The event of a result; `None` for a line beyond 4 GiB, in which there are no places.
fn event(block: &[u8], test: &TestLine) -> Option<Event> {
    let place = |name: &str| Piece::of(block, name.as_bytes());
    let signature = match test.signature {
        Some(name) => Some(place(name)?),
        None => None,
    };
    Some(Event::Result {
        attempt: place(test.attempt_id)?,
        case: place(test.case)?,
        outcome: test.outcome,
        signature,
    })
}
