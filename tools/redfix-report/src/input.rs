//! Reading: every line of every ledger once, known records folded as they come.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use lib_common::cli::Common;
use lib_common::diag::Diag;
use lib_common::record::{Head, Known};
use lib_common::stream::{Line, Reader, Torn};
use lib_common::{Error, Io, Result};

use crate::fold::Fold;
use crate::order::{Order, Ordered};
use crate::state::journal;

/// Everything that was read, in one order that does not depend on the order of reading.
#[derive(Debug, Default)]
pub struct Input {
    pub fold: Fold,
    /// Names the ledger's content; see `ledger_hash`.
    pub hash: String,
    /// Every line as it was read, where somebody else is to read it again.
    pub raw: Vec<u8>,
    /// A line of the journal for each thing that happened, oldest first, where it is kept.
    pub journal: Vec<String>,
    /// The investigation of the oldest record, which new records of ours join.
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

/// Takes lines in; [`Gather::finish`] names what they were.
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

    /// Reads one stream to its end; each line goes to `pass` before it is looked at.
    pub fn read(
        &mut self,
        mut reader: Reader<impl std::io::BufRead>,
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
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(content);
            raw.push(b'\n');
        }
        let hash = blake3::hash(content);
        // A review names the ledger that it saw, so it must not change that ledger's name.
        if !matches!(known, Some(Known::ReviewRecorded(_))) {
            self.hashes.push(*hash.as_bytes());
        }
        if self.investigation.is_none() {
            self.investigation = line.keys().investigation.map(Into::into);
        }
        if let Some(body) = known {
            let head: Head = serde_json::from_slice(content).map_err(|e| {
                Error::cannot("reading the record stream", format!("not a whole head: {e}"))
                    .on(format!("{name} line {}", line.number))
            })?;
            let order = Order::new(&head.ts, &hash);
            if let Some(journal) = &mut self.journal
                && let Some(told) = journal::line(&head.ts, &body)
            {
                journal.insert(order, told);
            }
            self.fold.add(order, &head.ts, body);
        }
        Ok(())
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

/// BLAKE3 of the sorted, distinct BLAKE3s (hex, one a line) of all lines that are not reviews: the same for
/// the same content, however often and in whatever order it was written down.
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

/// Reads the operands in order; none or `-` is standard input, which is copied through if `pass_through`.
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
            let input = BufReader::with_capacity(256 * 1024, open);
            let name = file.display().to_string();
            let reader = Reader::new(input, &name, common, Torn::SetAside);
            gather.read(reader, &name, &io.diag, |_| Ok(()))?;
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
    let reader = Reader::new(input, "standard input", common, Torn::Error);
    let (stdout, diag) = (&mut io.stdout, &io.diag);
    gather.read(reader, "standard input", diag, |raw| {
        if !pass_through {
            return Ok(());
        }
        let feed: &[u8] = if raw.ends_with(b"\n") { b"" } else { b"\n" };
        stdout
            .write_all(&[raw, feed].concat())
            .and_then(|()| stdout.flush())
            .map_err(|e| Error::write("standard output", &e))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = r#"{"type":"review.recorded","v":1,"ts":"2026-01-01T00:00:03.000Z","investigation":"I","tool":"t/1","reviewer":"a","gate":"M1","ledger":"x","pass":true}"#;
    const OTHER: &str = r#"{"type":"x.y","n":1.10}"#;

    fn gather(text: &str) -> Input {
        let common = Common { max_line: 1 << 20, ..Common::default() };
        let diag = Diag::to_writer("redfix-report", Box::new(std::io::sink()));
        let mut gather = Gather::new(Keep { raw: true, journal: true });
        let reader = Reader::new(text.as_bytes(), "test", &common, Torn::Error);
        gather.read(reader, "test", &diag, |_| Ok(())).unwrap();
        gather.finish()
    }

    #[test]
    fn neither_order_nor_repetition_nor_a_review_changes_the_hash() {
        let hash = gather(&format!("{OTHER}\n{{}}\n")).hash;
        assert_eq!(hash, gather(&format!("{{}}\n{OTHER}\n{{}}\r\n{REVIEW}\n")).hash);
        assert_ne!(hash, gather(&format!("{OTHER}\n")).hash);
    }

    #[test]
    fn raw_lines_are_kept_as_they_came() {
        assert_eq!(gather(&format!("{OTHER}\n{REVIEW}")).raw, format!("{OTHER}\n{REVIEW}\n").as_bytes());
        assert_eq!(gather(OTHER).fold.cases().count(), 0);
        assert_eq!(gather(REVIEW).journal.len(), 1);
    }
}
