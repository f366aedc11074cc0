//! The log file of a container on this machine: read only, its rotations followed.
//!
//! Ten times faster than asking the engine, and a file that is open stays readable after its container is
//! removed. `json-file` and `local` rename the file when it is full and start another one; older ones carry a
//! number, and `.gz` where they are compressed. A file is known again by its inode or by its first record.

pub mod json;
pub mod local;
mod rotated;
mod source;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use source::{Source, identity};

use super::line::Entry;

const BLOCK: usize = 256 * 1024;
/// A record that is longer is damaged.
const LONGEST: usize = 2 << 20;
/// How many files `local` keeps where nothing else is said.
const LOCAL_KEEPS: usize = 5;
/// By how much the file system's clock may be behind that of records: one tick, in nanoseconds.
const CLOCK: i64 = 10_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Local,
}

/// Why reading ended before what is there now was read.
#[derive(Debug)]
pub enum Stopped {
    Deadline,
    Failed(String),
}

/// A container's log file, and how far it was read.
pub struct Tail {
    path: PathBuf,
    kind: Kind,
    source: Option<Source>,
    /// Read, but not a whole record yet.
    rest: Vec<u8>,
    /// Records that could not be understood.
    pub damaged: u64,
    /// Where something may be missing.
    pub lost: Option<&'static str>,
    /// How many files the driver keeps, where that is known.
    keeps: Option<usize>,
    beginning: Beginning,
}

/// What is known of the oldest file that was there when the log was read first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Unread,
    /// Made at this time; its first record says whether a rotation made it.
    Made(i64),
    Settled,
}

