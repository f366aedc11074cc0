//! Ends orphans of our children. This process adopts them (a child subreaper), so they are found even when the command
//! has no control group.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::proc;

/// Process groups that are no strays: those of our running children and helpers.
static SPARED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Makes this process the parent of its children's orphans, so that a process that double-forks and calls `setsid` is
/// still found.
pub fn adopt() {
    let _ = rustix::process::set_child_subreaper(rustix::process::getpid().into());
}

/// Protects this process group from [`kill`].
pub fn spare(group: i32) {
    SPARED.lock().unwrap_or_else(PoisonError::into_inner).push(group);
}

/// Ends the protection of a process group.
pub fn forget(group: i32) {
    SPARED.lock().unwrap_or_else(PoisonError::into_inner).retain(|spared| *spared != group);
}

/// Kills every child of this process outside the spared groups. Their children become ours in turn, so it repeats until
/// none is left, for at most two seconds.
pub async fn kill() {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    // Killing a process may orphan its children, so look until there are none, for at most 2 s.
    for _ in 0..200 {
        let spared = SPARED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found: Vec<Pid> = proc::processes()
            .iter()
            .filter(|process| process.parent == me && !spared.contains(&process.group))
            .filter_map(|process| Pid::from_raw(process.pid))
            .collect();
        if found.is_empty() {
            return;
        }
        for pid in found {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
