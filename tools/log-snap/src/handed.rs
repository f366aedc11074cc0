//! Reads secrets that another process hands over on an inherited descriptor: lines of
//! `{"name":..,"value_base64":..}`.
//!
//! The engine never shows the values of swarm secrets; only the process that created them knows them. It may hand them
//! over at any time during the recording, so a thread reads the descriptor. The secrets that have arrived by the time
//! at which the bundle is written are redacted.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::FromRawFd as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lib_common::{Error, Result};
use serde::Deserialize;

/// Longest line that is read. The value of a swarm secret has at most 500 KiB, which is 667 KiB in base64.
const LONGEST: u64 = 1 << 20;
/// How long [`Listener::take`] waits for the other process to close the descriptor. It does so when the command under
/// test ends, which may be a moment after the recording.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct SecretLine {
    name: String,
    value_base64: String,
}

/// The name and the value of a secret.
pub type Handed = (String, Vec<u8>);

/// Collects the secrets that are handed over; without a descriptor there are none.
#[derive(Default)]
pub struct Listener {
    receiver: Option<Receiver<std::result::Result<Handed, String>>>,
    /// The secrets that have arrived.
    pub handed: Vec<Handed>,
    /// The lines that could not be parsed and the read errors, each as a sentence for the index.
    pub wrong: Vec<String>,
}

impl Listener {
    /// Takes ownership of the descriptor and starts the thread that reads it.
    pub fn new(fd: Option<i32>) -> Result<Self> {
        let Some(fd) = fd else { return Ok(Self::default()) };
        let fail = |cause: &str| Error::cannot("taking over secrets", cause).on(format!("descriptor {fd}"));
        if fd < 3 || !Path::new(&format!("/proc/self/fd/{fd}")).exists() {
            return Err(fail("this process inherited no such descriptor")
                .hint("for example --secrets-fd 3 3< <(...)"));
        }
        #[allow(unsafe_code)]
        // SAFETY: the descriptor is open, is none of the standard three, and this process has opened none yet. So it
        // was inherited for this purpose, and `file` is its only owner.
        let file = unsafe { File::from_raw_fd(fd) };
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut input = BufReader::new(file);
            for number in 1.. {
                let mut line = Vec::new();
                let outcome = match input.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                    Ok(0) => return,
                    Ok(_) => parse(&line).ok_or_else(|| format!("line {number} is not understood")),
                    Err(e) => Err(e.to_string()),
                };
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        });
        Ok(Self { receiver: Some(receiver), ..Self::default() })
    }

    /// Takes the secrets that have arrived. Waits up to `PATIENCE` for the other process to close the descriptor.
    pub fn take(&mut self) {
        let until = Instant::now() + PATIENCE;
        while let Some(receiver) = &self.receiver {
            match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(one)) => self.handed.push(one),
                Ok(Err(cause)) => self.wrong.push(format!("secrets that were handed over: {cause}")),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.receiver = None,
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<Handed> {
    let line: SecretLine = serde_json::from_slice(line).ok()?;
    Some((line.name, STANDARD.decode(line.value_base64).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let value = parse(br#"{"name":"s_db","value_base64":"aHVudGVyMg==","more":1}"#);
        assert_eq!(value, Some(("s_db".into(), b"hunter2".to_vec())));
        for bad in ["", "{}", r#"{"name":"x","value_base64":"%"}"#, "nonsense"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn no_descriptor_is_taken_that_is_not_there() {
        assert!(Listener::new(Some(1)).is_err() && Listener::new(Some(9999)).is_err());
        let mut nobody = Listener::new(None).unwrap();
        nobody.take();
        assert!(nobody.handed.is_empty() && nobody.wrong.is_empty());
    }
}
