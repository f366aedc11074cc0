//! One open log file, plain or compressed.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;

use super::{Driver, size};

/// Hash and length of the first record of a file, by which a file is recognised after it was renamed and compressed.
/// The record holds a time in nanoseconds, so no two files start with the same one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    hash: blake3::Hash,
    length: usize,
}

pub(super) fn identity(driver: Driver, bytes: &[u8]) -> Option<Identity> {
    let length = size(driver, bytes).ok().flatten()?;
    Some(Identity { hash: blake3::hash(&bytes[..length]), length })
}

enum Input {
    /// The file was read to its end and closed. It is opened again before the next reading.
    Closed,
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
}

pub(super) struct LogFile {
    input: Input,
    nothing: io::Empty,
    /// Inode of a plain file. Compressing makes another file, so the inode of a compressed one says nothing.
    pub inode: Option<u64>,
    /// When the file was made, nanoseconds since 1970; of a plain file, where the file system knows it.
    pub born: Option<i64>,
    /// Bytes of content that were read.
    pub read: u64,
    pub identity: Option<Identity>,
}

impl LogFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let (input, inode, born) = if path.extension().is_some_and(|end| end == "gz") {
            (Input::Gzip(Box::new(MultiGzDecoder::new(file))), None, None)
        } else {
            let metadata = file.metadata()?;
            let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let born = born.and_then(|since| i64::try_from(since.as_nanos()).ok());
            (Input::Plain(file), Some(metadata.ino()), born)
        };
        Ok(Self { input, nothing: io::empty(), inode, born, read: 0, identity: None })
    }

    /// Closes the file. A crash loop has more log files than a process may have open.
    pub fn close(&mut self) {
        self.input = Input::Closed;
    }

    /// Opens the file again, if `path` still leads to the same file.
    pub fn reopen(&mut self, path: &Path) -> io::Result<()> {
        if let (Input::Closed, Ok(mut file)) = (&self.input, File::open(path))
            && self.inode == Some(file.metadata()?.ino())
        {
            file.seek(SeekFrom::Start(self.read))?;
            self.input = Input::Plain(file);
        }
        Ok(())
    }

    pub fn reader(&mut self) -> &mut dyn Read {
        match &mut self.input {
            Input::Closed => &mut self.nothing,
            Input::Plain(file) => file,
            Input::Gzip(decoder) => decoder,
        }
    }

    /// Bytes that are in the file now and were not read; `u64::MAX` for a compressed file, whose size is not known.
    pub fn left(&self) -> io::Result<u64> {
        match &self.input {
            Input::Plain(file) => Ok(file.metadata()?.len().saturating_sub(self.read)),
            Input::Gzip(_) => Ok(u64::MAX),
            Input::Closed => Ok(0),
        }
    }

    /// Whether the file was emptied since it was read: it is shorter now, or starts with another record.
    pub fn was_truncated(&self) -> io::Result<bool> {
        let Input::Plain(file) = &self.input else { return Ok(false) };
        if file.metadata()?.len() < self.read {
            return Ok(true);
        }
        let Some(known) = self.identity else { return Ok(false) };
        let mut first = vec![0; known.length];
        file.read_exact_at(&mut first, 0)?;
        Ok(blake3::hash(&first) != known.hash)
    }

    /// The identity of the file, from its first record. It is read through `/proc/self/fd`, which opens the same file
    /// whatever its name is by now, and does not move the position of the open one.
    pub fn first(&self, driver: Driver) -> Option<Identity> {
        let (file, squeezed) = match &self.input {
            Input::Closed => return self.identity,
            Input::Plain(file) => (file, false),
            Input::Gzip(decoder) => (decoder.get_ref(), true),
        };
        let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
        let mut reader: Box<dyn Read> =
            if squeezed { Box::new(MultiGzDecoder::new(again)) } else { Box::new(again) };
        let mut bytes = Vec::new();
        reader.by_ref().take(256 * 1024).read_to_end(&mut bytes).ok()?;
        identity(driver, &bytes)
    }

    pub fn rewind(&mut self) -> io::Result<()> {
        if let Input::Plain(file) = &mut self.input {
            file.seek(SeekFrom::Start(0))?;
        }
        (self.read, self.identity) = (0, None);
        Ok(())
    }
}
