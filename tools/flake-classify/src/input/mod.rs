//! Reads the record stream once, in blocks of whole lines. Two threads parse them if the stream comes fast enough; the
//! calling thread folds the records and passes the lines on, in order.

mod parse;

use std::collections::HashSet;

use lib_common::blocks::{self, Arrival, Block, Blocks, Parser as _};
use lib_common::cli::Common;
use lib_common::emit::Emitter;
use lib_common::record::{Body, Known};
use lib_common::stream::{Reader, Torn};
use lib_common::{Error, Io, Result};

use crate::attempt::Facts;
use crate::fold::{self, Fold};
use parse::{Event, Parser, RunLine};

/// What errors call the stream.
const NAME: &str = "standard input";

/// Folds every record and passes every line on, byte for byte.
pub fn passing(common: &Common, io: &mut Io, emitter: &mut Emitter) -> Result<Fold> {
    read(common, io, emitter, Torn::Error)
}

/// Folds every record and passes nothing on. New records still join the investigation that was read.
pub fn only(common: &Common, io: &mut Io, emitter: &mut Emitter) -> Result<Fold> {
    read(common, io, emitter, Torn::SetAside)
}

fn read(common: &Common, io: &mut Io, emitter: &mut Emitter, torn: Torn) -> Result<Fold> {
    if io.stdin_is_terminal {
        return Err(Error::cannot("reading the record stream", "it is a terminal")
            .on(NAME)
            .hint("pipe records into it: flake-classify < ledger.jsonl"));
    }
    let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
    let mut blocks = Blocks::new(Box::new(input), NAME, common.max_line, Arrival::AsRead);
    let mut stream = Stream {
        fold: Fold::default(),
        reader: Reader::new(std::io::empty(), NAME, common, torn),
        investigation: common.investigation.clone(),
    };
    blocks::each(&mut blocks, Parser::default, |mut block| {
        let (good, outcome) = stream.take(&mut block, io);
        if torn == Torn::Error {
            write(io, &block.bytes()[..good])?;
        }
        outcome.map(|()| block)
    })?;
    *emitter = Emitter::new(stream.investigation, None);
    let mut fold = stream.fold;
    fold.finish();
    let lost = fold.without_run();
    if lost > 0 {
        io.diag.warn(format_args!("{lost} test.finished without their run.finished: not counted"));
    }
    Ok(fold)
}

struct Stream {
    fold: Fold,
    /// Checks the lines that the parser marked as doubtful, and words the errors and warnings about them.
    reader: Reader<std::io::Empty>,
    investigation: Option<String>,
}

impl Stream {
    /// Folds the events of a block. Returns how many bytes may be passed on, and the error in the line that follows
    /// them.
    fn take(&mut self, block: &mut Block<Event>, io: &Io) -> (usize, Result<()>) {
        // The events are taken out of the block, so that the block's text can be borrowed meanwhile.
        let mut events = std::mem::take(&mut block.found);
        if self.investigation.is_none() {
            self.investigation = block.raw().find_map(investigation);
        }
        for event in events.drain(..) {
            match event {
                Event::Run(run) => {
                    let RunLine { id, started, cost_ms, profile, signature, cases } = *run;
                    let facts = Facts { id: &id, started, cost_ms, profile, signature: signature.as_deref() };
                    self.fold.run(&facts, cases.iter().map(String::as_str));
                }
                Event::Result { attempt, case, outcome, signature } => self.fold.result(fold::ResultLine {
                    attempt_id: block.text(attempt),
                    case: block.text(case),
                    outcome,
                    signature: signature.map(|piece| block.text(piece)),
                }),
                Event::Text(text) => self.fold.text(&text.0, text.1),
                Event::Known(known) => self.fold.note(known),
                Event::Doubtful { line, number } => {
                    let raw = block.bytes()[line.range()].to_vec();
                    match self.careful(raw, block.first + u64::from(number), io) {
                        Ok(Some(known)) => self.fold.note(known),
                        Ok(None) => {}
                        Err(error) => return (line.range().start, Err(error)),
                    }
                }
            }
        }
        block.found = events;
        (block.bytes().len(), Ok(()))
    }

    fn careful(&mut self, raw: Vec<u8>, number: u64, io: &Io) -> Result<Option<Known>> {
        match self.reader.examine(raw, number, &io.diag)? {
            Some(line) => self.reader.known(&line, &io.diag),
            None => Ok(None),
        }
    }
}

fn investigation(line: &[u8]) -> Option<String> {
    serde_json::from_slice::<lib_common::record::Keys>(line).ok()?.investigation.map(Into::into)
}

/// Passes the lines of a block on in one write. A block is what one read brought, so that nothing is held back while
/// the next read waits.
fn write(io: &mut Io, bytes: &[u8]) -> Result<()> {
    let end: &[u8] = if bytes.last().is_none_or(|byte| *byte == b'\n') { b"" } else { b"\n" };
    io.stdout
        .write_all(bytes)
        .and_then(|()| io.stdout.write_all(end))
        .and_then(|()| io.stdout.flush())
        .map_err(|e| Error::write("standard output", &e))
}

/// Whether the record that was read equals ours. Ours is written and read back before, because that may change the last
/// digit of a float.
pub fn is_same<B: Body + PartialEq>(read: Option<&B>, ours: &B) -> bool {
    let back = serde_json::to_vec(ours).and_then(|text| serde_json::from_slice::<B>(&text));
    back.is_ok_and(|back| read == Some(&back))
}

/// For fuzzing: cuts `bytes` into blocks and parses them.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let mut blocks = Blocks::new(Box::new(bytes), NAME, 1 << 20, Arrival::AsRead);
    while let Ok(Some(mut block)) = blocks.next_block() {
        let lines = block.lines().count();
        Parser::default().parse(&mut block);
        let mut numbers = HashSet::new();
        for event in &block.found {
            if let Event::Doubtful { line, number } = event {
                assert!(line.range().end <= block.bytes().len() && (*number as usize) < lines);
                assert!(numbers.insert(*number));
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
