//! One log file that is open, plain or compressed.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;

use super::{Kind, size};

/// The first record of a file and its length. It carries a time in nanoseconds, so no two are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    hash: blake3::Hash,
    length: usize,
}

pub(super) fn identity(kind: Kind, bytes: &[u8]) -> Option<Identity> {
    let length = size(kind, bytes).ok().flatten()?;
    Some(Identity { hash: blake3::hash(&bytes[..length]), length })
}

enum Input {
    /// Read to its end; opened again where it may have grown.
    Closed,
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
}

pub(super) struct Source {
    input: Input,
    nothing: io::Empty,
    /// Of a plain file.
    pub inode: Option<u64>,
    /// When the file was made, nanoseconds since 1970; of a plain file, where the file system knows it.
    pub born: Option<i64>,
    /// Bytes of content that were read.
    pub read: u64,
    pub identity: Option<Identity>,
}

impl Source {
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

    /// Lets the file go: a crash loop has more of them than a process may hold.
    pub fn close(&mut self) {
        self.input = Input::Closed;
    }

    /// Opens it again, if it still is what has its name.
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

    /// Bytes that are there now and were not read; of a compressed file nobody knows before.
    pub fn left(&self) -> io::Result<u64> {
        match &self.input {
            Input::Plain(file) => Ok(file.metadata()?.len().saturating_sub(self.read)),
            Input::Gzip(_) => Ok(u64::MAX),
            Input::Closed => Ok(0),
        }
    }

    /// Whether the file is not the one any more of which something was read.
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

    /// What it is known by, without moving in it, and whatever its name is by now.
    pub fn first(&self, kind: Kind) -> Option<Identity> {
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
        identity(kind, &bytes)
    }

    pub fn rewind(&mut self) -> io::Result<()> {
        if let Input::Plain(file) = &mut self.input {
            file.seek(SeekFrom::Start(0))?;
        }
        (self.read, self.identity) = (0, None);
        Ok(())
    }
}
