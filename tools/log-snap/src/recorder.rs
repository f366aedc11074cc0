//! The recording: opens the log of every container as it appears, and never waits for one thing alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lib_common::clock::{Clock, rfc3339};
use lib_common::diag::Diag;
use lib_common::docker::ApiResult;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::api::Api;
use crate::look::{self, News};
use crate::node::{Node, Sample, Thinned};
use crate::seen::{Poll, Seen, Wish, text};
use crate::stream::reader::{Ended, Limits, Source, Stop, Stream};

const POLL: Duration = Duration::from_secs(2);
/// Events come in bursts; one look serves all of a burst.
const POLL_SOONEST: Duration = Duration::from_millis(250);
const SAMPLE: Duration = Duration::from_secs(5);
const MAX_SAMPLES: usize = 1000;
/// What still answers after the deadline is let go after this.
const GRACE: Duration = Duration::from_secs(1);

/// What to record, and for how long.
#[derive(Clone, Debug)]
pub struct Setup {
    pub stack: String,
    /// Record until told to stop; otherwise take once what is there.
    pub attach: bool,
    /// Stop by itself when the stack is gone.
    pub until_gone: bool,
    pub limits: Limits,
    /// How long draining may take.
    pub deadline: Duration,
    /// This engine's id in its swarm: what runs elsewhere is read by task.
    pub node_id: String,
}

/// Everything that was recorded, still unredacted and in memory only.
pub struct Capture {
    pub seen: Seen,
    pub streams: Vec<Stream>,
    pub samples: Vec<Sample>,
    /// What is missing besides the streams themselves.
    pub gaps: Vec<String>,
}

enum Done {
    Stream(Box<Stream>),
    Poll(Box<Poll>),
    Inspect(String, ApiResult<Value>),
    Events(ApiResult<Vec<Value>>),
}

/// The order of draining: a last look, what that left to read, and then only waiting.
enum Drain {
    LastLook,
    Rest,
    Wait,
}

struct Recorder<'a, A: Api> {
    api: A,
    setup: &'a Setup,
    clock: &'a dyn Clock,
    seen: Seen,
    work: JoinSet<Done>,
    stop: watch::Sender<Stop>,
    /// Streams at rest; a container that starts again goes on with its own.
    idle: BTreeMap<String, Stream>,
    reading: BTreeSet<String>,
    reopen: BTreeSet<String>,
    inspecting: BTreeSet<String>,
    inspect_again: BTreeSet<String>,
    polling: bool,
    last_poll: Instant,
    next_poll: Instant,
    poll_error: Option<String>,
    events_lost: Option<String>,
    gone: u32,
}

/// Records until `signals` says so, or once. A second signal cuts the draining short.
pub async fn record<A: Api>(
    api: A,
    setup: &Setup,
    node: Option<Node>,
    clock: &dyn Clock,
    mut signals: mpsc::Receiver<()>,
    diag: &Diag,
) -> Capture {
    let mut samples = Thinned::new(MAX_SAMPLES);
    let mut sample = || {
        if let Some(node) = &node {
            samples.push(node.sample(rfc3339(clock.now())));
        }
    };
    let mut recorder = Recorder::new(api, setup, clock);
    sample();
    if setup.attach {
        recorder.attached(&mut signals, diag, &mut sample).await;
    }
    diag.phase(format_args!("taking what is left of {}", setup.stack));
    recorder.drain(&mut signals).await;
    sample();
    recorder.capture(samples.kept)
}

impl<'a, A: Api> Recorder<'a, A> {
    fn new(api: A, setup: &'a Setup, clock: &'a dyn Clock) -> Self {
        let now = Instant::now();
        Self {
            api,
            setup,
            clock,
            seen: Seen::new(&setup.stack),
            work: JoinSet::new(),
            stop: watch::Sender::new(Stop::Not),
            idle: BTreeMap::new(),
            reading: BTreeSet::new(),
            reopen: BTreeSet::new(),
            inspecting: BTreeSet::new(),
            inspect_again: BTreeSet::new(),
            polling: false,
            last_poll: now,
            next_poll: now,
            poll_error: None,
            events_lost: None,
            gone: 0,
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.now().as_nanosecond()).unwrap_or_default()
    }

