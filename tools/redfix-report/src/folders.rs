//! The folders that evidence and log bundles are looked for in.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use lib_common::ledger::folder_of;
use lib_common::record::run::Evidence;

/// Bytes of a log that are read, from its end.
const TAIL: u64 = 16 * 1024;

/// Evidence below one of these folders, tried in order.
pub struct Folders(pub Vec<PathBuf>);

impl Folders {
    /// `named` first, then the folder of each ledger file, then that of the ledger that standard input is a copy of.
    #[must_use]
    pub fn of(named: Option<&Path>, files: &[PathBuf], ledger: Option<&Path>) -> Self {
        let files = files.iter().map(PathBuf::as_path).filter(|file| *file != Path::new("-"));
        let folders = files.chain(ledger).map(folder_of);
        let mut bases: Vec<PathBuf> = named.into_iter().chain(folders).map(Path::to_owned).collect();
        bases.dedup();
        Self(bases)
    }

    /// The folder that a record calls `path`; `Err` says for people why there is none.
    pub fn find(&self, path: &str) -> Result<PathBuf, String> {
        let relative = Path::new(path);
        if path.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("path {path} leaves the ledger's folder"));
        }
        if self.0.is_empty() {
            return Err("its folder is not known".into());
        }
        let folders = self.0.iter().map(|base| base.join(relative));
        folders.into_iter().find(|folder| folder.is_dir()).ok_or(format!("folder {path} is not there"))
    }

    /// The end of the command's log in an attempt's evidence, if it has one.
    #[must_use]
    pub fn log(&self, evidence: &Evidence) -> Option<String> {
        let mut file = File::open(self.find(&evidence.path).ok()?.join("command.log")).ok()?;
        let end = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(end.saturating_sub(TAIL))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
