//! The record of an attempt whose tool was killed: what it had begun is written down before the first create, and
//! whoever comes next makes the record of it.
//!
//! `attempt.json` in the evidence folder holds it; the tool keeps that file locked while it lives.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lib_common::clock::rfc3339;
use lib_common::record::Factors;
use lib_common::record::run::{Cleanup, Isolation, Outcome, RunFinished};
use lib_common::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Context};

const NAME: &str = "attempt.json";

/// Everything about an attempt that is known before it starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Killed {
    pub investigation: String,
    pub attempt_id: String,
    pub recipe: String,
    pub version: String,
    pub cases: Vec<String>,
    pub engine: String,
    pub node: String,
    pub boot_id: String,
    pub stack: String,
    pub domain: String,
    /// Every stack that may exist because of it.
    pub stacks: Vec<String>,
    pub factors: Factors,
    pub started: String,
    /// Where its record belongs.
    pub ledger: Option<PathBuf>,
}

/// An attempt that has begun: dropped, its file is unlocked.
pub struct Begun {
    _locked: File,
}

impl Killed {
    /// What will be said of this attempt if it is killed.
    pub fn new(context: &Context<'_>, attempt: &Attempt) -> Self {
        let subject = context.subject;
        Self {
            investigation: context.investigation.to_owned(),
            attempt_id: attempt.id.clone(),
            recipe: subject.recipe.clone(),
            version: subject.version.clone(),
            cases: subject.cases.clone(),
            engine: context.engine.version().to_owned(),
            node: context.node.to_owned(),
            boot_id: crate::proc::boot_id(),
            stack: attempt.names.stack.clone(),
            domain: attempt.names.domain.clone(),
            stacks: attempt.stacks(),
            factors: attempt.factors.clone(),
            started: rfc3339(context.clock.now()),
            ledger: context.ledger.map(Path::to_owned),
        }
    }
}

impl Begun {
    pub fn write(context: &Context<'_>, attempt: &Attempt) -> Result<Self> {
        let path = attempt.folder.join(NAME);
        let killed = Killed::new(context, attempt);
        let write = || {
            let mut file = File::options().create_new(true).write(true).open(&path)?;
            file.lock()?;
            file.write_all(&serde_json::to_vec(&killed)?)?;
            file.sync_data().map(|()| file)
        };
        let file = write()
            .map_err(|e: std::io::Error| Error::cannot("recording what begins", e).on(path.display()))?;
        Ok(Self { _locked: file })
    }
}

/// An attempt whose tool is dead; its file is locked for as long as this lives, so that one makes the record.
pub struct Dead {
    pub killed: Killed,
    _locked: File,
}

/// Attempts below `base` whose tool no longer runs. Those that are on record already are the caller's to leave out.
pub fn dead(base: &Path) -> Vec<Dead> {
    let folders = fs::read_dir(base).into_iter().flatten().flatten();
    folders.filter_map(|folder| read(&folder.path().join(NAME))).collect()
}

fn read(path: &Path) -> Option<Dead> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    match file.try_lock() {
        Ok(()) => {}
        // It lives, or somebody else makes its record.
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    let mut text = Vec::new();
    file.rewind().and_then(|()| (&file).take(1 << 20).read_to_end(&mut text)).ok()?;
    Some(Dead { killed: serde_json::from_slice(&text).ok()?, _locked: file })
}

/// The record of an attempt that was cut off; `now` is when that was found out.
#[must_use]
pub fn of_killed(killed: &Killed, cleanup: Cleanup, now: Timestamp) -> RunFinished {
    let took =
        killed.started.parse::<Timestamp>().map_or(0, |started| now.duration_since(started).as_millis());
    RunFinished {
        attempt_id: killed.attempt_id.clone(),
        recipe: killed.recipe.clone(),
        version: killed.version.clone(),
        cases: killed.cases.clone(),
        reference: None,
        harness: None,
        tests: None,
        engine: killed.engine.clone(),
        node: killed.node.clone(),
        boot_id: killed.boot_id.clone(),
        stack: killed.stack.clone(),
        domain: Some(killed.domain.clone()),
        factors: killed.factors.clone(),
        outcome: Outcome::Aborted,
        reason: Some("swarm-isolate was killed, or its machine went down".into()),
        exit_code: None,
        signal: None,
        stage: None,
        started: killed.started.clone(),
        duration_ms: u64::try_from(took).unwrap_or(0),
        signature: None,
        isolation: Isolation {
            proved: false,
            why: Some("the run was cut off".into()),
            slots_held: 1,
            slots_total: 1,
            other_deploys: 0,
            foreign_cpu_before: None,
            foreign_cpu_during: None,
            cpu_pressure_before: None,
            cpu_pressure_during: None,
            neighbours: None,
            nodes: Vec::new(),
        },
        cleanup,
        refusals: Vec::new(),
        guard: None,
        harm: Vec::new(),
        notes: vec!["its duration is until somebody found it dead".into()],
        evidence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed() -> Killed {
        Killed {
            investigation: "i".into(),
            attempt_id: "a".into(),
            recipe: "mumble".into(),
            version: "1".into(),
            cases: vec![],
            engine: "20.10".into(),
            node: "n1".into(),
            boot_id: "b".into(),
            stack: "s_ci".into(),
            domain: "s.ci".into(),
            stacks: vec!["s_ci".into()],
            factors: Factors::new(),
            started: "2026-06-17T23:17:01.000Z".into(),
            ledger: None,
        }
    }

    #[test]
    fn a_cut_off_run_is_aborted_and_proves_nothing() {
        let now = "2026-06-17T23:18:02.500Z".parse().unwrap();
        let run = of_killed(&killed(), Cleanup::default(), now);
        assert_eq!((run.outcome, run.duration_ms, run.isolation.proved), (Outcome::Aborted, 61500, false));
        let earlier = "2026-06-17T23:00:00Z".parse().unwrap();
        assert_eq!(
            of_killed(&killed(), Cleanup::default(), earlier).duration_ms,
            0,
            "a clock that went back"
        );
    }

    #[test]
    fn only_what_nobody_holds_is_dead() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a").join(NAME);
        fs::create_dir(base.path().join("a")).unwrap();
        fs::create_dir_all(base.path().join("b").join(NAME)).unwrap();
        fs::write(&path, serde_json::to_vec(&killed()).unwrap()).unwrap();
        let alive = File::open(&path).unwrap();
        alive.lock().unwrap();
        assert!(dead(base.path()).is_empty());
        drop(alive);
        let found = dead(base.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].killed, killed());
        assert!(dead(base.path()).is_empty(), "one makes the record");
        drop(found);
        fs::write(&path, "{\"torn").unwrap();
        assert!(dead(base.path()).is_empty());
    }
}