    /// Follows until a signal comes, or the stack is gone where that ends it.
    async fn attached(&mut self, signals: &mut mpsc::Receiver<()>, diag: &Diag, sample: &mut impl FnMut()) {
        let (sender, mut news) = mpsc::channel(256);
        let events = tokio::spawn(look::follow_events(self.api.clone(), self.now(), sender));
        let mut next_sample = Instant::now() + SAMPLE;
        loop {
            tokio::select! {
                _ = signals.recv() => break,
                Some(news) = news.recv() => match news {
                    News::Open => {
                        self.events_lost = None;
                        self.next_poll = Instant::now();
                        // Nothing that happens from now on is missed.
                        diag.phase(format_args!("recording {}", self.setup.stack));
                    }
                    News::Event(event) => self.event(&event),
                    News::Lost(cause) => self.events_lost = Some(cause),
                },
                Some(Ok(done)) = self.work.join_next() => self.done(done),
                () = sleep_until(self.next_poll), if !self.polling => self.poll(),
                () = sleep_until(next_sample) => {
                    next_sample += SAMPLE;
                    sample();
                }
            }
            if self.setup.until_gone && self.gone >= 2 && self.reading.is_empty() {
                break;
            }
        }
        events.abort();
    }

    /// Takes what remains, within the deadline.
    async fn drain(&mut self, signals: &mut mpsc::Receiver<()>) {
        let mut deadline = Instant::now() + self.setup.deadline;
        self.stop.send_replace(Stop::Drain(deadline));
        if !self.setup.attach {
            let (api, now) = (self.api.clone(), self.now());
            self.work.spawn(async move { Done::Events(look::past_events(&api, now).await) });
        }
        let mut step = Drain::LastLook;
        loop {
            if !self.polling {
                step = match step {
                    Drain::LastLook => {
                        self.poll();
                        Drain::Rest
                    }
                    Drain::Rest => {
                        self.read_what_is_left();
                        Drain::Wait
                    }
                    Drain::Wait => Drain::Wait,
                };
            }
            tokio::select! {
                done = timeout_at(deadline + GRACE, self.work.join_next()) => match done {
                    Ok(Some(Ok(done))) => self.done(done),
                    Ok(Some(Err(_))) => {}
                    Ok(None) => break,
                    Err(_) => {
                        self.poll_error.get_or_insert_with(|| "the engine was too slow".into());
                        self.work.abort_all();
                        break;
                    }
                },
                Some(()) = signals.recv() => {
                    deadline = Instant::now();
                    self.stop.send_replace(Stop::Drain(deadline));
                }
            }
        }
    }

    /// After the last look: containers that were never read or not to the end, and their last state.
    fn read_what_is_left(&mut self) {
        let removed = |recorder: &Self, id: &str| {
            recorder.seen.containers.get(id).is_some_and(|container| container.state == "removed")
        };
        let unread: Vec<String> = self
            .seen
            .containers
            .values()
            .filter(|container| !self.reading.contains(&container.id))
            .filter(|container| match self.idle.get(&container.id) {
                Some(stream) => stream.ended != Ended::Eof && !removed(self, &container.id),
                None => !container.never_ran(),
            })
            .map(|container| container.id.clone())
            .collect();
        for id in unread {
            self.open(&id, None);
        }
        let present: Vec<String> =
            self.seen.containers.keys().filter(|id| !removed(self, id)).cloned().collect();
        for id in present {
            self.inspect(&id);
        }
    }

