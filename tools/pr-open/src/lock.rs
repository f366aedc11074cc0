//! Allows one writer per branch on this machine. Between machines the forge itself keeps a second one out (by the lease
//! on the branch, and by 409 for the pull request).

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lib_common::text::percent_encode;
use lib_common::{Error, Result};

/// Longest file name that is made from a key, in characters. Longer keys that begin alike share a lock, which is safe.
const MAX_NAME: usize = 200;

/// A lock that is held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Waits until nobody else has the lock of `key`, but not longer than `deadline`.
    pub fn take(key: &str, deadline: Duration) -> Result<Self> {
        let path = folder(&std::env::temp_dir())?
            .join(percent_encode(key).chars().take(MAX_NAME).collect::<String>());
        let fail = |e: std::io::Error| Error::cannot("locking the branch", e).on(path.display());
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(e)) => return Err(fail(e)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= deadline => {
                    return Err(Error::again("locking the branch", "another pr-open is working on it")
                        .on(key)
                        .hint("run it again, or raise --git-timeout"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// The folder for locks, which must be this user's own: in another user's folder, that user could block us for ever.
fn folder(temporary: &Path) -> Result<PathBuf> {
    let fail = |e: &dyn std::fmt::Display, path: &PathBuf| {
        Error::cannot("making the folder for locks", e).on(path.display()).hint("set TMPDIR")
    };
    let me = PathBuf::from("/proc/self");
    let user = me.metadata().map_err(|e| fail(&e, &me))?.uid();
    let path = temporary.join(format!("redfix-pr-open-{user}"));
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(&e, &path)),
        _ => {}
    }
    // In a shared /tmp, somebody else may have put a folder or a link there first.
    let there = path.symlink_metadata().map_err(|e| fail(&e, &path))?;
    if !there.is_dir() || there.uid() != user {
        return Err(fail(&"it exists and is not a folder of this user", &path));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_and_is_told() {
        let key = format!("test {} a/b", std::process::id());
        let held = Lock::take(&key, Duration::ZERO).unwrap();
        let error = Lock::take(&key, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.exit().code(), 75);
        assert!(error.to_string().contains("another pr-open"), "{error}");
        assert!(Lock::take(&format!("{key} c"), Duration::ZERO).is_ok());
        drop(held);
        assert!(Lock::take(&key, Duration::from_secs(10)).is_ok());
        let long = "x".repeat(1000);
        assert!(Lock::take(&long, Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let ours = folder(dir.path()).unwrap();
        assert_eq!(ours.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(folder(dir.path()).unwrap(), ours);
        std::fs::remove_dir(&ours).unwrap();
        let trap = dir.path().join("trap");
        std::fs::create_dir(&trap).unwrap();
        std::os::unix::fs::symlink(&trap, &ours).unwrap();
        let refused = folder(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("not a folder of this user"), "{refused}");
    }
}
