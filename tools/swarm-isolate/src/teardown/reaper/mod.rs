//! The detached reaper: a second process of this program, which finishes an attempt if the first process is killed.
//!
//! It learns over a pipe which attempt begins and which has ended. Only this process has the pipe's other end, so the
//! kernel closes the pipe when this process dies, in whatever way. The reaper is no child of ours, has a session of its
//! own, and has none of our streams open, so that nobody who waits for our output also waits for the reaper.

mod finish;
mod process;
mod processes;

use std::process::Stdio;
use std::time::Duration;

use lib_common::{Error, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

pub use finish::{finish, has_record};
pub use process::run;

use super::begun::{Begun, Hold};

/// This very program, even if an update has replaced the file at its path.
const SELF: &str = "/proc/self/exe";
/// How long to wait for the reaper's answer, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reaper, seen from the first process.
pub struct Reaper {
    pipes: Mutex<Pipes>,
    /// A sentence for the record if the reaper shares our control group.
    pub note: Option<String>,
}

struct Pipes {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    held: Option<Hold>,
}

impl Reaper {
    /// Starts the reaper. Call it before this process adopts orphans: the reaper's parent ends at once, and the reaper
    /// must not become our child again.
    pub async fn start() -> Result<Self> {
        let fail = |cause: String| Error::cannot("starting the reaper", cause);
        let mut child = Command::new(SELF)
            .arg0("swarm-isolate")
            .arg("reaper")
            // Without the caller's environment the reaper cannot be taken for a process of a run, which are found by
            // REDFIX_ATTEMPT.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR"))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| fail(e.to_string()))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("it has no pipes".into()));
        };
        let mut pipes = Pipes { to, from: BufReader::new(from), held: None };
        let (_, hello) = tokio::join!(child.wait(), pipes.answer());
        let hello = hello?;
        let note = hello.strip_prefix("ready ").map(|note| note.trim().to_owned()).filter(|n| !n.is_empty());
        Ok(Self { pipes: Mutex::new(pipes), note })
    }

    /// Call before anything is created. When this returns, the reaper knows of the attempt.
    pub async fn begin(&self, begun: &Begun) -> Result<()> {
        let mut pipes = self.pipes.lock().await;
        pipes.held = Some(begun.begin()?);
        pipes.say(&begun.folder.display().to_string()).await?;
        pipes.answer().await.map(drop)
    }

    /// Call when the attempt is over and its record is written.
    pub async fn end(&self) {
        let mut pipes = self.pipes.lock().await;
        // Ignore an error: the reaper would find everything done and the record in the ledger.
        let _ = pipes.say("").await;
        pipes.held = None;
    }
}

impl Pipes {
    async fn say(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        let said = tokio::time::timeout(PATIENCE, self.to.write_all(line.as_bytes())).await;
        match said {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(Error::cannot("telling the reaper", e)),
            Err(_) => Err(Error::cannot("telling the reaper", "it does not listen")),
        }
    }

    async fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        match tokio::time::timeout(PATIENCE, self.from.read_line(&mut line)).await {
            Ok(Ok(n)) if n > 0 => Ok(line),
            _ => Err(Error::cannot("starting the reaper", "it does not answer")),
        }
    }
}
