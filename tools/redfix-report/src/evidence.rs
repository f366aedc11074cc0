//! Evidence on disk: does each deciding attempt's folder, or everybody's, still hash to what was recorded.

use std::collections::BTreeMap;

use lib_common::evidence::root_hash;
use lib_common::record::run::Evidence;

use crate::bundles::Logs;
use crate::fold::Fold;
use crate::folders::Folders;
use crate::shell::quote;
use crate::verdict::{chosen, newest_red};

/// Looks a folder of evidence up and hashes it.
pub trait Bundles {
    /// `Err` says for people why it does not verify.
    fn verify(&self, evidence: &Evidence) -> Result<(), String>;
}

impl Bundles for Folders {
    fn verify(&self, evidence: &Evidence) -> Result<(), String> {
        let folder = self.find(&evidence.path)?;
        match root_hash(&folder) {
            Ok(hash) if hash == evidence.blake3 => Ok(()),
            Ok(_) => Err(format!("evidence in {} is not what was recorded", evidence.path)),
            Err(error) => Err(format!("evidence in {} cannot be read: {}", evidence.path, error.cause())),
        }
    }
}

/// The logs of the newest counted red run of each case, where the evidence is `verified`.
#[must_use]
pub fn logs(
    fold: &Fold,
    folders: &Folders,
    verified: &BTreeMap<String, Result<(), String>>,
) -> BTreeMap<String, String> {
    let ids = fold.cases().filter_map(|case| newest_red(case, fold, |_| true));
    let whole = ids.filter(|id| matches!(verified.get(*id), Some(Ok(()))));
    whole
        .filter_map(|id| Some((id.to_owned(), folders.log(fold.runs.get(id)?.evidence.as_ref()?)?)))
        .collect()
}

/// What `--verify-evidence` found: something on the ledger that is not on disk as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule of gate M1 that it breaks.
    pub rule: &'static str,
    pub what: String,
    /// The cases whose attempt it is; of nobody's, it is against all.
    pub cases: Vec<String>,
    /// The command that shows it, in pieces.
    pub shown_by: Vec<String>,
}

impl Fault {
    #[must_use]
    pub fn concerns(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|one| one == case)
    }
}

/// Verifies every attempt's evidence beyond what is `verified` already, and every log bundle.
pub fn verify_all(
    fold: &Fold,
    verified: &BTreeMap<String, Result<(), String>>,
    bundles: &dyn Bundles,
    logs: &dyn Logs,
) -> lib_common::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for run in fold.runs.all().filter(|run| !verified.contains_key(&run.attempt_id)) {
        let id = &run.attempt_id;
        if let Some(Err(why)) = run.evidence.as_ref().map(|evidence| bundles.verify(evidence)) {
            let shown_by = vec!["redfix-report".into(), "--verify-evidence".into(), "--evidence DIR".into()];
            let what = format!("attempt {id}: {why}");
            faults.push(Fault { rule: "changed-evidence", what, cases: owners(id, fold), shown_by });
        }
    }
    for (id, snap) in fold.runs.snaps() {
        if let Err(why) = logs.verify(snap)? {
            let (of, cases) = match id {
                Some(id) => (format!("attempt {id}"), owners(id, fold)),
                None => (format!("stack {}", snap.stack), Vec::new()),
            };
            let what = format!("log bundle of {of}: {why}");
            let shown_by = vec!["log-snap verify".into(), quote(&snap.path)];
            faults.push(Fault { rule: "changed-bundle", what, cases, shown_by });
        }
    }
    faults.sort_by(|one, other| (one.rule, &one.what).cmp(&(other.rule, &other.what)));
    Ok(faults)
}

/// The cases that an attempt concerns.
fn owners(attempt: &str, fold: &Fold) -> Vec<String> {
    let cases = fold.cases().filter(|case| fold.runs.is_of_case(attempt, &case.key));
    cases.map(|case| case.key.clone()).collect()
}

/// Verifies the evidence of every attempt that decides a case, each once.
pub fn verify_deciding(fold: &Fold, bundles: &dyn Bundles) -> BTreeMap<String, Result<(), String>> {
    let mut verified = BTreeMap::new();
    for case in fold.cases() {
        for id in chosen(case, fold).map(|verdict| &verdict.attempts).into_iter().flatten() {
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
        let folders = Folders::of(None, &["-".into()], Some(&dir.path().join("ledger.jsonl")));
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
        assert!(Folders::of(None, &[], None).verify(&evidence).unwrap_err().contains("not known"));
    }
}
