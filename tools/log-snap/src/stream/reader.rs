//! Reads one container's log: follows it while recording, then proves its end with a last plain reading.
//!
//! A followed stream never says that it is whole: it may end early at a rotation, or when its container is
//! removed. So whatever ended it, the log is asked for once more without following, what is known is left
//! out, and only the end of that reading counts.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use lib_common::docker::{ApiError, ApiResult};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frame::{Decoder, Piece};
use super::hold::Held;
use super::line::Assembler;
use super::resume::Resume;
use super::stamp;
use crate::api::{Api, Body};

/// Whether the recording goes on; in the end every stream has until the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Not,
    Drain(Instant),
}

/// Bounds of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest silence of a reading that does not follow.
    pub idle: Duration,
    /// Text bytes that are kept.
    pub stream: u64,
    /// Longest line that is kept whole.
    pub line: usize,
}

/// Where the lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `/containers/{id}/logs` of this node.
    Container,
    /// `/tasks/{id}/logs` of a manager: for other nodes, and where the container is gone.
    Task,
}

/// How the last reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Never,
    Eof,
    Idle,
    Deadline,
    Error(String),
}

/// The log of one container.
pub struct Stream {
    pub container: String,
    pub task: Option<String>,
    pub source: Source,
    pub held: Held,
    pub bytes: u64,
    pub lines: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub ended: Ended,
    /// What went wrong on the way, even if a later reading made good for it.
    pub notes: Vec<String>,
    assembler: Assembler,
    resume: Resume,
}

/// Why one request's body is not read on.
enum Pass {
    Stopped,
    Missing(String),
    Ended(Ended),
}

impl Stream {
    #[must_use]
    pub fn new(container: &str, task: Option<&str>, source: Source, limits: Limits) -> Self {
        Self {
            container: container.to_owned(),
            task: task.map(ToOwned::to_owned),
            source,
            held: Held::new(limits.stream),
            bytes: 0,
            lines: 0,
            first: None,
            last: None,
            ended: Ended::Never,
            notes: Vec::new(),
            assembler: Assembler::new(limits.line),
            resume: Resume::default(),
        }
    }

    /// Reads until the log ends (following it before, if `follow`), `stop`'s deadline or a failure.
    /// May be called again on what it returns, e.g. when the container was started again.
    pub async fn read<A: Api>(
        mut self,
        api: A,
        follow: bool,
        limits: Limits,
        mut stop: watch::Receiver<Stop>,
    ) -> Self {
        let mut followed = false;
        if follow && *stop.borrow() == Stop::Not {
            match self.pass(&api, None, &mut stop).await {
                Pass::Stopped | Pass::Ended(Ended::Eof) => followed = true,
                Pass::Ended(Ended::Error(cause)) | Pass::Missing(cause) => self.note(cause),
                Pass::Ended(_) => {}
            }
        }
        self.ended = match self.pass(&api, Some(limits.idle), &mut stop).await {
            Pass::Ended(ended) => ended,
            Pass::Stopped => Ended::Deadline,
            // The container was followed to the end of its log, and then removed.
            Pass::Missing(_) if followed => Ended::Eof,
            Pass::Missing(cause) if self.task.is_some() && self.source == Source::Container => {
                self.by_task(&api, cause, limits.idle, &mut stop).await
            }
            Pass::Missing(cause) => Ended::Error(cause),
        };
        let mut lines = Vec::new();
        self.assembler.finish(&mut lines);
        self.keep(&lines);
        self.held.close();
        self
    }

    /// The container is gone: its task may still tell. An empty answer proves nothing, because the task
    /// endpoint swallows the errors of the node that it asks.
    async fn by_task<A: Api>(
        &mut self,
        api: &A,
        cause: String,
        idle: Duration,
        stop: &mut watch::Receiver<Stop>,
    ) -> Ended {
        let before = self.lines;
        self.source = Source::Task;
        self.note(cause.clone());
        match self.pass(api, Some(idle), stop).await {
            Pass::Ended(Ended::Eof) if self.lines > before => Ended::Eof,
            Pass::Ended(Ended::Eof) | Pass::Missing(_) => Ended::Error(cause),
            Pass::Ended(ended) => ended,
            Pass::Stopped => Ended::Deadline,
        }
    }

