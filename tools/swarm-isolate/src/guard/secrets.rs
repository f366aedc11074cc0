//! Hands the values of secrets to the evidence capture, which can hide only what it knows.
//!
//! What we write ourselves hides them from then on.
//!
//! One line for each: `{"name":"...","value_base64":"..."}`, into a pipe that the companion inherits as the
//! descriptor that `REDFIX_SECRETS_FD` names. The engine itself never tells a secret's value.

use std::os::fd::{AsRawFd as _, OwnedFd};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lib_common::{Error, Result};
use rustix::io::FdFlags;
use rustix::pipe::PipeFlags;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::sync::mpsc;

use crate::command::vocabulary::Vocabulary;

/// The companion's end.
pub struct Reader(OwnedFd);

/// The guard's end, before it is in use.
pub struct Writer(OwnedFd);

pub fn pipe() -> Result<(Reader, Writer)> {
    let cannot = |e: rustix::io::Errno| Error::cannot("making a pipe for secrets", e);
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(cannot)?;
    rustix::io::ioctl_fionbio(&write, true).map_err(cannot)?;
    Ok((Reader(read), Writer(write)))
}

impl Reader {
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Starts a child that inherits the descriptor. No other child may be started meanwhile.
    pub fn lend<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let set = |flags| rustix::io::fcntl_setfd(&self.0, flags);
        let cannot = |e: rustix::io::Errno| Error::cannot("handing on the pipe for secrets", e);
        set(FdFlags::empty()).map_err(cannot)?;
        let started = start();
        set(FdFlags::CLOEXEC).map_err(cannot)?;
        started
    }
}

/// Values on their way into the pipe: nobody waits for a companion that does not read.
#[derive(Clone)]
pub struct Values {
    companion: mpsc::UnboundedSender<Vec<u8>>,
    vocabulary: Vocabulary,
}

impl Values {
    /// Within a runtime.
    pub fn new(writer: Option<Writer>, vocabulary: Vocabulary) -> Result<Self> {
        let (send, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
        if let Some(writer) = writer {
            let pipe = Sender::from_owned_fd(writer.0);
            let mut pipe = pipe.map_err(|e| Error::cannot("opening the pipe for secrets", e))?;
            tokio::spawn(async move {
                while let Some(line) = lines.recv().await {
                    if pipe.write_all(&line).await.is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self { companion: send, vocabulary })
    }

    pub fn add(&self, name: &str, value_base64: &str) {
        let line = serde_json::json!({"name": name, "value_base64": value_base64});
        if let Ok(value) = BASE64.decode(value_base64) {
            self.vocabulary.learn(&value);
        }
        // Without a companion there is nobody to tell.
        let _ = self.companion.send(format!("{line}\n").into_bytes());
    }
}
