//! The pipes for the values of secrets: from the guard to us, and from us to the companion, which captures evidence and
//! can hide only values that it knows. The companion inherits its end; `REDFIX_SECRETS_FD` holds the number.

use std::os::fd::{AsRawFd as _, OwnedFd};

use lib_common::{Error, Result};
use rustix::io::{FdFlags, ioctl_fionbio};
use rustix::pipe::PipeFlags;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::sync::mpsc;

/// A descriptor that only one child inherits, the one that it is lent to.
pub struct Lent(OwnedFd);

impl Lent {
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Runs `start`, whose child inherits the descriptor. No other thread may start a child meanwhile: it would inherit it
    /// too.
    pub fn lend<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let set = |flags| rustix::io::fcntl_setfd(&self.0, flags);
        let cannot = |e: rustix::io::Errno| Error::cannot("handing on the pipe for secrets", e);
        set(FdFlags::empty()).map_err(cannot)?;
        let started = start();
        set(FdFlags::CLOEXEC).map_err(cannot)?;
        started
    }
}

fn cannot(cause: impl std::fmt::Display) -> Error {
    Error::cannot("making a pipe for secrets", cause)
}

/// A pipe from the guard to us: our end, which is non-blocking, and the guard's.
pub fn from_guard() -> Result<(OwnedFd, Lent)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(cannot)?;
    ioctl_fionbio(&read, true).map_err(cannot)?;
    Ok((read, Lent(write)))
}

/// A pipe from us to the companion: its end, and a channel for lines. The channel is unbounded, so a companion that does
/// not read delays nobody.
pub fn to_companion() -> Result<(Lent, mpsc::UnboundedSender<Vec<u8>>)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(cannot)?;
    ioctl_fionbio(&write, true).map_err(cannot)?;
    let mut pipe = Sender::from_owned_fd(write).map_err(cannot)?;
    let (send, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if pipe.write_all(&line).await.is_err() {
                break;
            }
        }
    });
    Ok((Lent(read), send))
}
