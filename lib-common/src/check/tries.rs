//! What several tools try: folders, space.

use std::path::Path;

use super::finding::Finding;

/// Whether files can be made in `folder`, or, where it is not there, in the nearest one above it.
#[must_use]
pub fn writable(name: &str, folder: &Path) -> Finding {
    let there = existing(folder);
    match tempfile::tempfile_in(there) {
        Ok(_) => Finding::ok(name, folder.display()),
        Err(cause) => {
            Finding::wrong(name, format!("{}: {cause}", folder.display()), "a folder in which you may write")
        }
    }
}

/// The folder itself, or the nearest one above it that is there.
#[must_use]
pub fn existing(folder: &Path) -> &Path {
    let above = folder.ancestors().find(|folder| folder.exists());
    above.unwrap_or_else(|| Path::new(if folder.is_absolute() { "/" } else { "." }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!writable("X", &dir.path().join("not/yet")).is_bad());
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(writable("X", &file).is_bad());
        assert_eq!(existing(Path::new("nowhere/at/all")), Path::new("."));
    }
}