    fn event(&mut self, event: &Value) {
        for wish in self.seen.event(event) {
            match wish {
                Wish::Log(id) => {
                    if self.reading.contains(&id) {
                        self.reopen.insert(id);
                    } else {
                        self.open(&id, None);
                    }
                }
                Wish::Inspect(id) => self.inspect(&id),
                Wish::Poll => self.next_poll = self.next_poll.min(self.last_poll + POLL_SOONEST),
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Stream(stream) => {
                let id = stream.container.clone();
                self.reading.remove(&id);
                self.idle.insert(id.clone(), *stream);
                if self.reopen.remove(&id) {
                    self.open(&id, None);
                }
            }
            Done::Poll(poll) => self.polled(&poll),
            Done::Inspect(id, answer) => {
                self.inspecting.remove(&id);
                if let Ok(row) = answer {
                    self.seen.inspected(&id, &row);
                }
                if self.inspect_again.remove(&id) {
                    self.inspect(&id);
                }
            }
            Done::Events(Ok(events)) => {
                for event in &events {
                    self.seen.event(event);
                }
            }
            Done::Events(Err(e)) => self.events_lost = Some(e.message),
        }
    }

    fn poll(&mut self) {
        self.polling = true;
        self.last_poll = Instant::now();
        self.next_poll = self.last_poll + POLL;
        let (api, stack) = (self.api.clone(), self.setup.stack.clone());
        self.work.spawn(async move { Done::Poll(Box::new(look::poll(&api, &stack).await)) });
    }

    fn polled(&mut self, poll: &Poll) {
        self.polling = false;
        let now = self.now();
        self.poll_error = poll.errors.first().cloned();
        self.seen.poll(poll, now);
        self.gone = if self.seen.is_gone() { self.gone.saturating_add(1) } else { 0 };
        let local: Vec<(String, bool)> = self
            .seen
            .containers
            .values()
            .filter(|container| container.state != "created" && container.state != "removed")
            .map(|container| (container.id.clone(), container.is_running()))
            .collect();
        for (id, running) in local {
            // A stream of a running container that ended anyhow (a rotation, a broken connection) goes on.
            if !self.reading.contains(&id) && (running || !self.idle.contains_key(&id)) {
                self.open(&id, None);
            }
            if !self.inspecting.contains(&id) && self.never_inspected(&id) {
                self.inspect(&id);
            }
        }
        let remote: Vec<(String, String)> = self
            .seen
            .tasks
            .values()
            .filter_map(|task| Some((task.container.clone()?, task.id.clone())))
            .filter(|(container, _)| !self.seen.containers.contains_key(container))
            .collect();
        for (container, task) in remote {
            if !self.reading.contains(&container) && !self.idle.contains_key(&container) {
                self.open(&container, Some(&task));
            }
        }
    }

    fn never_inspected(&self, id: &str) -> bool {
        self.seen.containers.get(id).is_some_and(|container| container.log_driver.is_empty())
    }

    /// Reads a log, from where it was left. `task`: the container is not one of this node.
    fn open(&mut self, id: &str, task: Option<&str>) {
        let limits = self.setup.limits;
        let stream = self.idle.remove(id).unwrap_or_else(|| {
            let known = task.map(ToOwned::to_owned);
            let task = known.or_else(|| self.seen.containers.get(id)?.task.clone());
            let elsewhere = task
                .as_ref()
                .and_then(|task| self.seen.tasks.get(task))
                .is_some_and(|task| !task.node.is_empty() && task.node != self.setup.node_id);
            let source = if elsewhere { Source::Task } else { Source::Container };
            Stream::new(id, task.as_deref(), source, limits)
        });
        self.reading.insert(id.to_owned());
        let (api, watching, follow) = (self.api.clone(), self.stop.subscribe(), self.setup.attach);
        self.work
            .spawn(async move { Done::Stream(Box::new(stream.read(api, follow, limits, watching).await)) });
    }

    fn inspect(&mut self, id: &str) {
        if !self.inspecting.insert(id.to_owned()) {
            self.inspect_again.insert(id.to_owned());
            return;
        }
        let (api, id) = (self.api.clone(), id.to_owned());
        self.work.spawn(async move {
            let answer = api.get(&format!("/containers/{id}/json")).await;
            Done::Inspect(id, answer)
        });
    }

    fn capture(self, samples: Vec<Sample>) -> Capture {
        let mut gaps = Vec::new();
        gaps.extend(self.poll_error.map(|cause| format!("last look at the stack: {cause}")));
        gaps.extend(self.events_lost.map(|cause| format!("engine events: {cause}")));
        gaps.extend(
            self.reading.iter().map(|id| format!("log of container {}: not read in time", short(id))),
        );
        if self.seen.events_dropped > 0 {
            gaps.push(format!("engine events: {} more than are kept", self.seen.events_dropped));
        }
        Capture { seen: self.seen, streams: self.idle.into_values().collect(), samples, gaps }
    }
}

/// The first twelve characters of an id, as the docker client shows it.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// This engine's id in its swarm.
#[must_use]
pub fn node_id(info: &Value) -> String {
    text(&info["Swarm"]["NodeID"])
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
