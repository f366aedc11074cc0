//! Reads every line of every ledger once, and folds known records as they come. A stream that is passed on is read line
//! by line, every other one in blocks, which two threads parse.

mod parse;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use lib_common::blocks::{self, Arrival, Block, Blocks};
use lib_common::cli::Common;
use lib_common::diag::Diag;
use lib_common::record::{Head, Known};
use lib_common::stream::{Line, Reader, Torn};
use lib_common::{Error, Io, Result};

use crate::fold::Fold;
use crate::order::{Order, Ordered};
use crate::runs;
use crate::state::journal;
use parse::{Parsed, Parser};

/// Everything that was read. It does not depend on the order in which the lines were read.
#[derive(Debug, Default)]
pub struct Input {
    pub fold: Fold,
    /// Hash that identifies the ledger's content; see `ledger_hash`.
    pub hash: String,
    /// Every line as it was read, for `--recheck`; else empty.
    pub raw: Vec<u8>,
    /// A line for each thing that happened, oldest first, for `--state-dir`; else empty.
    pub journal: Vec<String>,
    /// The investigation of the first record that was read. A review that is appended belongs to it.
    pub investigation: Option<String>,
}

/// What is kept besides the fold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The bytes, for `--recheck`.
    pub raw: bool,
    /// The journal, for `--state-dir`.
    pub journal: bool,
}

/// What errors call standard input.
const STANDARD: &str = "standard input";

/// Takes lines; [`Gather::finish`] returns what they amount to.
pub struct Gather {
    fold: Fold,
    hashes: Vec<[u8; 32]>,
    investigation: Option<String>,
    raw: Option<Vec<u8>>,
    journal: Option<Ordered<String>>,
}

impl Gather {
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self {
            fold: Fold::default(),
            hashes: Vec::new(),
            investigation: None,
            raw: keep.raw.then(Vec::new),
            journal: keep.journal.then(Ordered::default),
        }
    }

    /// Reads one stream to its end. Each line is given to `pass` before it is parsed.
    pub fn read(
        &mut self,
        mut reader: Reader<impl BufRead>,
        name: &str,
        diag: &Diag,
        mut pass: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while let Some(line) = reader.next_line(diag)? {
            pass(&line.raw)?;
            let known = reader.known(&line, diag)?;
            self.add(&line, known, name)?;
        }
        Ok(())
    }

    fn add(&mut self, line: &Line, known: Option<Known>, name: &str) -> Result<()> {
        let content = line.content();
        self.keep(line);
        let hash = blake3::hash(content);
        if let Some(body) = known {
            let head: Head = serde_json::from_slice(content).map_err(|e| {
                Error::cannot("reading the record stream", format!("not a whole head: {e}"))
                    .on(format!("{name} line {}", line.number))
            })?;
            let order = Order::new(&head.ts, &hash);
            self.record(*hash.as_bytes(), order, &head.ts, body);
        } else {
            self.hashes.push(*hash.as_bytes());
        }
        Ok(())
    }

    fn record(&mut self, hash: [u8; 32], order: Order, ts: &str, body: Known) {
        // A review records the hash of the ledger that was reviewed, so it must not change that hash itself.
        if !matches!(body, Known::ReviewRecorded(_)) {
            self.hashes.push(hash);
        }
        if let Some(journal) = &mut self.journal
            && let Some(told) = journal::line(ts, &body)
        {
            journal.insert(order, told);
        }
        self.fold.add(order, ts, body);
    }

    /// Reads one stream to its end, in blocks.
    pub fn read_blocks(
        &mut self,
        input: impl Read,
        name: &str,
        common: &Common,
        torn: Torn,
        diag: &Diag,
    ) -> Result<()> {
        // Checks the lines that the parser marked as doubtful.
        let mut reader = Reader::new(std::io::empty(), name, common, torn);
        let mut blocks = Blocks::new(Box::new(input), name, common.max_line, Arrival::Full);
        blocks::each(&mut blocks, Parser::default, |mut block| {
            self.block(&mut block, &mut reader, name, diag)?;
            Ok(block)
        })
    }

    fn block(
        &mut self,
        block: &mut Block<Parsed>,
        reader: &mut Reader<std::io::Empty>,
        name: &str,
        diag: &Diag,
    ) -> Result<()> {
        // Taken out of the block, so that the block's text can be borrowed meanwhile.
        let mut found = std::mem::take(&mut block.found);
        for (parsed, (number, raw)) in found.drain(..).zip((block.first..).zip(block.raw())) {
            let doubtful = matches!(parsed, Parsed::Doubtful);
            if !doubtful && (self.raw.is_some() || self.investigation.is_none()) {
                self.keep(&Line { raw: raw.to_vec(), number, is_object: true });
            }
            match parsed {
                Parsed::Other(hash) => self.hashes.push(hash),
                Parsed::Known(hash, order, head, body) => self.record(hash, order, &head.ts, body),
                Parsed::Test(hash, test) => {
                    self.hashes.push(hash);
                    let (attempt, case) = (block.text(test.attempt), block.text(test.case));
                    let result =
                        runs::TestResult { attempt, case, outcome: test.outcome, message: test.message };
                    self.fold.tested(block.text(test.ts), result);
                }
                Parsed::Doubtful => {
                    if let Some(line) = reader.examine(raw.to_vec(), number, diag)? {
                        let known = reader.known(&line, diag)?;
                        self.add(&line, known, name)?;
                    }
                }
            }
        }
        block.found = found;
        Ok(())
    }

    fn keep(&mut self, line: &Line) {
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(line.content());
            raw.push(b'\n');
        }
        if self.investigation.is_none() {
            self.investigation = line.keys().investigation.map(Into::into);
        }
    }

    #[must_use]
    pub fn finish(self) -> Input {
        Input {
            fold: self.fold,
            hash: ledger_hash(self.hashes),
            raw: self.raw.unwrap_or_default(),
            journal: self.journal.map(Ordered::into_values).unwrap_or_default(),
            investigation: self.investigation,
        }
    }
}

