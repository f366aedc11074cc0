//! Reads the log files of a container on this machine, and follows their rotations. It never writes to them.
//!
//! This is ten times faster than asking the engine, and an open file stays readable after its container is removed.
//! When the log file is full, the drivers `json-file` and `local` rename it and start a new one; older files carry a
//! number, and `.gz` if they are compressed. A file is recognised after that by its inode or by its first record.

pub mod json;
pub mod local;
mod log_file;
mod rotated;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use log_file::{LogFile, identity};

use super::line::TimedPiece;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// Longest record. A longer one is counted as damaged.
const LONGEST: usize = 2 << 20;
/// How many files `local` keeps where nothing else is said.
const LOCAL_KEEPS: usize = 5;
/// By how much the file system's clock may be behind that of records: one tick, in nanoseconds.
const CLOCK: i64 = 10_000_000;

/// The log drivers whose files can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    Json,
    Local,
}

/// Why reading ended before the end of the file.
#[derive(Debug)]
pub enum Stopped {
    Deadline,
    Failed(String),
}

/// The log of a container as a sequence of files, and how far it was read.
pub struct Tail {
    path: PathBuf,
    driver: Driver,
    source: Option<LogFile>,
    /// Bytes that were read and that are not a complete record yet.
    rest: Vec<u8>,
    /// Number of records that could not be decoded.
    pub damaged: u64,
    /// Why lines may be missing, if so.
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
    /// Finds the log of a container of the engine whose data lies in `root`. It is `None` if there is no readable file:
    /// the container has another log driver, or is on another machine, or this process may not read the file.
    #[must_use]
    pub fn find(root: &Path, container: &str) -> Option<Self> {
        if container.is_empty() || !container.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let folder = root.join("containers").join(container);
        let files = [
            (folder.join(format!("{container}-json.log")), Driver::Json),
            (folder.join("local-logs/container.log"), Driver::Local),
        ];
        let (path, driver) = files.into_iter().find(|(path, _)| fs::File::open(path).is_ok())?;
        let host: Option<serde_json::Value> =
            fs::read(folder.join("hostconfig.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let keeps =
            host.as_ref().and_then(|host| host["LogConfig"]["Config"]["max-file"].as_str()?.parse().ok());
        Some(Self {
            keeps: keeps.or((driver == Driver::Local).then_some(LOCAL_KEEPS)),
            ..Self::new(path, driver)
        })
    }

    #[must_use]
    pub fn new(path: PathBuf, driver: Driver) -> Self {
        Self {
            path,
            driver,
            source: None,
            rest: Vec::new(),
            damaged: 0,
            lost: None,
            keeps: None,
            beginning: Beginning::Unread,
        }
    }

    /// Reads everything that is in the files now, the rotated ones first.
    pub fn read(&mut self, deadline: Option<Instant>, on: &mut dyn FnMut(TimedPiece)) -> Result<(), Stopped> {
        if self.source.is_none() {
            let (older, current) = rotated::all(&self.path, self.driver).map_err(failed)?;
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
            // The driver renames a file only after its last record, so what is read now is its complete rest.
            self.rest_of_file(deadline, on)?;
            let Some(source) = &self.source else { break };
            let Some((newer, lost)) = rotated::after(&self.path, source, self.driver).map_err(failed)? else {
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
        // The next reading may be hours away: keep no spare memory until then.
        self.rest.shrink_to_fit();
        Ok(())
    }

    /// Says what it can of the beginning, before the oldest file of so many is read.
    fn begin(&mut self, oldest: &LogFile, files: usize) {
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

    fn change_to(&mut self, file: LogFile) {
        self.drop_rest();
        self.source = Some(file);
    }

    fn was_rotated(&self) -> bool {
        let ours = self.source.as_ref().and_then(|source| source.inode);
        fs::metadata(&self.path).is_ok_and(|now| Some(now.ino()) != ours)
    }

    /// Starts again with a file that was emptied in place, by the driver (`max-file` 1) or by hand.
    fn notice_truncation(&mut self) -> io::Result<()> {
        let Some(source) = &mut self.source else { return Ok(()) };
        if source.was_truncated()? {
            source.rewind()?;
            self.rest.clear();
            self.lost = Some("emptied while it was read: lines may be missing");
        }
        Ok(())
    }

    fn rest_of_file(
        &mut self,
        deadline: Option<Instant>,
        on: &mut dyn FnMut(TimedPiece),
    ) -> Result<(), Stopped> {
        let Some(source) = &mut self.source else { return Ok(()) };
        // Only what is in the file now is read: with a container that writes faster than we read, reading to the end of
        // the file would never end.
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
                source.identity = identity(self.driver, &self.rest);
            }
            let (beginning, lost) = (&mut self.beginning, &mut self.lost);
            let mut on = |entry: TimedPiece| {
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
            let used = records(self.driver, &self.rest, &mut text, &mut self.damaged, &mut on)
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

#[allow(clippy::needless_pass_by_value)] // `map_err` passes the error by value
fn failed(cause: io::Error) -> Stopped {
    Stopped::Failed(format!("log file: {cause}"))
}

/// Length of the first record of `bytes`; `None` if it is not complete.
fn size(driver: Driver, bytes: &[u8]) -> Result<Option<usize>, String> {
    match driver {
        Driver::Json => Ok(json::size(bytes)),
        Driver::Local => local::size(bytes),
    }
}

/// Decodes all complete records and hands them to `on`. Returns how many bytes they take.
fn records(
    driver: Driver,
    bytes: &[u8],
    text: &mut Vec<u8>,
    damaged: &mut u64,
    on: &mut dyn FnMut(TimedPiece),
) -> Result<usize, String> {
    let mut at = 0;
    while let Some(size) = size(driver, &bytes[at..]).map_err(|cause| format!("log file: {cause}"))? {
        let record = &bytes[at..at + size];
        let entry = if driver == Driver::Json { json::decode(record, text) } else { local::decode(record) };
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
