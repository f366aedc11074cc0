//! Mounts the guard's socket over the engine's, for one process and its children: docker contexts and some programs
//! ignore `DOCKER_HOST`. This needs root. All other processes of the host keep seeing the engine.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::{Error, Result};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Where clients look for an engine if nothing tells them otherwise.
const DEFAULTS: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];

/// Bit of the capability `CAP_SYS_ADMIN`, which mounting needs and which root in a container often lacks.
const SYS_ADMIN: u32 = 21;

/// Whether this process may mount, and so cover, anything.
#[must_use]
pub fn is_possible() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| may_mount(&status))
}

fn may_mount(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> SYS_ADMIN & 1 == 1)
}

/// Moves the calling thread into a mount namespace of its own and mounts `guard` over the default sockets and over
/// `engine` there. The processes that this thread starts or becomes (by `exec`) see the guard in the engine's place.
#[allow(unsafe_code)]
pub fn cover(guard: &Path, engine: Option<&Path>) -> Result<()> {
    let doing = "covering the engine's socket";
    let cannot = |e: rustix::io::Errno| Error::cannot(doing, e).on(guard.display());
    // SAFETY: the mount namespace alone is unshared, and no descriptor table that another thread could look into.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(cannot)?;
    // What the host mounts later still appears here; what is mounted here does not appear on the host.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags).map_err(cannot)?;
    for target in targets(engine) {
        mount_bind(guard, &target).map_err(|e| Error::cannot(doing, e).on(target.display()))?;
    }
    Ok(())
}

/// Each existing socket once, by its real path.
fn targets(engine: Option<&Path>) -> Vec<PathBuf> {
    let all = DEFAULTS.iter().map(Path::new).chain(engine);
    let mut real: Vec<PathBuf> = all.filter_map(|path| path.canonicalize().ok()).collect();
    real.sort();
    real.dedup();
    real
}

/// An empty file at the default socket's path, where there is no socket: a mount needs something to be mounted over.
/// Each run that needs the file holds a shared lock on it; the last run removes it.
pub struct Placeholder {
    path: PathBuf,
    file: File,
}

impl Placeholder {
    /// `None` if there is a socket already, or if the file may not be created.
    #[must_use]
    pub fn at_default() -> Option<Self> {
        Self::at(Path::new(DEFAULTS[0]))
    }

    fn at(path: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        // If the path is a socket, opening it fails (ENXIO): there is something to mount over already.
        let file = options.open(path).ok()?;
        let meta = file.metadata().ok()?;
        let empty = meta.is_file() && meta.len() == 0;
        // Its last holder may have removed the file between our opening and our locking it.
        let same = || fs::metadata(path).is_ok_and(|now| now.ino() == meta.ino());
        (empty && file.lock_shared().is_ok() && same()).then(|| Self { path: path.to_owned(), file })
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        let ours = self.file.metadata().map(|meta| meta.ino()).ok();
        let there = fs::symlink_metadata(&self.path).map(|meta| meta.ino()).ok();
        // The exclusive lock fails while another run holds its shared one.
        if self.file.unlock().is_ok() && self.file.try_lock().is_ok() && ours.is_some() && ours == there {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_mount() {
        assert!(may_mount("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_mount("CapEff:\t00000000a80425fb\n"), "root in a plain container");
        assert!(!may_mount("CapEff:\t0000000000000000\n") && !may_mount(""));
    }

    #[test]
    fn the_last_holder_takes_the_placeholder_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let (one, two) = (Placeholder::at(&path).unwrap(), Placeholder::at(&path).unwrap());
        drop(one);
        assert!(path.exists());
        drop(two);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(Placeholder::at(&socket).is_none());
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(Placeholder::at(&file).is_none());
        assert!(socket.exists() && file.exists());
    }
}
