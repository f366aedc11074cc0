//! The key of the pseudonyms: a fresh one, or one in a file that a whole investigation shares.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::ledger::folder_of;

/// The key of the hash that makes pseudonyms. It is never written into evidence, so that nobody who reads the evidence
/// can find a weak secret by hashing guesses.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// A key that is kept nowhere: only pseudonyms made with this very key can be compared.
    #[must_use]
    pub fn random() -> Self {
        // Each id has 80 random bits, so that four fill the key's 256.
        let ids: String = (0..4).map(|_| crate::new_id()).collect();
        Self(*blake3::hash(ids.as_bytes()).as_bytes())
    }

    /// The key in the file `path`, which is created (mode 0600) with a random key if it does not exist.
    pub fn in_file(path: &Path) -> Result<Self> {
        let fail = |e: io::Error| Error::cannot("reading the key of the pseudonyms", e).on(path.display());
        match Self::read(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            found => return found.map_err(fail),
        }
        let parent = folder_of(path);
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(fail)?;
        file.write_all(&Self::random().0).and_then(|()| file.as_file().sync_all()).map_err(fail)?;
        // Another tool of the same pipe may have been faster; then all use that tool's key.
        match file.persist_noclobber(path) {
            Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(e.error)),
            _ => {}
        }
        Self::read(path).map_err(fail)
    }

    fn read(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let mut key = [0; 32];
        io::Read::read_exact(&mut file, &mut key)?;
        Ok(Self(key))
    }

    /// Eight hex digits that stand for `secret`.
    pub(super) fn pseudonym(&self, secret: &[u8]) -> String {
        blake3::keyed_hash(&self.0, secret).to_hex()[..8].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_kept_key_gives_the_same_pseudonym_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("redact.key");
        let one = Key::in_file(&path).unwrap().pseudonym(b"x");
        assert_eq!(one, Key::in_file(&path).unwrap().pseudonym(b"x"));
        assert_ne!(one, Key::random().pseudonym(b"x"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(Key::in_file(&path).is_err(), "a damaged key is no new key");
    }
}
