//! The ledger file: it has every record on disk before a later tool of the pipe sees the record.
//!
//! Several tools of one pipe may share one ledger. Each append takes the file's lock, reads what others appended
//! since, skips a line that is there already, and ends with an fsync. If a writer died within a line, the next one
//! moves the torn line to `FILE.torn`, so that it is never silently dropped.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::diag::Diag;
use crate::error::{Error, Result};

pub struct Ledger {
    path: PathBuf,
    file: File,
    /// Length of the beginning of the file whose lines are in `seen`.
    known: u64,
    /// Keys of the lines that the file has.
    seen: HashSet<[u8; 16]>,
}

impl Ledger {
    /// Opens or creates the ledger and its folder, and sets a torn last line aside. Only their owner may read them
    /// (modes 0600 and 0700), because records quote logs and test output.
    pub fn open(path: &Path, diag: &Diag) -> Result<Self> {
        let fail = |e: io::Error| Error::cannot("opening the ledger", e).on(path.display());
        make_private_dir(folder_of(path)).map_err(fail)?;
        let file =
            private(OpenOptions::new().read(true).append(true).create(true)).open(path).map_err(fail)?;
        let mut ledger = Self { path: path.to_owned(), file, known: 0, seen: HashSet::new() };
        let torn = ledger.locked(Self::catch_up).map_err(fail)?;
        if torn > 0 {
            diag.warn(format_args!(
                "{}: {torn} bytes of a torn last line set aside in {}",
                path.display(),
                ledger.torn_path().display()
            ));
        }
        Ok(ledger)
    }

    /// Appends `line` unless the very same line is there already.
    pub fn append_new(&mut self, line: &[u8]) -> Result<()> {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let key = key(line);
        if self.seen.contains(&key) {
            return Ok(());
        }
        self.locked(|ledger| {
            ledger.catch_up()?;
            if !ledger.seen.insert(key) {
                return Ok(());
            }
            let whole = [content, b"\n"].concat();
            ledger.file.write_all(&whole)?;
            ledger.known += whole.len() as u64;
            ledger.file.sync_data()
        })
        .map_err(|e| Error::cannot("appending to the ledger", e).on(self.path.display()))
    }

    fn locked<T>(&mut self, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        self.file.lock()?;
        let outcome = act(self);
        self.file.unlock()?;
        outcome
    }

    /// Learns the lines that others appended; returns the size of a torn tail that it set aside.
    fn catch_up(&mut self) -> io::Result<u64> {
        self.file.seek(SeekFrom::Start(self.known))?;
        let mut tail = Vec::new();
        self.file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.seen.extend(tail[..whole].split_inclusive(|byte| *byte == b'\n').map(key));
        self.known += whole as u64;
        // Writers hold the lock until their line is whole, so that whoever left half a line is dead. The half line is
        // on disk in its own file before it is cut off here.
        if whole < tail.len() {
            let mut torn = private(OpenOptions::new().append(true).create(true)).open(self.torn_path())?;
            torn.write_all(&tail[whole..])?;
            torn.write_all(b"\n")?;
            torn.sync_data()?;
            self.file.set_len(self.known)?;
        }
        Ok((tail.len() - whole) as u64)
    }

    fn torn_path(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".torn");
        name.into()
    }
}

/// The folder that a file lies in: `.` for a bare name.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder that only its owner may enter; an existing one keeps its mode.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// What two lines are compared by: the first 16 bytes of the BLAKE3 hash, without the line feed.
pub(crate) fn key(line: &[u8]) -> [u8; 16] {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(content).as_bytes()[..16]);
    key
}
