//! Ends what a killed tool left running: every process that has the attempt's id in its environment, and the process
//! groups that such processes lead.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::proc;

/// How often processes are listed.
const LOOK: Duration = Duration::from_millis(20);

/// Sends SIGTERM and, after `grace`, SIGKILL until none is left. Gives up after ten more seconds: a process that hangs
/// in the kernel cannot be ended.
pub async fn end(attempt: &str, grace: Duration) {
    let start = Instant::now();
    let mut run = AttemptProcesses { mark: format!("REDFIX_ATTEMPT={attempt}"), seen: BTreeSet::new() };
    let mut told = BTreeSet::new();
    loop {
        let found = run.processes();
        if found.is_empty() || start.elapsed() > grace + Duration::from_secs(10) {
            return;
        }
        for pid in found {
            if start.elapsed() >= grace {
                let _ = kill_process(pid, Signal::KILL);
            } else if told.insert(pid.as_raw_nonzero()) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The processes of one attempt.
struct AttemptProcesses {
    mark: String,
    /// Process ids that had the mark at any time. A group keeps its leader's id after the leader has ended, so members
    /// that cleared their environment are found by it.
    seen: BTreeSet<i32>,
}

impl AttemptProcesses {
    fn processes(&mut self) -> Vec<Pid> {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let all: Vec<proc::Process> = proc::processes().into_iter().filter(|p| p.pid != me).collect();
        let carries = |process: &&proc::Process| {
            let environ = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|entry| entry == self.mark.as_bytes())
        };
        let marked: BTreeSet<i32> = all.iter().filter(carries).map(|process| process.pid).collect();
        self.seen.extend(&marked);
        // Skip zombies, which have ended already; their command line is empty.
        let lives = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        let ours = |p: &&proc::Process| marked.contains(&p.pid) || self.seen.contains(&p.group);
        let living = all.iter().filter(ours).filter(|process| lives(process.pid));
        living.filter_map(|process| Pid::from_raw(process.pid)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn whoever_carries_the_attempt_is_ended_and_nobody_else() {
        let attempt = lib_common::new_id();
        let start = |id: &str| {
            // The second process clears its environment but stays in the group.
            let script = "env -i sleep 60 & trap '' TERM; sleep 60; sleep 60";
            Command::new("sh")
                .args(["-c", script])
                .env("REDFIX_ATTEMPT", id)
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let (mut ours, mut other) = (start(&attempt), start("somebody-else"));
        let mut run = AttemptProcesses { mark: format!("REDFIX_ATTEMPT={attempt}"), seen: BTreeSet::new() };
        // Three processes: the shell, its sleep, and the sleep without an environment.
        while run.processes().len() < 3 {
            std::thread::yield_now();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reaper = std::thread::spawn(move || ours.wait().unwrap());
        runtime.block_on(end(&attempt, Duration::from_millis(50)));
        assert!(!reaper.join().unwrap().success());
        assert_eq!(run.processes(), Vec::<Pid>::new());
        assert!(other.try_wait().unwrap().is_none(), "the stranger lives");
        let group = Pid::from_raw(other.id().cast_signed()).unwrap();
        rustix::process::kill_process_group(group, Signal::KILL).unwrap();
        other.wait().unwrap();
    }
}