    fn note(&mut self, cause: String) {
        if !self.notes.contains(&cause) && self.notes.len() < 8 {
            self.notes.push(cause);
        }
    }

    fn path(&self, follow: bool, since: Option<i64>) -> String {
        let (kind, id) = match (self.source, &self.task) {
            (Source::Task, Some(task)) => ("tasks", task),
            _ => ("containers", &self.container),
        };
        let follow = u8::from(follow);
        let since = since.map(|at| format!("&since={}", stamp::query(at))).unwrap_or_default();
        format!("/{kind}/{id}/logs?stdout=1&stderr=1&timestamps=1&follow={follow}{since}")
    }

    /// One request. `idle`: `None` follows.
    async fn pass<A: Api>(
        &mut self,
        api: &A,
        idle: Option<Duration>,
        stop: &mut watch::Receiver<Stop>,
    ) -> Pass {
        let since = self.resume.again();
        let path = self.path(idle.is_none(), since);
        let mut body = match bounded(api.open(&path), idle.map(|idle| idle * 2), stop).await {
            Ok(Ok(body)) => body,
            // 409: the container is being removed.
            Ok(Err(e)) if e.is_missing() || e.status == 409 => return Pass::Missing(e.message),
            Ok(Err(e)) => return Pass::Ended(Ended::Error(show(&e))),
            Err(pass) => return pass,
        };
        let (mut decoder, mut pieces) = (Decoder::default(), Vec::new());
        loop {
            let outcome = match bounded(body.chunk(), idle, stop).await {
                Err(pass) => return pass,
                Ok(Err(e)) => return Pass::Ended(Ended::Error(show(&e))),
                Ok(Ok(Some(bytes))) => decoder.push(&bytes, &mut pieces).map(|()| None),
                Ok(Ok(None)) => std::mem::take(&mut decoder).finish(&mut pieces).map(|()| Some(Ended::Eof)),
            };
            let outcome = self.take(pieces.drain(..)).and(outcome);
            match outcome {
                Ok(None) => {}
                Ok(Some(ended)) => return Pass::Ended(ended),
                Err(cause) => return Pass::Ended(Ended::Error(cause)),
            }
        }
    }

    fn take(&mut self, pieces: impl Iterator<Item = Piece>) -> Result<(), String> {
        let (mut lines, mut fault) = (Vec::new(), Ok(()));
        for piece in pieces {
            match piece {
                Piece::Fault(cause) => fault = Err(cause),
                Piece::Log(from, piece) => {
                    if self.resume.is_new(from, &piece) {
                        self.assembler.push(from, &piece, &mut lines);
                    }
                }
            }
        }
        self.keep(&lines);
        fault
    }

    fn keep(&mut self, lines: &[super::line::Line]) {
        for line in lines {
            self.lines += 1;
            self.bytes += line.whole + 1;
            self.first = Some(self.first.map_or(line.at, |first| first.min(line.at)));
            self.last = Some(self.last.map_or(line.at, |last| last.max(line.at)));
            self.held.push(line);
        }
    }
}

/// Waits for `work` no longer than the silence and the deadline allow; following ends when recording ends.
async fn bounded<T>(
    work: impl Future<Output = ApiResult<T>>,
    idle: Option<Duration>,
    stop: &mut watch::Receiver<Stop>,
) -> Result<ApiResult<T>, Pass> {
    let mut work = pin!(work);
    let silent = idle.map(|idle| Instant::now() + idle);
    loop {
        let deadline = match (*stop.borrow_and_update(), idle) {
            (Stop::Drain(_), None) => return Err(Pass::Stopped),
            (Stop::Drain(deadline), _) => Some(deadline),
            (Stop::Not, _) => None,
        };
        let limit = [silent, deadline].into_iter().flatten().min();
        let timer = async {
            match limit {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = timer => {
                let ended = if limit == deadline { Ended::Deadline } else { Ended::Idle };
                return Err(Pass::Ended(ended));
            }
            changed = stop.changed() => {
                if changed.is_err() {
                    return Err(Pass::Stopped);
                }
            }
        }
    }
}

fn show(error: &ApiError) -> String {
    if error.status == 0 {
        error.message.clone()
    } else {
        format!("{} (status {})", error.message, error.status)
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
