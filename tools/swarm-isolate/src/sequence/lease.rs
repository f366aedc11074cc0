//! The leases that runs live on: renewed while there are runs, given back when there are no more. The leases are
//! `warm-domain-alloc`'s business, so that program is asked; where it is missing, the record says so.

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

/// Dropped, it renews no more; what was not released expires by itself.
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

    /// Renews a lease now and at every third of its time, from here on; once is enough.
    pub fn keep(&mut self, lease: &DomainLeased) {
        if self.renewals.contains_key(&lease.lease_id) {
            return;
        }
        let (engine, investigation) = (self.engine.clone(), self.investigation.clone());
        let (id, notes) = (lease.lease_id.clone(), Arc::clone(&self.notes));
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

    /// Does not give this lease back: what was kept on purpose lives at its domain.
    pub fn leave(&mut self, id: &str) {
        if let Some(renewal) = self.renewals.remove(id) {
            renewal.abort();
        }
    }

    /// What could not be done, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives every lease back. The lines that the program printed, and what went wrong, in words.
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

/// Standard output, or in words why not.
async fn ask(what: &str, id: &str, engine: &str, investigation: &str) -> Result<Vec<u8>, String> {
    let mut command = Command::new(PROGRAM);
    command
        .args([what, "--lease", id, "--investigation", investigation])
        .env("DOCKER_HOST", engine)
        // Records of children go through their parent, who alone writes the ledger.
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
