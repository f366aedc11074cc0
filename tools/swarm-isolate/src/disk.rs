//! Checks free disk space before a run, because deploys on a full disk fail in ways that look like the recipe's fault.

use std::path::Path;

use lib_common::check::tries::existing;
use lib_common::docker::Engine;
use lib_common::docker::models::SystemInfo;
use lib_common::{Error, Result};

/// Fails with exit code 75 unless each folder's file system has `least` free bytes.
pub fn check(folders: &[&Path], least: u64) -> Result<()> {
    for folder in folders {
        // A folder that this process cannot see cannot be checked.
        let Ok(space) = rustix::fs::statvfs(existing(folder)) else { continue };
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < least {
            return Err(Error::again(
                "checking free space",
                format!("{} free, {} needed", mib(free), mib(least)),
            )
            .on(folder.display())
            .hint("make room, or lower --min-free"));
        }
    }
    Ok(())
}

/// The engine's data folder, if the engine runs on this machine.
pub fn engine_folder<'i>(engine: &Engine, info: &'i SystemInfo) -> Option<&'i Path> {
    info.docker_root_dir.as_deref().filter(|_| engine.endpoint().is_local()).map(Path::new)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_worth_another_try_later() {
        let dir = tempfile::tempdir().unwrap();
        let later = dir.path().join("not/yet");
        assert!(check(&[dir.path(), &later], 1).is_ok());
        let error = check(&[&later], u64::MAX).unwrap_err();
        assert_eq!(error.exit().code(), 75);
        assert!(error.to_string().contains("not/yet") && error.to_string().contains("MiB needed"), "{error}");
    }
}
