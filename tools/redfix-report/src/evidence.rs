//! Evidence on disk: does each deciding attempt's folder still hash to what was recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use lib_common::evidence::root_hash;
use lib_common::record::run::Evidence;

use crate::fold::Fold;
use crate::gate::m1;

/// Looks a folder of evidence up and hashes it.
pub trait Bundles {
    /// `Err` says for people why it does not verify.
    fn verify(&self, evidence: &Evidence) -> Result<(), String>;
}

/// Evidence below one of these folders, tried in order.
pub struct Folders(pub Vec<PathBuf>);

impl Folders {
    /// `named` first, then the folder of each ledger file.
    #[must_use]
    pub fn of(named: Option<&Path>, files: &[PathBuf]) -> Self {
        let mut bases: Vec<PathBuf> = named.map(Path::to_owned).into_iter().collect();
        for file in files.iter().filter(|file| *file != Path::new("-")) {
            let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            bases.push(folder.to_owned());
        }
        bases.dedup();
        Self(bases)
    }
}

impl Bundles for Folders {
    fn verify(&self, evidence: &Evidence) -> Result<(), String> {
        let path = Path::new(&evidence.path);
        let mut parts = path.components();
        if evidence.path.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("evidence path {} leaves the ledger's folder", evidence.path));
        }
        if self.0.is_empty() {
            return Err("evidence not verified: its folder is not known".into());
        }
        let Some(folder) = self.0.iter().map(|base| base.join(path)).find(|folder| folder.is_dir()) else {
            return Err(format!("evidence folder {} is not there", evidence.path));
        };
        match root_hash(&folder) {
            Ok(hash) if hash == evidence.blake3 => Ok(()),
            Ok(_) => Err(format!("evidence in {} is not what was recorded", evidence.path)),
            Err(error) => Err(format!("evidence in {} cannot be read: {}", evidence.path, error.cause())),
        }
    }
}

/// Bytes of a log that are read, from its end.
const TAIL: u64 = 16 * 1024;

impl Folders {
    /// The end of the command's log in an attempt's evidence, if it has one.
    fn log(&self, evidence: &Evidence) -> Option<String> {
        let path = self.0.iter().map(|base| base.join(&evidence.path)).find(|folder| folder.is_dir())?;
        let mut file = File::open(path.join("command.log")).ok()?;
        let end = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(end.saturating_sub(TAIL))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The logs of the newest counted run of each case, where the evidence is `verified`.
#[must_use]
pub fn logs(
    fold: &Fold,
    folders: &Folders,
    verified: &BTreeMap<String, Result<(), String>>,
) -> BTreeMap<String, String> {
    let ids = fold.cases().filter_map(|case| {
        let verdict = m1::chosen(case, fold)?;
        let red = |id: &&String| {
            fold.runs.get(id).is_some_and(|run| fold.runs.sample(run, &case.key) == Some(false))
        };
        verdict.attempts.iter().rev().find(red)
    });
    let whole = ids.filter(|id| matches!(verified.get(*id), Some(Ok(()))));
    whole.filter_map(|id| Some((id.clone(), folders.log(fold.runs.get(id)?.evidence.as_ref()?)?))).collect()
}

/// Verifies the evidence of every attempt that decides a case, each once.
pub fn verify_deciding(fold: &Fold, bundles: &dyn Bundles) -> BTreeMap<String, Result<(), String>> {
    let mut verified = BTreeMap::new();
    for case in fold.cases() {
        for id in m1::chosen(case, fold).map(|verdict| &verdict.attempts).into_iter().flatten() {
            let Some(evidence) = fold.runs.get(id).and_then(|run| run.evidence.as_ref()) else { continue };
            verified.entry(id.clone()).or_insert_with(|| bundles.verify(evidence));
        }
    }
    verified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_verifies_only_untouched_and_inside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/log"), "1").unwrap();
        let blake3 = root_hash(&dir.path().join("a")).unwrap();
        let folders = Folders::of(None, &[dir.path().join("ledger.jsonl"), "-".into()]);
        let verify = |path: &str| folders.verify(&Evidence { path: path.into(), blake3: blake3.clone() });
        assert_eq!(verify("a"), Ok(()));
        for (path, why) in [("b", "not there"), ("../a", "leaves"), ("/etc", "leaves"), ("", "leaves")] {
            assert!(verify(path).unwrap_err().contains(why), "{path}");
        }
        std::fs::write(dir.path().join("a/log"), "2").unwrap();
        assert!(verify("a").unwrap_err().contains("not what was recorded"));
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("a/x")).unwrap();
        assert!(verify("a").unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn standard_input_alone_has_no_folder() {
        let evidence = Evidence { path: "a".into(), blake3: String::new() };
        assert!(Folders::of(None, &[]).verify(&evidence).unwrap_err().contains("not known"));
    }
}
