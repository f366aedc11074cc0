//! The lock file of each slot on this host. The kernel drops a holder's `flock` at the moment when the holder dies.
//!
//! Only the compare-and-swap excludes others. The lock just shows sooner than the TTL that a holder is dead, so where
//! locks do not work (another user's file, a read-only folder) that costs time, never safety. The slot's labels name
//! the holder's lock file by device and inode: a process on the same machine that sees another file at the path (in a
//! container) must not take that file's being unlocked for the holder's death.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::labels::Place;
use crate::proc;

/// The lock files of one swarm on this host.
#[derive(Debug, Clone)]
pub struct Locks {
    prefix: PathBuf,
    boot_id: String,
}

/// A lock that is held until it is dropped. Children inherit it only when [`Lock::inherit`] says so.
#[derive(Debug)]
pub struct Lock {
    file: File,
    pub identity: String,
}

/// Why a lock could not be had.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another process on this host has it.
    Busy,
    /// Locks do not work here.
    Unusable,
}

impl Locks {
    /// The lock files of the swarm with this cluster id.
    pub fn of(swarm: &str) -> Self {
        // Both folders are open to all users, and all processes of the host must meet at the same lock.
        let folder = ["/run/lock", "/tmp"].into_iter().map(Path::new).find(|dir| dir.is_dir());
        Self::below(folder.unwrap_or(Path::new(".")), swarm)
    }

    pub fn below(folder: &Path, swarm: &str) -> Self {
        Self { prefix: folder.join(format!("redfix-{swarm}")), boot_id: proc::boot_id() }
    }

    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Takes the lock of a slot, unless another process on this host has it.
    pub fn grab(&self, place: Place) -> Result<Lock, Refusal> {
        let mut path = self.prefix.clone().into_os_string();
        path.push(format!("-slot-{place}.lock"));
        let file = open(Path::new(&path)).map_err(|_| Refusal::Unusable)?;
        match file.try_lock() {
            Ok(()) => identity(&file).map(|identity| Lock { file, identity }).ok_or(Refusal::Unusable),
            Err(TryLockError::WouldBlock) => Err(Refusal::Busy),
            Err(TryLockError::Error(_)) => Err(Refusal::Unusable),
        }
    }
}

impl Lock {
    /// Says whether children inherit the lock, so that it stays held while they live. Returns whether that worked.
    pub fn inherit(&self, on: bool) -> bool {
        use rustix::io::{FdFlags, fcntl_setfd};
        fcntl_setfd(&self.file, if on { FdFlags::empty() } else { FdFlags::CLOEXEC }).is_ok()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Unlock explicitly: if a child has inherited the descriptor, closing ours would not end the lock.
        let _ = self.file.unlock();
    }
}

/// Opens the file for reading, which is enough for a lock and works for another user's file too. The file is created
/// only if it is missing: in a sticky folder, `O_CREAT` on another user's file is refused (`fs.protected_regular`).
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path);
    match made {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => File::open(path),
        other => other,
    }
}

fn identity(file: &File) -> Option<String> {
    let meta = file.metadata().ok()?;
    Some(format!("{:x}-{}", meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_free_again_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks::below(dir.path(), "s");
        let held = locks.grab(Place::Slot(1)).unwrap();
        assert_eq!(locks.grab(Place::Slot(1)).unwrap_err(), Refusal::Busy);
        let other = locks.grab(Place::Slot(2)).unwrap();
        assert_ne!(held.identity, other.identity, "each slot has a file of its own");
        let name = held.identity.clone();
        drop(held);
        assert_eq!(locks.grab(Place::Slot(1)).unwrap().identity, name);
    }

    #[test]
    fn another_folder_is_another_lock() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, two] =
            dirs.each_ref().map(|dir| Locks::below(dir.path(), "s").grab(Place::Slot(0)).unwrap());
        assert_ne!(one.identity, two.identity);
        let nowhere = Locks::below(Path::new("/nonexistent"), "s");
        assert_eq!(nowhere.grab(Place::Slot(0)).unwrap_err(), Refusal::Unusable);
    }

    #[test]
    fn what_lies_in_wait_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks::below(dir.path(), "s");
        let victim = dir.path().join("victim");
        let path = dir.path().join("redfix-s-slot-0.lock");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert_eq!(locks.grab(Place::Slot(0)).unwrap_err(), Refusal::Unusable);
        assert!(!victim.exists(), "it was created through the link");
        std::fs::write(&victim, "as it was").unwrap();
        drop(locks.grab(Place::Slot(0)));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "as it was");
    }

    #[test]
    fn an_inherited_lock_outlives_its_owner_but_not_its_release() {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks::below(dir.path(), "s");
        let lock = locks.grab(Place::Slot(0)).unwrap();
        assert!(lock.inherit(true));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(lock.inherit(false));
        drop(lock);
        assert!(locks.grab(Place::Slot(0)).is_ok(), "released is released, whatever the child holds open");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
