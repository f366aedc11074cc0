//! The lock file of each slot on this host: the kernel drops its holder's `flock` the moment the holder dies.
//!
//! Exclusion is the compare-and-swap's business alone; the lock only tells sooner than the TTL that a holder
//! is dead. So a lock that cannot be had (another user's, a read-only folder) costs time, never safety. A
//! holder names its lock file by device and inode: a process of the same kernel that sees another file (a
//! container with a folder of its own) learns nothing from it.

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

/// A lock that is held until dropped; never inherited by children, except where asked for.
#[derive(Debug)]
pub struct Lock {
    file: File,
    pub identity: String,
}

/// Why a lock could not be had.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another process of this host has it.
    Busy,
    /// Locks do not work here.
    Unusable,
}

impl Locks {
    /// Of the swarm with this cluster id.
    pub fn of(swarm: &str) -> Self {
        let folder = ["/run/lock", "/tmp"].into_iter().map(Path::new).find(|dir| dir.is_dir());
        Self::below(folder.unwrap_or(Path::new(".")), swarm)
    }

    pub fn below(folder: &Path, swarm: &str) -> Self {
        Self { prefix: folder.join(format!("redfix-{swarm}")), boot_id: proc::boot_id() }
    }

    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// The lock of a slot, if nobody here has it.
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
    /// Lets the next child inherit the lock, so that it stays held while the child lives; false: it does not.
    pub fn inherit(&self, on: bool) -> bool {
        use rustix::io::{FdFlags, fcntl_setfd};
        fcntl_setfd(&self.file, if on { FdFlags::empty() } else { FdFlags::CLOEXEC }).is_ok()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child may have inherited the descriptor: closing ours would not end the lock.
        let _ = self.file.unlock();
    }
}

/// For reading: a lock needs no more, and the file may be another user's. It is created only where it is
/// missing, because a sticky folder forbids to create over another user's file.
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
