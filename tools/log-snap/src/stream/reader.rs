//! Reads one container's log: follows it during the recording, and then reads it once more to be sure of its end.
//!
//! A log file on this machine is read as it grows. The end of a followed stream of the engine does not prove that the
//! log is complete: the stream may end early at a rotation, or when its container is removed. So whatever ended it, the
//! log is requested once more without following; lines that are known already are skipped, and only the end of that
//! second reading counts.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lib_common::docker::{ApiError, ApiResult};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::file::{Stopped, Tail};
use super::hold::{Held, Shelf};
use super::line::{Assembler, Line};
use super::resume::Resume;
use crate::api::{Api, Body};
use lib_common::swarm::frame::{Decoder, Piece};
use lib_common::swarm::stamp;

/// How often a log file that is followed is checked for new records.
const FILE_POLL: Duration = Duration::from_millis(250);

/// What the recorder tells a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Go on.
    Not,
    /// The container ended, and with it its log.
    Ended,
    /// The recording is over: read what is there, until the deadline.
    Drain(Instant),
}

/// The bounds of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a reading that does not follow may be silent.
    pub idle: Duration,
    /// Bytes of text that are kept of the log.
    pub stream: u64,
    /// Bytes of the longest line that is kept whole.
    pub line: usize,
}

/// Where the lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The log driver's file on this machine.
    File,
    /// `/containers/{id}/logs` of the container's node.
    Container,
    /// `/tasks/{id}/logs` of a manager: for nodes that this tool cannot reach, and for containers that are gone.
    Task,
}

/// How the last reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The log was not read yet.
    Never,
    /// At the end of the log.
    Eof,
    /// The engine sent nothing for [`Limits::idle`].
    Idle,
    Deadline,
    Error(String),
}

/// The log of one container.
pub struct Stream {
    pub container: String,
    pub task: Option<String>,
    pub source: Source,
    pub kept: Sums,
    pub ended: Ended,
    /// Errors on the way, even those for which a later reading made good.
    pub notes: Vec<String>,
    /// It was read while it was written, so that it may be longer than what its driver keeps.
    pub followed: bool,
    file: Option<Tail>,
    assembler: Assembler,
    resume: Resume,
}

/// Why the reading of one answer ended.
enum Pass {
    /// The recording is over, which ends every reading that follows.
    Stopped,
    /// The engine does not have the container (any more), with its message.
    Missing(String),
    Ended(Ended),
}

impl Stream {
    #[must_use]
    pub fn new(
        container: &str,
        task: Option<&str>,
        source: Source,
        limits: Limits,
        shelf: &Arc<Shelf>,
    ) -> Self {
        Self {
            container: container.to_owned(),
            task: task.map(ToOwned::to_owned),
            source,
            kept: Sums { held: Held::new(shelf, limits.stream), bytes: 0, lines: 0, first: None, last: None },
            ended: Ended::Never,
            notes: Vec::new(),
            followed: false,
            file: None,
            assembler: Assembler::new(limits.line),
            resume: Resume::default(),
        }
    }

    /// Reads the log driver's file instead of asking the engine.
    #[must_use]
    pub fn from_file(mut self, file: Tail) -> Self {
        (self.source, self.file) = (Source::File, Some(file));
        self
    }

