//! Has `log-snap` read the log bundles on disk: it verifies that each is what was recorded, and finds the first error.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lib_common::record::log::LogSnapped;
use lib_common::{Error, Result};
use serde::Deserialize;

use crate::fold::Fold;
use crate::folders::Folders;
use crate::program;
use crate::verdict::newest_red;

const DOING: &str = "verifying the log bundles";
/// How many bytes are read of the end of an index, whose last line is shorter, and of the beginning of a log.
const MOST: u64 = 64 * 1024;

/// Reads log bundles.
pub trait LogBundles {
    /// Verifies a bundle. `Ok(Err)` says, for people, why it is not what was recorded.
    fn verify(&self, snap: &LogSnapped) -> Result<std::result::Result<(), String>>;
    /// Looks for the line of the log that may be the cause, until `deadline`. `Err` says why none was found.
    fn first_error(&self, snap: &LogSnapped, deadline: Instant) -> std::result::Result<FirstError, String>;
}

/// What `log-snap first-error` prints, and the log from there on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct FirstError {
    pub service: String,
    pub at: String,
    pub text: String,
    pub why: String,
    #[serde(skip)]
    pub log: String,
}

/// Reads bundles below some folders by running `log-snap`.
pub struct LogSnap<'a> {
    pub folders: &'a Folders,
    /// How long the verification of one bundle may take.
    pub deadline: Duration,
    program: Option<PathBuf>,
}

impl<'a> LogSnap<'a> {
    #[must_use]
    pub fn new(folders: &'a Folders, deadline: Duration) -> Self {
        Self { folders, deadline, program: program::find("log-snap") }
    }
}

impl LogBundles for LogSnap<'_> {
    fn verify(&self, snap: &LogSnapped) -> Result<std::result::Result<(), String>> {
        let program = self.program.as_deref().ok_or_else(|| {
            Error::cannot(DOING, "not found")
                .on("log-snap")
                .hint("install it beside redfix-report or on PATH, or leave --verify-evidence out")
        })?;
        let folder = match self.folders.find(&snap.path) {
            Ok(folder) => folder,
            Err(why) => return Ok(Err(why)),
        };
        match root_of(&folder) {
            Ok(root) if root == snap.blake3 => {}
            Ok(_) => return Ok(Err(format!("{} is another bundle than the one recorded", snap.path))),
            Err(why) => return Ok(Err(format!("{}: its index cannot be read: {why}", snap.path))),
        }
        let command =
            duct::cmd!(program, "verify", "--", &folder).stdin_null().stdout_null().stderr_capture();
        let fail = |e: std::io::Error| Error::cannot(DOING, e).on(program.display());
        let Some(output) = program::run(&command, self.deadline).map_err(fail)? else {
            let cause = format!("no answer within {} s", self.deadline.as_secs());
            return Err(Error::again(DOING, cause)
                .on(folder.display())
                .hint("raise it with --bundle-timeout"));
        };
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("no reason given").trim_start_matches("log-snap: ");
        Ok(if output.status.success() { Ok(()) } else { Err(first.to_owned()) })
    }

    fn first_error(&self, snap: &LogSnapped, deadline: Instant) -> std::result::Result<FirstError, String> {
        let folder = self.folders.find(&snap.path)?;
        let program = self.program.as_deref().ok_or("log-snap is not installed")?;
        let read = |command: duct::Expression| {
            let left = deadline.saturating_duration_since(Instant::now());
            // The child writes into a file, because it would block on a full pipe that nobody reads.
            let file = tempfile::tempfile().map_err(|e| e.to_string())?;
            let copy = file.try_clone().map_err(|e| e.to_string())?;
            let command = command.stdin_null().stdout_file(copy).stderr_null();
            let output = program::run(&command, left).map_err(|e| e.to_string())?;
            let output = output.ok_or("log-snap did not answer in time")?;
            Ok::<_, String>((output.status.code(), head(file).map_err(|e| e.to_string())?))
        };
        let (code, line) = read(duct::cmd!(program, "first-error", "--", &folder))?;
        match code {
            Some(0) => {}
            Some(1) => return Err("no line looks like an error".into()),
            _ => return Err("the bundle cannot be read".into()),
        }
        let mut found: FirstError =
            serde_json::from_str(&line).map_err(|_| "log-snap said nothing that can be read")?;
        let (service, since) = (format!("--service={}", found.service), format!("--since={}", found.at));
        // If the log around it cannot be read, the line alone is shown.
        if let Ok((Some(0), log)) = read(duct::cmd!(program, "cat", service, since, "--", &folder)) {
            found.log = log;
        }
        Ok(found)
    }
}

/// The root hash in the last line of the index. `log-snap verify` checks that it is true.
fn root_of(folder: &Path) -> std::result::Result<String, String> {
    #[derive(Deserialize)]
    struct End {
        blake3: String,
    }
    let tail = || {
        let mut file = File::open(folder.join("index.jsonl"))?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(end.saturating_sub(MOST)))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = tail().map_err(|e| e.to_string())?;
    let last = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(last).map(|End { blake3 }| blake3).map_err(|_| "no root hash".into())
}

/// The beginning of what was written into `file`.
fn head(mut file: File) -> std::io::Result<String> {
    file.flush()?;
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first error in the logs of each case's newest counted red run that has a bundle, by attempt. Looking for all of
/// them takes at most `within`.
#[must_use]
pub fn first_errors(
    fold: &Fold,
    logs: &dyn LogBundles,
    within: Duration,
) -> BTreeMap<String, std::result::Result<FirstError, String>> {
    let deadline = Instant::now() + within;
    let mut found = BTreeMap::new();
    for case in fold.cases() {
        let Some(id) = newest_red(case, fold, |id| fold.runs.snap(id).is_some()) else { continue };
        let Some(snap) = fold.runs.snap(id) else { continue };
        if !found.contains_key(id) {
            found.insert(id.to_owned(), logs.first_error(snap, deadline));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_hash_is_in_the_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let index = |text: &str| std::fs::write(dir.path().join("index.jsonl"), text).unwrap();
        assert!(root_of(dir.path()).is_err());
        index("{\"a\":1}\n{\"blake3\":\"ab\",\"complete\":true}\n");
        assert_eq!(root_of(dir.path()), Ok("ab".into()));
        index("{\"blake3\":\"ab\"}\n{}\n");
        assert!(root_of(dir.path()).is_err());
    }
}
