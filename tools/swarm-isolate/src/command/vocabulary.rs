//! The secrets that a run's output must not show: those of our own environment, and those that the guard sees being
//! created.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lib_common::redact::{Key, Redactor, is_ordinary};
use lib_common::{Error, Result};
use rustix::event::{PollFd, PollFlags};
use serde_json::Value;
use tokio::sync::mpsc;

/// All known secrets. It grows during the run, and everything that writes foreign text shares it.
#[derive(Clone)]
pub struct Vocabulary(Arc<Shared>);

struct Shared {
    words: Mutex<Words>,
    /// Incremented with each secret, so that streams notice that their redactor is out of date.
    version: AtomicU64,
    told: Mutex<Option<Told>>,
}

/// The pipe on which the guard sends secrets, one per line.
struct Told {
    /// Non-blocking.
    pipe: OwnedFd,
    /// The beginning of a line whose end has not arrived yet.
    rest: Vec<u8>,
    /// The companion, which gets the same lines.
    companion: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

impl Told {
    /// Reads the lines that are in the pipe now; also returns whether more may come.
    fn read(&mut self) -> (Vec<Vec<u8>>, bool) {
        let mut chunk = [0; 4096];
        let goes_on = loop {
            match rustix::io::read(&self.pipe, &mut chunk) {
                Ok(0) => break false,
                Ok(read) => self.rest.extend_from_slice(&chunk[..read]),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => break e == rustix::io::Errno::AGAIN,
            }
        };
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            lines.push(self.rest.drain(..=end).collect());
        }
        (lines, goes_on)
    }
}

struct Words {
    secrets: Vec<Vec<u8>>,
    key: Key,
    redactor: Redactor,
}

