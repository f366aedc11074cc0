//! One hash for a folder of evidence: BLAKE3 of its `b3sum` listing in path order, so that anybody can
//! recompute it with `find -type f | sort | xargs b3sum | b3sum`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The root hash of everything below `folder`, in hex. A symbolic link is an error, because it may point out of the
/// folder, to what the hash does not cover.
pub fn root_hash(folder: &Path) -> Result<String> {
    let fail = |e: io::Error| Error::cannot("hashing evidence", e).on(folder.display());
    let mut files = Vec::new();
    walk(folder, &mut files).map_err(fail)?;
    let mut listing = Vec::new();
    let mut names: Vec<(Vec<u8>, PathBuf)> = files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap_or(&path).as_os_str().as_encoded_bytes().to_vec();
            (name, path)
        })
        .collect();
    names.sort();
    for (name, path) in names {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut fs::File::open(&path).map_err(fail)?, &mut hasher).map_err(fail)?;
        listing.extend_from_slice(hasher.finalize().to_hex().as_bytes());
        listing.extend_from_slice(b"  ./");
        listing.extend_from_slice(&name);
        listing.push(b'\n');
    }
    Ok(blake3::hash(&listing).to_hex().to_string())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        } else {
            return Err(io::Error::other(format!("{} is not a regular file", entry.path().display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_changes_the_hash() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b/x"), "1").unwrap();
        fs::write(dir.path().join("a"), "2").unwrap();
        let before = root_hash(dir.path()).unwrap();
        assert_eq!(before, root_hash(dir.path()).unwrap());
        fs::write(dir.path().join("a"), "3").unwrap();
        assert_ne!(before, root_hash(dir.path()).unwrap());
        fs::write(dir.path().join("a"), "2").unwrap();
        fs::rename(dir.path().join("b/x"), dir.path().join("b/y")).unwrap();
        assert_ne!(before, root_hash(dir.path()).unwrap());
    }

    #[test]
    fn a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("x")).unwrap();
        assert!(root_hash(dir.path()).is_err());
    }
}
