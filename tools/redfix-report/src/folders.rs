//! Finds the folders of evidence and log bundles that records name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use lib_common::ledger::folder_of;
use lib_common::record::run::Evidence;

/// How many bytes are read of the end of a log.
const TAIL: u64 = 16 * 1024;

/// The folders below which evidence is looked for, in this order.
pub struct Folders(pub Vec<PathBuf>);

impl Folders {
    /// `named` first, then the folder of each ledger file.
    #[must_use]
    pub fn of(named: Option<&Path>, files: &[PathBuf]) -> Self {
        let mut bases: Vec<PathBuf> = named.map(Path::to_owned).into_iter().collect();
        for file in files.iter().filter(|file| *file != Path::new("-")) {
            let folder = folder_of(file);
            bases.push(folder.to_owned());
        }
        bases.dedup();
        Self(bases)
    }

    /// The folder that a record calls `path`. `Err` says, for people, why it cannot be found. A path that leaves the
    /// folders is refused, because ledgers may come from others.
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