impl Vocabulary {
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_ref().to_vec()).collect();
        let key = Key::random();
        let redactor = Redactor::with_key(&secrets, &key);
        let words = Mutex::new(Words { secrets, key, redactor });
        Self(Arc::new(Shared { words, version: AtomicU64::new(0), told: Mutex::default() }))
    }

    /// The secrets in our own environment, which the command inherits: variables with such a name and 8 or more bytes.
    pub fn of_environment() -> Self {
        let secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"]
                .iter()
                .any(|word| name.ends_with(word))
        };
        let values = std::env::vars().filter(|(name, value)| secret(name) && value.len() >= 8);
        Self::new(&values.map(|(_, value)| value).collect::<Vec<_>>())
    }

    /// Hides this value from now on. An everyday word is not hidden: without it no log could be understood.
    pub fn learn(&self, value: &[u8]) {
        let value = value.trim_ascii_end();
        let mut words = self.words();
        let known = words.secrets.iter().any(|secret| secret == value);
        // To hide an ordinary word would make the output unreadable and protect nothing.
        if known || value.is_empty() || std::str::from_utf8(value).is_ok_and(is_ordinary) {
            return;
        }
        words.secrets.push(value.to_vec());
        words.redactor = Redactor::with_key(&words.secrets, &words.key);
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// Learns the secrets that the guard sends on `pipe`, and passes them on to the companion.
    pub fn hear(&self, pipe: OwnedFd, companion: Option<mpsc::UnboundedSender<Vec<u8>>>) -> Result<()> {
        let bell = pipe.try_clone().map_err(|e| Error::cannot("opening the pipe for secrets", e))?;
        *self.told() = Some(Told { pipe, rest: Vec::new(), companion });
        let vocabulary = self.clone();
        // The thread is for the companion, which waits for the lines; we ourselves read the pipe before each line that
        // we write.
        std::thread::spawn(move || {
            loop {
                let mut watched = [PollFd::new(&bell, PollFlags::IN)];
                match rustix::event::poll(&mut watched, None) {
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(_) => break,
                    Ok(_) => vocabulary.catch_up(),
                }
                // Only HUP: the guard has closed the pipe and everything is read.
                if !watched[0].revents().contains(PollFlags::IN) {
                    break;
                }
            }
        });
        Ok(())
    }

    /// Call when the guard has ended: learns the rest, and ends the companion's lines.
    pub fn heard(&self) {
        self.catch_up();
        *self.told() = None;
    }

    /// Learns the secrets that the guard has sent so far. The guard sends a secret before the engine gets it, so output
    /// that shows the secret always comes later.
    fn catch_up(&self) {
        let mut told = self.told();
        let Some(source) = told.as_mut() else { return };
        let (lines, goes_on) = source.read();
        for line in lines {
            let secret: Value = serde_json::from_slice(&line).unwrap_or_default();
            if let Ok(value) = BASE64.decode(secret["value_base64"].as_str().unwrap_or_default()) {
                self.learn(&value);
            }
            if let Some(companion) = &source.companion {
                // Ignore a closed channel: the companion may end before the command.
                let _ = companion.send(line);
            }
        }
        if !goes_on {
            *told = None;
        }
    }

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A redactor with all secrets known now, for a text that is complete.
    pub fn redactor(&self) -> Redactor {
        self.catch_up();
        self.words().redactor.fork()
    }

    /// A redactor for a stream, which takes in secrets that are learnt later.
    pub fn stream(&self) -> Stream {
        Stream { version: self.version(), redactor: self.redactor(), vocabulary: self.clone() }
    }

    fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.0.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The redactor of one stream.
pub struct Stream {
    vocabulary: Vocabulary,
    version: u64,
    redactor: Redactor,
}

impl Stream {
    pub fn line(&mut self, line: &[u8]) -> Vec<u8> {
        self.vocabulary.catch_up();
        let version = self.vocabulary.version();
        // Within a private key every line is hidden anyway, and a new redactor would not know that it is inside one.
        if version != self.version && !self.redactor.is_within_key() {
            (self.version, self.redactor) = (version, self.vocabulary.redactor());
        }
        self.redactor.line(line).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_hides_what_is_learnt_while_it_runs() {
        let vocabulary = Vocabulary::new(&["correct-horse-battery"]);
        let mut stream = vocabulary.stream();
        let said = |line: Vec<u8>| String::from_utf8(line).unwrap();
        assert!(!said(stream.line(b"pass correct-horse-battery\n")).contains("horse"));
        assert_eq!(said(stream.line(b"later x8Kq0-staple-77\n")), "later x8Kq0-staple-77\n");
        vocabulary.learn(b"x8Kq0-staple-77\n");
        let hidden = said(stream.line(b"later x8Kq0-staple-77 eDhLcTAtc3RhcGxlLTc3\n"));
        assert!(!hidden.contains("staple") && !hidden.contains("eDhL"), "{hidden}");
        assert!(!said(stream.line(b"still correct-horse-battery\n")).contains("horse"));
        vocabulary.learn(b"postgres");
        assert_eq!(said(stream.line(b"postgres starts\n")), "postgres starts\n", "an everyday word");
    }

    #[tokio::test]
    async fn what_the_guard_told_before_a_line_was_said_is_hidden_in_it() {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let (companion, mut heard) = mpsc::unbounded_channel();
        let vocabulary = Vocabulary::new::<&str>(&[]);
        vocabulary.hear(read, Some(companion)).unwrap();
        let mut stream = vocabulary.stream();
        let line = b"{\"name\":\"pw\",\"value_base64\":\"eDhLcTAtc3RhcGxlLTc3\"}\n";
        let (one, two) = line.split_at(20);
        rustix::io::write(&write, one).unwrap();
        assert_eq!(stream.line(b"x8Kq0-staple-77\n"), b"x8Kq0-staple-77\n", "half a line says nothing");
        rustix::io::write(&write, two).unwrap();
        // Nothing else was scheduled in between.
        assert!(!String::from_utf8(stream.line(b"x8Kq0-staple-77\n")).unwrap().contains("staple"));
        assert_eq!(heard.recv().await.unwrap(), line);
        drop(write);
        assert_eq!(heard.recv().await, None, "it ends with the guard");
    }
}
