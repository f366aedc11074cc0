//! Child processes in process groups of their own: started, listened to, and ended whole.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use lib_common::redact::Redactor;
use lib_common::{Error, Result};
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::proc;

/// What a group's standard output is for; its standard error always goes to the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    Log,
    /// Lines are kept for the parent (a companion's records).
    Keep,
}

/// A running child with its process group.
pub struct Group {
    child: Child,
    pid: i32,
    copies: Vec<JoinHandle<()>>,
    kept: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Group {
    /// Starts `command`; what it prints goes, redacted, to the file `log`, and to standard error if `show`.
    pub fn start(mut command: Command, log: &Path, stdout: Stdout, show: bool) -> Result<Self> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let file = File::create(log).map_err(|e| Error::cannot("keeping the output", e).on(log.display()))?;
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| Error::cannot("starting the command", e).on(program))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        let (keep, kept) = mpsc::unbounded_channel();
        let (write, lines) = mpsc::channel(256);
        let mut copies = vec![tokio::spawn(write_log(file, lines, show))];
        if let Some(out) = child.stdout.take() {
            let keep = (stdout == Stdout::Keep).then_some(keep);
            copies.push(tokio::spawn(copy_lines(out, write.clone(), keep)));
        }
        if let Some(err) = child.stderr.take() {
            copies.push(tokio::spawn(copy_lines(err, write, None)));
        }
        Ok(Self { child, pid, copies, kept })
    }

    /// Process id, which is also the group's.
    pub fn id(&self) -> i32 {
        self.pid
    }

    pub async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Ends the whole group: SIGTERM, `grace`, SIGKILL. Returns the leader's status and the lines kept.
    pub async fn stop(mut self, grace: Duration) -> (Option<ExitStatus>, Vec<Vec<u8>>) {
        let group = Pid::from_raw(self.pid);
        signal(group, Signal::TERM);
        let mut status = None;
        let gone = async {
            status = self.child.wait().await.ok();
            // The rest of the group may have become our children (we adopt orphans): nobody else reaps them.
            while let Some(group) = group {
                while rustix::process::waitpgid(group, WaitOptions::NOHANG).is_ok_and(|ended| ended.is_some())
                {
                }
                if rustix::process::test_kill_process_group(group).is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() {
            signal(group, Signal::KILL);
            status = self.child.wait().await.ok();
        }
        // A process that left the group may still hold the pipes; what it says later is not waited for.
        for copy in self.copies {
            let abort = copy.abort_handle();
            if tokio::time::timeout(Duration::from_secs(2), copy).await.is_err() {
                abort.abort();
            }
        }
        let mut kept = Vec::new();
        while let Ok(line) = self.kept.try_recv() {
            kept.push(line);
        }
        (status, kept)
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // A group that is gone already is what was wanted.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Makes orphans of our children our own, so that what double-forks and calls `setsid` is still found.
pub fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(rustix::process::getpid().into());
}

/// Kills every child of this process that is in none of the groups in `keep`, and theirs in turn.
pub async fn kill_orphans(keep: &[i32]) {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    for _ in 0..200 {
        let found: Vec<Pid> = proc::processes()
            .iter()
            .filter(|process| process.parent == me && !keep.contains(&process.group))
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

async fn copy_lines(
    from: impl AsyncRead + Unpin,
    write: mpsc::Sender<Vec<u8>>,
    keep: Option<mpsc::UnboundedSender<Vec<u8>>>,
) {
    let mut reader = BufReader::new(from);
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        match &keep {
            Some(keep) => drop(keep.send(std::mem::take(&mut line))),
            None => drop(write.send(redactor.line(&line).into_owned()).await),
        }
        line.clear();
    }
}

async fn write_log(mut file: File, mut lines: mpsc::Receiver<Vec<u8>>, show: bool) {
    while let Some(line) = lines.recv().await {
        // A full disk must not stop the command; the gap shows in the log's size.
        let _ = file.write_all(&line);
        if show {
            let _ = std::io::stderr().write_all(&line);
        }
    }
}