impl Tail {
    /// The log of a container of the engine whose data lies in `root`; `None` where there is no file that can
    /// be read: another driver, another machine, no permission.
    #[must_use]
    pub fn find(root: &Path, container: &str) -> Option<Self> {
        if container.is_empty() || !container.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let folder = root.join("containers").join(container);
        let files = [
            (folder.join(format!("{container}-json.log")), Kind::Json),
            (folder.join("local-logs/container.log"), Kind::Local),
        ];
        let (path, kind) = files.into_iter().find(|(path, _)| fs::File::open(path).is_ok())?;
        let host: Option<serde_json::Value> =
            fs::read(folder.join("hostconfig.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let keeps =
            host.as_ref().and_then(|host| host["LogConfig"]["Config"]["max-file"].as_str()?.parse().ok());
        Some(Self { keeps: keeps.or((kind == Kind::Local).then_some(LOCAL_KEEPS)), ..Self::new(path, kind) })
    }

    #[must_use]
    pub fn new(path: PathBuf, kind: Kind) -> Self {
        Self {
            path,
            kind,
            source: None,
            rest: Vec::new(),
            damaged: 0,
            lost: None,
            keeps: None,
            beginning: Beginning::Unread,
        }
    }

    /// Reads everything that is there now, rotated files first.
    pub fn read(&mut self, deadline: Option<Instant>, on: &mut dyn FnMut(Entry)) -> Result<(), Stopped> {
        if self.source.is_none() {
            let (older, current) = rotated::all(&self.path, self.kind).map_err(failed)?;
            self.begin(older.first().unwrap_or(&current), older.len() + 1);
            for file in older {
                self.change_to(file);
                self.rest_of_file(deadline, on)?;
            }
            self.change_to(current);
        }
        if let Some(source) = &mut self.source {
            source.reopen(&self.path).map_err(failed)?;
        }
        self.notice_truncation().map_err(failed)?;
        self.rest_of_file(deadline, on)?;
        while self.was_rotated() {
            // It was renamed after its last record was written.
            self.rest_of_file(deadline, on)?;
            let Some(source) = &self.source else { break };
            let Some((newer, lost)) = rotated::after(&self.path, source, self.kind).map_err(failed)? else {
                break;
            };
            if lost {
                self.lost = Some("rotated faster than it was read: lines may be missing");
            }
            for file in newer {
                self.change_to(file);
                self.rest_of_file(deadline, on)?;
            }
        }
        // It may rest for hours.
        self.rest.shrink_to_fit();
        Ok(())
    }

    /// Says what it can of the beginning, before the oldest file of so many is read.
    fn begin(&mut self, oldest: &Source, files: usize) {
        self.beginning = match oldest.born {
            Some(born) => Beginning::Made(born),
            // A compressed file is younger than its records. If there are as many files as are kept, a further one may
            // have been removed.
            None if files > 1 && self.keeps.is_some_and(|keeps| files >= keeps) => {
                self.lost = Some("as many files as the driver keeps: older lines may have been rotated away");
                Beginning::Settled
            }
            None => Beginning::Settled,
        };
    }

    /// The log ended: half a record is no record.
    pub fn finish(&mut self) {
        self.drop_rest();
        if let Some(source) = &mut self.source {
            source.close();
        }
    }

    fn drop_rest(&mut self) {
        if !self.rest.is_empty() {
            self.damaged += 1;
            self.rest.clear();
        }
    }

    fn change_to(&mut self, file: Source) {
        self.drop_rest();
        self.source = Some(file);
    }

    fn was_rotated(&self) -> bool {
        let ours = self.source.as_ref().and_then(|source| source.inode);
        fs::metadata(&self.path).is_ok_and(|now| Some(now.ino()) != ours)
    }

    /// A file that was emptied in place (`max-file` 1, or by hand) starts again.
    fn notice_truncation(&mut self) -> io::Result<()> {
        let Some(source) = &mut self.source else { return Ok(()) };
        if source.was_truncated()? {
            source.rewind()?;
            self.rest.clear();
            self.lost = Some("emptied while it was read: lines may be missing");
        }
        Ok(())
    }

    fn rest_of_file(&mut self, deadline: Option<Instant>, on: &mut dyn FnMut(Entry)) -> Result<(), Stopped> {
        let Some(source) = &mut self.source else { return Ok(()) };
        // A writer that is faster than we are must not keep us for ever.
        let mut left = source.left().map_err(failed)?;
        let mut text = Vec::new();
        while left > 0 {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Stopped::Deadline);
            }
            let before = self.rest.len();
            self.rest.resize(before + BLOCK.min(usize::try_from(left).unwrap_or(BLOCK)), 0);
            let read = source.reader().read(&mut self.rest[before..]);
            let read = read.inspect_err(|_| self.rest.truncate(before)).map_err(failed)?;
            self.rest.truncate(before + read);
            if read == 0 {
                break;
            }
            source.read += read as u64;
            left -= read as u64;
            if source.identity.is_none() {
                source.identity = identity(self.kind, &self.rest);
            }
            let (beginning, lost) = (&mut self.beginning, &mut self.lost);
            let mut on = |entry: Entry| {
                // A rotation makes a file for a record that is there already; the first file is made before its
                // container starts.
                if let Beginning::Made(born) = *beginning {
                    *beginning = Beginning::Settled;
                    if entry.at <= born + CLOCK {
                        *lost =
                            Some("its oldest file was begun by a rotation: older lines were rotated away");
                    }
                }
                on(entry);
            };
            let used = records(self.kind, &self.rest, &mut text, &mut self.damaged, &mut on)
                .map_err(Stopped::Failed)?;
            self.rest.drain(..used);
            if self.rest.len() > LONGEST {
                self.rest.clear();
                self.damaged += 1;
            }
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn failed(cause: io::Error) -> Stopped {
    Stopped::Failed(format!("log file: {cause}"))
}

/// Length of the first record of `bytes`; `None` where it is not whole.
fn size(kind: Kind, bytes: &[u8]) -> Result<Option<usize>, String> {
    match kind {
        Kind::Json => Ok(json::size(bytes)),
        Kind::Local => local::size(bytes),
    }
}

/// Hands on all whole records; returns how many bytes they are.
fn records(
    kind: Kind,
    bytes: &[u8],
    text: &mut Vec<u8>,
    damaged: &mut u64,
    on: &mut dyn FnMut(Entry),
) -> Result<usize, String> {
    let mut at = 0;
    while let Some(size) = size(kind, &bytes[at..]).map_err(|cause| format!("log file: {cause}"))? {
        let record = &bytes[at..at + size];
        let entry = if kind == Kind::Json { json::decode(record, text) } else { local::decode(record) };
        match entry {
            Some(entry) => on(entry),
            None => *damaged += 1,
        }
        at += size;
    }
    Ok(at)
}

#[cfg(test)]
mod tests;
