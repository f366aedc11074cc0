//! A child process together with everything that it starts: begins it through the launcher, reads its output, and ends
//! all of it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use lib_common::{Error, Result};
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::cgroup::Cgroup;
use super::output::{self, Activity, Besides};
use super::vocabulary::Vocabulary;
use super::{launch, pty, strays};
use crate::guard::Guard;

/// Where a child's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    Log,
    /// Lines are kept for the parent (a companion's records).
    Keep,
    /// Both streams go, unchanged, to our own standard output and standard error too.
    Through,
}

/// What a child is started with.
pub struct Start<'s> {
    pub command: &'s [String],
    pub variables: Vec<(String, String)>,
    /// File that gets the child's output, redacted.
    pub log: &'s Path,
    pub stdout: Stdout,
    /// Whether the redacted output goes to standard error, too.
    pub show: bool,
    pub pty: bool,
    pub cgroup: Option<Cgroup>,
    pub vocabulary: &'s Vocabulary,
    /// The open descriptor that our records go to, if they do: the child must not inherit it.
    pub records: Option<u32>,
    /// The guard that the child finds in the engine's place.
    pub guard: Option<&'s Guard>,
}

/// What is known once a group has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Lines of a kept standard output.
    pub kept: Vec<Vec<u8>>,
    /// Sentences for the record, for example that the log is incomplete.
    pub notes: Vec<String>,
}

/// A running child and all that it started.
pub struct Group {
    child: Child,
    pid: i32,
    cgroup: Option<Cgroup>,
    copies: Vec<JoinHandle<()>>,
    writer: JoinHandle<Option<std::io::Error>>,
    log: String,
    kept: mpsc::UnboundedReceiver<Vec<u8>>,
    activity: Activity,
}

/// `sh -c LINE`, for what is given as a shell command.
pub fn shell(line: &str) -> [String; 3] {
    ["sh".into(), "-c".into(), line.into()]
}

impl Group {
    pub fn start(start: Start) -> Result<Self> {
        let doing = "starting the command";
        let keeping = |e| Error::cannot("keeping the output", e).on(start.log.display());
        let file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(start.log)
            .map_err(keeping)?;
        // Not our own path: an update may replace that file during the run, and this is still the same program.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg(launch::WORD)
            .arg("--parent")
            .arg(std::process::id().to_string())
            .args(start.pty.then_some("--pty"));
        if let Some(cgroup) = &start.cgroup {
            command.arg("--cgroup").arg(cgroup.path());
        }
        if let Some(records) = start.records {
            command.arg("--close").arg(records.to_string());
        }
        if let Some(guard) = start.guard {
            command.arg("--guard").arg(guard.socket());
            if let Some(engine) = guard.engine() {
                command.arg("--engine").arg(engine);
            }
            command.env_remove("DOCKER_TLS_VERIFY").env_remove("DOCKER_CERT_PATH");
        }
        command
            .arg("--")
            .args(start.command)
            // This process has locked the ledger; records of children go through it.
            .env_remove("REDFIX_LEDGER")
            .env_remove("DOCKER_CONTEXT")
            .envs(start.variables)
            .kill_on_drop(true);
        let terminal = if start.pty {
            let (ours, theirs) = pty::open().map_err(|e| Error::cannot("opening a pseudo-terminal", e))?;
            let end = || theirs.try_clone().map(Stdio::from).map_err(|e| Error::cannot(doing, e));
            command.stdin(end()?).stdout(end()?).stderr(end()?);
            if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
                command.env("TERM", "xterm");
            }
            Some(ours)
        } else {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        };
        let mut child = command.spawn().map_err(|e| Error::cannot(doing, e).on(start.command.join(" ")))?;
        // Drop our copy of the terminal's other end: reading ours ends only when nobody holds the other open.
        drop(command);
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        strays::spare(pid);