/// For tests: reads `text` in blocks, and line by line.
#[doc(hidden)]
pub fn both_ways(text: &[u8], lenient: bool) -> [Result<Input>; 2] {
    let common = Common { max_line: 1 << 20, lenient, ..Common::default() };
    let diag = Diag::to_writer("redfix-report", Box::new(std::io::sink()));
    let keep = Keep { raw: true, journal: true };
    let (mut blocks, mut lines) = (Gather::new(keep), Gather::new(keep));
    let reader = Reader::new(text, "test", &common, Torn::SetAside);
    let read = lines.read(reader, "test", &diag, |_| Ok(()));
    [
        blocks.read_blocks(text, "test", &common, Torn::SetAside, &diag).map(|()| blocks.finish()),
        read.map(|()| lines.finish()),
    ]
}

/// BLAKE3 of the sorted, distinct BLAKE3s (hex, one a line) of all lines that are not reviews. It does not depend on
/// the order of the lines, nor on how often a line is there.
fn ledger_hash(mut lines: Vec<[u8; 32]>) -> String {
    lines.sort_unstable();
    lines.dedup();
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(blake3::Hash::from_bytes(line).to_hex().as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Reads the operands in order. Without one, and for `-`, it reads standard input, and copies that to standard output
/// if `pass_through`.
pub fn read(
    files: &[PathBuf],
    common: &Common,
    io: &mut Io,
    keep: Keep,
    pass_through: bool,
) -> Result<Input> {
    let mut gather = Gather::new(keep);
    let standard = [PathBuf::from("-")];
    for file in if files.is_empty() { &standard } else { files } {
        if file == Path::new("-") {
            read_stdin(&mut gather, common, io, pass_through)?;
        } else {
            let open =
                File::open(file).map_err(|e| Error::cannot("opening the ledger", e).on(file.display()))?;
            let name = file.display().to_string();
            gather.read_blocks(open, &name, common, Torn::SetAside, &io.diag)?;
        }
    }
    Ok(gather.finish())
}

fn read_stdin(gather: &mut Gather, common: &Common, io: &mut Io, pass_through: bool) -> Result<()> {
    if io.stdin_is_terminal {
        return Err(Error::cannot("reading the record stream", "standard input is a terminal")
            .hint("name a ledger, or pipe records in"));
    }
    let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty().take(0)));
    let (stdout, diag) = (&mut io.stdout, &io.diag);
    if !pass_through {
        return gather.read_blocks(input, STANDARD, common, Torn::Error, diag);
    }
    gather.read(Reader::new(input, STANDARD, common, Torn::Error), STANDARD, diag, |raw| {
        let feed: &[u8] = if raw.ends_with(b"\n") { b"" } else { b"\n" };
        stdout
            .write_all(&[raw, feed].concat())
            .and_then(|()| stdout.flush())
            .map_err(|e| Error::write("standard output", &e))
    })
}
