//! The command that the guard stands in front of. It is started so that it finds the guard in the engine's place, and
//! is asked to end when the guard is.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use lib_common::{Error, Exit, Result, cover};
use rustix::process::{Pid, Signal};
use tokio::sync::oneshot;

/// The exit codes of `env` and `docker run`: the guard failed before the command began, the command cannot be
/// executed, the command was not found.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

pub struct Child {
    pid: Option<Pid>,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
    /// The empty file that the guard's socket is mounted on where the engine has no default socket.
    _placeholder: Option<cover::Placeholder>,
}

impl Child {
    /// Starts the command; where mounting is possible, the guard's socket covers the default sockets and the engine's.
    pub async fn start(command: &[String], socket: &Path, engine: Option<PathBuf>) -> Result<Self> {
        let placeholder = cover::is_possible().then(cover::Placeholder::at_default).flatten();
        let (start, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (words, guard) = (command.to_vec(), socket.to_owned());
        // A mount namespace belongs to a thread and what it starts. So a thread of its own makes the mounts: all others,
        // which have to reach the engine, do not see them.
        std::thread::spawn(move || match spawn(&words, &guard, engine.as_deref()) {
            Ok(mut child) => {
                let _ = start.send(Ok(child.id()));
                let _ = end.send(child.wait());
            }
            Err(error) => drop(start.send(Err(error))),
        });
        let failed = |e| Error::child(FAILED, "starting the command", e);
        let id = started.await.map_err(failed)??;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        Ok(Self { pid, ended, _placeholder: placeholder })
    }

    /// Returns when the command has ended, with its exit code.
    pub async fn wait(&mut self) -> Result<Exit> {
        let failed = |e: &dyn std::fmt::Display| Error::child(FAILED, "waiting for the command", e);
        let status = (&mut self.ended).await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Ok(if code == 0 { Exit::Done } else { Exit::Child(u8::try_from(code).unwrap_or(u8::MAX)) })
    }

    /// Sends the command `SIGTERM`. `SIGINT` and `SIGHUP` are not passed on, because a terminal sends them to both.
    pub fn terminate(&self) {
        if let Some(pid) = self.pid {
            // Ignore ESRCH: the command has ended already.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }
}

fn spawn(command: &[String], guard: &Path, engine: Option<&Path>) -> Result<std::process::Child> {
    if cover::is_possible() {
        cover::cover(guard, engine)?;
    }
    let started = Command::new(&command[0])
        .args(&command[1..])
        .env("DOCKER_HOST", format!("unix://{}", guard.display()))
        // Nothing else may lead a client past the guard, or make it speak TLS to it.
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY")
        .env_remove("DOCKER_CERT_PATH")
        .spawn();
    started.map_err(|e| {
        let code = if e.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        Error::child(code, "starting the command", e).on(&command[0])
    })
}
