//! A scratch folder that is removed when its test ends. When the test fails, the folder stays, and `make test` keeps it
//! as evidence.

use std::path::Path;

/// A new, empty folder below `TMPDIR`.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.0.disable_cleanup(std::thread::panicking());
    }
}
