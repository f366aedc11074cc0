//! The secrets that a run's output may tell: those of our own environment, and what the guard sees being created.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lib_common::redact::{Key, Redactor, is_ordinary};

/// Grows while the run goes on; shared by everything that writes foreign text.
#[derive(Clone)]
pub struct Vocabulary(Arc<Shared>);

struct Shared {
    words: Mutex<Words>,
    /// Grows with each secret that is learnt.
    version: AtomicU64,
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
        Self(Arc::new(Shared { words, version: AtomicU64::new(0) }))
    }

    /// The secrets in our own environment, which the command inherits.
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

    /// From now on this value is hidden too; not an everyday word, which would take the sense out of every log.
    pub fn learn(&self, value: &[u8]) {
        let value = value.trim_ascii_end();
        let mut words = self.words();
        let known = words.secrets.iter().any(|secret| secret == value);
        if known || value.is_empty() || std::str::from_utf8(value).is_ok_and(is_ordinary) {
            return;
        }
        words.secrets.push(value.to_vec());
        words.redactor = Redactor::with_key(&words.secrets, &words.key);
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// A redactor that knows what is known by now, for a text that is all there.
    pub fn redactor(&self) -> Redactor {
        self.words().redactor.fork()
    }

    /// One for a stream, which learns on.
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
        let version = self.vocabulary.version();
        // Within a private key every line is hidden, whatever is known.
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
}
