//! Renews the leases of the runs' domains while there are runs, and releases them afterwards. `warm-domain-alloc` does
//! the work, since leases are its business; if that program is missing, the record says so.

use std::collections::BTreeMap;
use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lib_common::record::domain::DomainLeased;
use tokio::process::Command;
use tokio::task::JoinHandle;

const PROGRAM: &str = "warm-domain-alloc";
/// Longest time that a renewal or a release may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// The leases in use. When it is dropped renewals stop, and leases that were not released expire.
pub struct Leases {
    engine: String,
    investigation: String,
    renewals: BTreeMap<String, JoinHandle<()>>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Leases {
    pub fn new(engine: String, investigation: String) -> Self {
        Self { engine, investigation, renewals: BTreeMap::new(), notes: Arc::default() }
    }

    /// Renews a lease from now on, at every third of its time to live. Further calls for the same lease do nothing.
    pub fn keep(&mut self, lease: &DomainLeased) {
        if self.renewals.contains_key(&lease.lease_id) {
            return;
        }
        let (engine, investigation) = (self.engine.clone(), self.investigation.clone());
        let (id, notes) = (lease.lease_id.clone(), Arc::clone(&self.notes));
        // With a third of its time, two renewals may fail before the lease expires.
        let pause = Duration::from_millis(lease.ttl_ms / 3).max(Duration::from_secs(1));
        let renewal = tokio::spawn(async move {
            loop {
                if let Err(cause) = ask("renew", &id, &engine, &investigation).await {
                    note(&notes, format!("lease {id} is not renewed: {cause}"));
                }
                tokio::time::sleep(pause).await;
            }
        });
        self.renewals.insert(lease.lease_id.clone(), renewal);
    }

    /// Keeps this lease from being released, because a stack that was kept on purpose uses its domain.
    pub fn leave(&mut self, id: &str) {
        if let Some(renewal) = self.renewals.remove(id) {
            renewal.abort();
        }
    }

    /// What went wrong so far, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Releases every lease; returns the records that the program printed, and what went wrong, for people.
    pub async fn release(mut self) -> (Vec<Vec<u8>>, Vec<String>) {
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        for (id, renewal) in std::mem::take(&mut self.renewals) {
            renewal.abort();
            match ask("release", &id, &self.engine, &self.investigation).await {
                Ok(stdout) => {
                    let printed = stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                    lines.extend(printed.map(<[u8]>::to_vec));
                }
                Err(cause) => wrong.push(format!("lease {id} is not released: {cause}")),
            }
        }
        (lines, wrong)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.renewals.values().for_each(JoinHandle::abort);
    }
}

fn note(notes: &Mutex<Vec<String>>, text: String) {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if !notes.contains(&text) {
        notes.push(text);
    }
}

/// Runs `warm-domain-alloc` for one lease; returns its standard output, or why it failed.
async fn ask(what: &str, id: &str, engine: &str, investigation: &str) -> Result<Vec<u8>, String> {
    let mut command = Command::new(PROGRAM);
    command
        .args([what, "--lease", id, "--investigation", investigation])
        .env("DOCKER_HOST", engine)
        // The child must not write to the ledger, which this process has locked; its records go through us.
        .env_remove("REDFIX_LEDGER")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    answer(tokio::time::timeout(DEADLINE, command.output()).await.map_err(|_| ()))
}

fn answer(output: Result<io::Result<Output>, ()>) -> Result<Vec<u8>, String> {
    match output {
        Err(()) => Err("no answer within a minute".into()),
        Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => Err(format!("{PROGRAM} is not on PATH")),
        Ok(Err(e)) => Err(e.to_string()),
        Ok(Ok(output)) if output.status.success() => Ok(output.stdout),
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let first = text.lines().next().unwrap_or_default().trim_start_matches(&format!("{PROGRAM}: "));
            Err(format!("{first} ({})", output.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn answers_in_words() {
        let output = |code: i32, stderr: &str| {
            let status = std::process::ExitStatus::from_raw(code << 8);
            Ok(Ok(Output { status, stdout: b"{}".to_vec(), stderr: stderr.into() }))
        };
        assert_eq!(answer(output(0, "")), Ok(b"{}".to_vec()));
        assert_eq!(
            answer(output(1, "warm-domain-alloc: it is gone\nhint")).unwrap_err(),
            "it is gone (exit status: 1)"
        );
        let missing = answer(Ok(Err(io::ErrorKind::NotFound.into()))).unwrap_err();
        assert_eq!(missing, "warm-domain-alloc is not on PATH");
        assert!(answer(Err(())).is_err());
    }
}
