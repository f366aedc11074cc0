//! Starts `swarm-guard` before the command, reads its records, and ends it after the command. The command sees only the
//! guard's socket, so if the guard dies the command no longer reaches the engine.

pub mod policy;
mod records;
pub mod secrets;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lib_common::allow::Policy;
use lib_common::cover;
use lib_common::docker::Engine;
use lib_common::{Error, Result};
use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use records::Report;
use secrets::Lent;

use crate::command::vocabulary::Vocabulary;
use crate::command::{launch, strays};
use crate::teardown::calls::Calls;

const PROGRAM: &str = "swarm-guard";
/// How many engine deadlines the guard may take to begin or to end: it makes a few calls at either time.
const LAST_CALLS: u32 = 10;

/// Finds the guard's program, first beside our own, since both were installed together.
pub fn find() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    beside.filter(|path| path.is_file()).or_else(|| which::which(PROGRAM).ok()).ok_or_else(|| {
        Error::cannot("looking for the guard", "neither beside swarm-isolate nor on PATH")
            .on(PROGRAM)
            .hint("install it with swarm-isolate (make install), or put its folder on PATH")
    })
}

/// A guard that listens.
pub struct Guard {
    socket: PathBuf,
    /// The engine's socket, unless the engine is reached over TCP.
    engine: Option<PathBuf>,
    child: Child,
    pid: i32,
    records: JoinHandle<Report>,
    /// True once the guard's standard output has ended.
    silent: watch::Receiver<bool>,
    deadline: std::time::Duration,
    vocabulary: Vocabulary,
    _placeholder: Option<cover::Placeholder>,
    /// Holds the socket; private to this user, and removed with the guard.
    _folder: tempfile::TempDir,
}

/// What a guard is started with.
pub struct Start<'s> {
    pub program: &'s Path,
    pub engine: &'s Engine,
    pub policy: &'s Policy,
    /// Gets each secret that the command creates.
    pub vocabulary: &'s Vocabulary,
    /// Gets the same secrets, as lines.
    pub companion: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// Gets the calls that change something, each with its time.
    pub calls: Calls,
    /// The open descriptor that our records go to, if they do: the guard must not inherit it.
    pub close: Option<u32>,
}

impl Guard {
    /// Returns when the guard listens and watches the engine's events.
    pub async fn start(start: Start<'_>) -> Result<Self> {
        let doing = "starting the guard";
        let cannot = |e: std::io::Error| Error::cannot(doing, e);
        let folder = tempfile::Builder::new().prefix("redfix-guard-").tempdir().map_err(cannot)?;
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).map_err(cannot)?;
        let socket = folder.path().join("docker.sock");
        let (told, tells) = secrets::from_guard()?;
        let mut child = tells.lend(|| spawn(&start, &socket, &tells))?;
        drop(tells);
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        strays::spare(pid);
        start.vocabulary.hear(told, start.companion)?;

        let (ready, is_ready) = oneshot::channel();
        let (tell, silent) = watch::channel(false);
        let records = child.stdout.take().map(|out| records::listen(out, ready, start.calls, tell));
        let records = tokio::spawn(async move {
            match records {
                Some(records) => records.await,
                None => Report::default(),
            }
        });
        let line = serde_json::to_string(start.policy).map_err(|e| Error::cannot(doing, e))?;
        if let Some(mut policy) = child.stdin.take() {
            // Ignore the error: a guard without its policy never becomes ready, which is reported below.
            let _ = policy.write_all(format!("{line}\n").as_bytes()).await;
        }
        let deadline = start.engine.timeout() * LAST_CALLS;
        if !matches!(tokio::time::timeout(deadline, is_ready).await, Ok(Ok(()))) {
            let cause = "the guard did not begin to listen";
            return Err(Error::again(doing, cause)
                .on(start.program.display())
                .hint("its own message, above, says why"));
        }
        let engine = start.engine.endpoint().socket().map(ToOwned::to_owned);
        Ok(Self {
            socket,
            engine,
            child,
            pid,
            records,
            silent,
            deadline,
            vocabulary: start.vocabulary.clone(),
            _placeholder: cover::is_possible().then(cover::Placeholder::at_default).flatten(),
            _folder: folder,
        })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The engine's own socket, which the guard's is to cover.
    pub fn engine(&self) -> Option<&Path> {
        self.engine.as_deref()
    }

    /// Process id.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// Returns when the guard has ended although nobody asked it to.
    pub async fn gone(&self) {
        let _ = self.silent.clone().wait_for(|silent| *silent).await;
    }

    /// Ends the guard and returns its report.
    pub async fn stop(mut self) -> Report {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let told = tokio::time::timeout(self.deadline, &mut self.records).await;
        if told.is_err() {
            let _ = self.child.start_kill();
        }
        let mut report = told.ok().and_then(std::result::Result::ok).unwrap_or_default();
        let status = self.child.wait().await;
        strays::forget(self.pid);
        self.vocabulary.heard();
        if !report.is_whole {
            let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            report.died =
                Some(format!("the guard died ({how}): the command's calls reached no engine any more"));
        }
        report.note = (!cover::is_possible()).then(|| NOT_COVERED.to_owned());
        report
    }
}

const NOT_COVERED: &str = "without the right to mount, the guard did not cover the engine's own socket";

/// Starts the guard through the launcher: in a session of its own, so that no signal of a terminal ends it before the
/// command, and so that it ends when we do.
fn spawn(start: &Start, socket: &Path, tells: &Lent) -> Result<Child> {
    let engine = start.engine;
    let mut command = Command::new("/proc/self/exe");
    command.arg(launch::WORD).arg("--parent").arg(std::process::id().to_string());
    if let Some(number) = start.close {
        command.arg("--close").arg(number.to_string());
    }
    command
        .arg("--")
        .arg(start.program)
        .args(["--quiet", "--policy", "-", "--socket"])
        .arg(socket)
        .arg("--secrets")
        .arg(tells.number().to_string())
        .arg("--host")
        .arg(engine.endpoint().to_string())
        .arg("--engine-timeout")
        .arg(format!("{}ms", engine.timeout().as_millis()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().map_err(|e| Error::cannot("starting the guard", e).on(start.program.display()))
}