        let (keep, kept) = mpsc::unbounded_channel();
        let (write, lines) = mpsc::channel(256);
        let activity = Activity::new();
        let besides = match start.stdout {
            Stdout::Log => Besides::Nothing,
            Stdout::Keep => Besides::Parent(keep),
            Stdout::Through => Besides::Through(Box::new(tokio::io::stdout())),
        };
        let besides_err = match start.stdout {
            Stdout::Through => Besides::Through(Box::new(tokio::io::stderr())),
            _ => Besides::Nothing,
        };
        let copy = |besides| (write.clone(), besides, start.vocabulary.stream(), activity.clone());
        let mut copies = Vec::new();
        if let Some(terminal) = terminal {
            let (write, besides, redactor, activity) = copy(besides);
            copies.push(tokio::spawn(output::copy(terminal, write, besides, redactor, activity)));
        } else {
            if let Some(out) = child.stdout.take() {
                let (write, besides, redactor, activity) = copy(besides);
                copies.push(tokio::spawn(output::copy(out, write, besides, redactor, activity)));
            }
            if let Some(err) = child.stderr.take() {
                let (write, besides, redactor, activity) = copy(besides_err);
                copies.push(tokio::spawn(output::copy(err, write, besides, redactor, activity)));
            }
        }
        let writer =
            tokio::spawn(output::write_log(file, lines, start.show && start.stdout != Stdout::Through));
        let log = start.log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { child, pid, cgroup: start.cgroup, copies, writer, log, kept, activity })
    }

    /// Process id, which is also the group's and the session's.
    pub fn id(&self) -> i32 {
        self.pid
    }

    pub fn cgroup(&self) -> Option<&Path> {
        self.cgroup.as_ref().map(Cgroup::path)
    }

    /// Shows when the child printed something last.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    pub async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Ends the child and all that it started: SIGTERM, after `grace` SIGKILL.
    pub async fn stop(mut self, grace: Duration) -> Ended {
        self.terminate();
        if tokio::time::timeout(grace, self.gone()).await.is_err() {
            signal(self.pid, Signal::KILL);
            let _ = self.child.wait().await;
        }
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.end().await;
        }
        strays::forget(self.pid);
        let notes = self.listened().await;
        let mut kept = Vec::new();
        while let Ok(line) = self.kept.try_recv() {
            kept.push(line);
        }
        Ended { kept, notes }
    }

    fn terminate(&self) {
        signal(self.pid, Signal::TERM);
        if let Some(cgroup) = &self.cgroup {
            cgroup.terminate_outside(Pid::from_raw(self.pid));
        }
    }

    /// Returns once no process of the group is left.
    async fn gone(&mut self) {
        let _ = self.child.wait().await;
        let group = Pid::from_raw(self.pid);
        while let Some(group) = group {
            // We adopt orphans, so other members may have become our children, and nobody else reaps those.
            while rustix::process::waitpgid(group, WaitOptions::NOHANG).is_ok_and(|ended| ended.is_some()) {}
            let empty = rustix::process::test_kill_process_group(group).is_err();
            if empty && self.cgroup.as_ref().is_none_or(Cgroup::is_empty) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Reads what is still in the pipes, for at most two seconds each: a process that left both the process group and the
    /// control group may hold them open for ever.
    async fn listened(&mut self) -> Vec<String> {
        // A process that has escaped may hold the output open for ever.
        let deadline = Duration::from_secs(2);
        for mut copy in self.copies.drain(..) {
            if tokio::time::timeout(deadline, &mut copy).await.is_err() {
                copy.abort();
                let _ = copy.await;
            }
        }
        let failed = tokio::time::timeout(deadline, &mut self.writer).await;
        match failed {
            Ok(Ok(None)) => Vec::new(),
            Ok(Ok(Some(cause))) => vec![format!("{} is incomplete: {cause}", self.log)],
            _ => vec![format!("{} is incomplete: it could not be written in time", self.log)],
        }
    }
}

fn signal(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        // Until the launcher has called `setsid` there is no such group, only the process. Ignore ESRCH of both: the child
        // has ended already.
        let _ = rustix::process::kill_process_group(group, signal)
            .or_else(|_| rustix::process::kill_process(group, signal));
    }
}