    /// Reads to the end of the log, to the deadline in `stop` or to an error. With `follow` it first follows the log
    /// until the container ends or the recording is over. `manager` is asked for the task's log if the container's own
    /// node does not have the container any more.
    ///
    /// It may be called again on the stream that it returns, for example when the container was started again.
    pub async fn read<A: Api>(
        mut self,
        api: A,
        manager: A,
        follow: bool,
        limits: Limits,
        mut stop: watch::Receiver<Stop>,
    ) -> Self {
        if self.file.is_some() {
            return self.read_file(follow, stop).await;
        }
        let mut followed = false;
        let api = if self.source == Source::Task { manager.clone() } else { api };
        if follow && !matches!(*stop.borrow(), Stop::Drain(_)) {
            self.followed = true;
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
                self.by_task(&manager, cause, limits.idle, &mut stop).await
            }
            Pass::Missing(cause) => Ended::Error(cause),
        };
        self.rest();
        self
    }

    /// Ends a reading: hands on an unfinished last line, and compresses what is held.
    fn rest(&mut self) {
        let Self { assembler, kept, .. } = self;
        assembler.finish(&mut |line| kept.push(line));
        kept.held.close();
    }

    /// Reads the log file, on a thread of its own because reading a file blocks.
    async fn read_file(mut self, follow: bool, mut stop: watch::Receiver<Stop>) -> Self {
        loop {
            // The order matters: first note what the recorder says, then read. When the engine reports that the
            // container ended, everything that it wrote is in the file, so a reading after that is complete.
            let now = *stop.borrow_and_update();
            let reading = tokio::task::spawn_blocking(move || {
                let outcome = self.read_new_records(if let Stop::Drain(deadline) = now {
                    Some(deadline.into_std())
                } else {
                    None
                });
                (self, outcome)
            });
            let outcome;
            (self, outcome) = match reading.await {
                Ok(done) => done,
                // The thread panicked, which is a bug in log-snap: panic here too.
                Err(e) => std::panic::resume_unwind(e.into_panic()),
            };
            self.ended = match outcome {
                Err(Stopped::Deadline) => Ended::Deadline,
                Err(Stopped::Failed(cause)) => Ended::Error(cause),
                Ok(()) if follow && now == Stop::Not => {
                    let _ = tokio::time::timeout(FILE_POLL, stop.changed()).await;
                    continue;
                }
                Ok(()) => Ended::Eof,
            };
            break;
        }
        if let Some(file) = &mut self.file {
            file.finish();
            let (damaged, lost) = (file.damaged, file.lost);
            if let (Ended::Eof, Some(cause)) = (&self.ended, lost) {
                self.ended = Ended::Error(cause.into());
            }
            if damaged > 0 {
                self.note(format!("{damaged} damaged records of the log file left out"));
            }
        }
        self.rest();
        self
    }

    fn read_new_records(&mut self, deadline: Option<std::time::Instant>) -> Result<(), Stopped> {
        let Self { file, assembler, kept, .. } = self;
        let Some(file) = file else { return Ok(()) };
        file.read(deadline, &mut |entry| assembler.timed(entry, &mut |line| kept.push(line)))
    }

    /// Reads the log by task, after the container's node did not have the container any more. An empty answer proves
    /// nothing, because the task endpoint hides the errors of the node that it asks.
    async fn by_task<A: Api>(
        &mut self,
        api: &A,
        cause: String,
        idle: Duration,
        stop: &mut watch::Receiver<Stop>,
    ) -> Ended {
        let before = self.kept.lines;
        self.source = Source::Task;
        self.note(cause.clone());
        match self.pass(api, Some(idle), stop).await {
            Pass::Ended(Ended::Eof) if self.kept.lines > before => Ended::Eof,
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

    /// Sends one request and reads its answer. With `idle` `None` it follows the log, so silence does not end it.
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
            // Status 409 means that the container is being removed.
            Ok(Err(e)) if e.is_missing() || e.status == 409 => return Pass::Missing(e.message),
            Ok(Err(e)) => return Pass::Ended(Ended::Error(show(&e))),
            Err(pass) => return pass,
        };
        let mut decoder = Decoder::default();
        loop {
            let chunk = match bounded(body.chunk(), idle, stop).await {
                Err(pass) => return pass,
                Ok(Err(e)) => return Pass::Ended(Ended::Error(show(&e))),
                Ok(Ok(chunk)) => chunk,
            };
            let Self { resume, assembler, kept, .. } = self;
            let mut fault = None;
            let mut take = |piece: Piece| match piece {
                Piece::Fault(cause) => fault = Some(cause),
                Piece::Log(from, piece) => {
                    if resume.is_new(from, piece) {
                        assembler.push(from, piece, &mut |line| kept.push(line));
                    }
                }
            };
            let outcome = match &chunk {
                Some(bytes) => decoder.push(bytes, &mut take),
                None => std::mem::take(&mut decoder).finish(&mut take),
            };
            match (fault, outcome, chunk) {
                (Some(cause), ..) | (None, Err(cause), _) => return Pass::Ended(Ended::Error(cause)),
                (None, Ok(()), None) => return Pass::Ended(Ended::Eof),
                (None, Ok(()), Some(_)) => {}
            }
        }
    }
}

/// The held lines of a log, and the totals of all its lines, dropped ones included.
pub struct Sums {
    pub held: Held,
    pub bytes: u64,
    pub lines: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl Sums {
    fn push(&mut self, line: Line) {
        self.lines += 1;
        self.bytes += line.whole + 1;
        self.first = Some(self.first.map_or(line.at, |first| first.min(line.at)));
        self.last = Some(self.last.map_or(line.at, |last| last.max(line.at)));
        self.held.push(&line);
    }
}

/// Waits for `work`, but not longer than `idle`, and not beyond the deadline in `stop`. With `idle` `None` (following)
/// it returns as soon as the recording is over.
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
            (Stop::Not | Stop::Ended, _) => None,
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
