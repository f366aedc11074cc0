//! Removes everything but regular files from the evidence: a link may point outside, and opening a pipe blocks.

use std::fs;
use std::path::Path;

/// Removes links, pipes, sockets and devices below the folder; returns a sentence about each.
pub fn irregular(folder: &Path) -> Vec<String> {
    let mut removed = Vec::new();
    walk(folder, folder, &mut removed);
    removed
}

fn walk(root: &Path, folder: &Path, removed: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            walk(root, &entry.path(), removed);
        } else if !kind.is_file() && fs::remove_file(entry.path()).is_ok() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap_or(&path).display();
            removed.push(format!("{name} was no regular file and is not in the evidence"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_sockets_go_and_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("junit");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("x.xml"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", inner.join("out")).unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let mut removed = irregular(dir.path());
        removed.sort();
        assert_eq!(removed.len(), 2);
        assert!(removed[0].starts_with("junit/out was no regular file"), "{removed:?}");
        assert!(inner.join("x.xml").exists() && irregular(dir.path()).is_empty());
        assert!(Path::new("/etc/passwd").exists());
    }
}
