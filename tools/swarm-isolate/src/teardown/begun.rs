//! `begun.json` in an attempt's folder: everything that is needed to finish the attempt if its process is killed. It is
//! written before anything is created, and whoever works on the attempt holds a lock on it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lib_common::ledger::folder_of;
use lib_common::record::run::RunFinished;
use lib_common::swarm::nodes::NodeArg;
use lib_common::{Error, Result};
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;

const NAME: &str = "begun.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub investigation: String,
    /// The ledger for the record. Without one nobody would read the record, so none is written.
    pub ledger: Option<PathBuf>,
    /// The attempt's folder, and what the evidence's path is relative to.
    pub folder: PathBuf,
    pub base: PathBuf,
    /// A temporary folder of the tool's, which is removed when the attempt is over.
    pub scratch: Option<PathBuf>,
    /// The engine's address, as for `--host`.
    pub host: String,
    pub engine_timeout_ms: u64,
    pub nodes: Vec<NodeArg>,
    pub protect: Vec<Pattern>,
    pub stacks: Vec<String>,
    pub grace_ms: u64,
    pub teardown_timeout_ms: u64,
    /// The attempt's record in case its process cannot write it.
    pub run: RunFinished,
}

/// The lock on an attempt's `begun.json`; the kernel drops it when its process dies.
pub struct Hold {
    _file: File,
}

impl Begun {
    pub fn attempt(&self) -> &str {
        &self.run.attempt_id
    }

    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// Writes the file, syncs it to disk, and locks it.
    pub fn begin(&self) -> Result<Hold> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.folder.join(NAME);
        let fail = |e: std::io::Error| Error::cannot("recording what begins", e).on(path.display());
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        // Lock before writing: whoever finds the file must not take the attempt over while we live.
        file.try_lock().map_err(|e| fail(e.into()))?;
        let text = serde_json::to_vec(self).map_err(|e| fail(e.into()))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail)?;
        Ok(Hold { _file: file })
    }

    /// Reads the attempt of this folder.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(NAME)).ok()?).ok()
    }

    /// Locks an attempt whose process is dead; `None` if somebody works on it.
    pub fn take_over(&self) -> Option<Hold> {
        let file = File::open(self.folder.join(NAME)).ok()?;
        file.try_lock().ok().map(|()| Hold { _file: file })
    }
}

/// The attempts of this ledger. They lie in the ledger's folder, where other ledgers may lie as well.
pub fn of(ledger: &Path) -> Vec<Begun> {
    let entries = std::fs::read_dir(folder_of(ledger)).into_iter().flatten().flatten();
    let mut all: Vec<Begun> = entries.filter_map(|entry| Begun::read(&entry.path())).collect();
    // Compare the file name only: the folder may have been moved since.
    all.retain(|begun| begun.ledger.as_deref().and_then(Path::file_name) == ledger.file_name());
    // Attempt ids sort by time.
    all.sort_by(|one, other| one.attempt().cmp(other.attempt()));
    all
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn example(folder: &Path) -> Begun {
        let run = r#"{"attempt_id":"01JZ0000000000000000000002","recipe":"r","version":"1","engine":"20.10.24","node":"n1","boot_id":"b","stack":"s","factors":{"load":"isolated"},"outcome":"aborted","started":"2026-06-17T23:17:01.000Z","duration_ms":0,"isolation":{"proved":false,"slots_held":1,"slots_total":1,"other_deploys":0},"cleanup":{"created":[],"left":[],"duration_ms":0,"others_unchanged":true}}"#;
        Begun {
            investigation: "i".into(),
            ledger: Some(folder.join("ledger.jsonl")),
            folder: folder.join("a"),
            base: folder.to_owned(),
            scratch: None,
            host: "unix:///nonexistent".into(),
            engine_timeout_ms: 1000,
            nodes: vec![NodeArg { name: "n2".into(), host: "tcp://h:1".into() }],
            protect: vec!["live_*".parse().unwrap()],
            stacks: vec!["s".into()],
            grace_ms: 10,
            teardown_timeout_ms: 100,
            run: serde_json::from_str(run).unwrap(),
        }
    }

    #[test]
    fn one_process_at_a_time_works_on_an_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let begun = example(dir.path());
        assert!(begun.begin().is_err(), "without a folder");
        std::fs::create_dir(&begun.folder).unwrap();
        let hold = begun.begin().unwrap();
        assert_eq!(of(&dir.path().join("ledger.jsonl")), std::slice::from_ref(&begun));
        assert_eq!(of(&dir.path().join("another.jsonl")), []);
        assert!(begun.take_over().is_none(), "it is held");
        assert!(begun.begin().is_err(), "it has begun");
        drop(hold);
        assert!(begun.take_over().is_some());
    }

    #[test]
    fn odd_files_are_no_attempts() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("x")).unwrap();
        std::fs::write(dir.path().join("x").join(NAME), "{").unwrap();
        assert_eq!(of(&dir.path().join("ledger.jsonl")), []);
        assert_eq!(of(&dir.path().join("missing/ledger.jsonl")), []);
    }
}
