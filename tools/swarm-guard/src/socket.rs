//! The guard's socket: only this user may connect, and it is removed when the guard ends.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use lib_common::{Error, Result};
use rustix::fs::Mode;
use tempfile::TempDir;

pub struct Socket {
    path: PathBuf,
    pub listener: UnixListener,
    /// The folder that was made for the socket, if `--socket` named no path.
    _folder: Option<TempDir>,
}

impl Socket {
    /// Listens from now on. A socket that nobody listens on any more, left by a killed guard, is replaced; anything else at
    /// `path` is an error.
    pub fn bind(path: Option<&Path>) -> Result<Self> {
        let doing = "listening";
        let folder = if path.is_some() { None } else { Some(folder().map_err(|e| Error::cannot(doing, e))?) };
        let own = folder.as_ref().map(|folder| folder.path().join("docker.sock"));
        let path = path.map(ToOwned::to_owned).or(own).unwrap_or_default();
        let cannot = |e: io::Error| Error::cannot(doing, e).on(path.display());
        // Other processes get this path, and may have another working directory.
        let path = std::path::absolute(&path).map_err(cannot)?;
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket()) {
            if UnixStream::connect(&path).is_ok() {
                return Err(Error::cannot(doing, "another process listens on this socket").on(path.display()));
            }
            fs::remove_file(&path).map_err(cannot)?;
        }
        // A `chmod` after `bind` would let others connect in between, so the umask sets mode 0600 from the beginning.
        let before = rustix::process::umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
        let bound = UnixListener::bind(&path);
        rustix::process::umask(before);
        let listener = bound.map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        Ok(Self { path, listener, _folder: folder })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn folder() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("swarm-guard-").tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_guards_socket_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let socket = Socket::bind(Some(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Socket::bind(Some(&path)).is_err(), "one that lives");
        drop(socket);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a killed guard leaves it");
        drop(Socket::bind(Some(&path)).unwrap());
        fs::write(&path, "a file").unwrap();
        assert!(Socket::bind(Some(&path)).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }
}
