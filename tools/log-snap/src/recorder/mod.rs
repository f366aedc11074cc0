//! The recording: opens the log of every container as it appears, and never waits for one thing alone.

mod capture;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lib_common::clock::{Clock, rfc3339};
use lib_common::diag::Diag;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

pub use capture::{Capture, short};
use work::Done;

use crate::api::Api;
use crate::look::{self, News};
use crate::node::Thinned;
use crate::peer::{Answers, Peer};
use crate::seen::{Seen, Wish};
use crate::stream::hold::Shelf;
use crate::stream::reader::{Ended, Limits, Stop, Stream};

const POLL: Duration = Duration::from_secs(2);
/// Events come in bursts; one look serves all of a burst.
const POLL_SOONEST: Duration = Duration::from_millis(250);
const SAMPLE: Duration = Duration::from_secs(5);
const MAX_SAMPLES: usize = 1000;
/// What still answers after the deadline is let go after this.
const GRACE: Duration = Duration::from_secs(1);
/// Logs that are read at once when they are not followed.
const AT_ONCE: usize = 8;

/// What to record, and for how long.
#[derive(Clone, Debug)]
pub struct Setup {
    pub stack: String,
    /// Record until told to stop; otherwise take once what is there.
    pub attach: bool,
    /// Stop by itself when the stack is gone.
    pub until_gone: bool,
    pub limits: Limits,
    /// Bytes that all logs together may take in memory.
    pub budget: u64,
    /// How long draining may take.
    pub deadline: Duration,
}

/// The order of draining: a last look, what that left to read, and then only waiting.
enum Drain {
    LastLook,
    Rest,
    Wait,
}

struct Recorder<'a, A: Api> {
    peers: Vec<Peer<A>>,
    answers: Vec<Answers>,
    setup: &'a Setup,
    clock: &'a dyn Clock,
    shelf: Arc<Shelf>,
    seen: Seen,
    work: JoinSet<Done>,
    stop: Stop,
    places: Arc<Semaphore>,
    /// Streams at rest; a container that starts again goes on with its own.
    idle: BTreeMap<String, Stream>,
    reading: BTreeMap<String, watch::Sender<Stop>>,
    reopen: BTreeSet<String>,
    inspecting: BTreeSet<String>,
    inspect_again: BTreeSet<String>,
    polling: bool,
    last_poll: Instant,
    next_poll: Instant,
    poll_error: Option<String>,
    gone: u32,
    drained: std::time::Instant,
}

/// Records until `signals` says so, or once. A second signal cuts the draining short.
pub async fn record<A: Api>(
    peers: Vec<Peer<A>>,
    setup: &Setup,
    clock: &dyn Clock,
    mut signals: mpsc::Receiver<()>,
    diag: &Diag,
) -> Capture {
    let mut samples = Thinned::new(MAX_SAMPLES);
    let mut recorder = Recorder::new(peers, setup, clock);
    recorder.sample(&mut samples);
    if setup.attach {
        recorder.attached(&mut signals, diag, &mut samples).await;
    }
    diag.phase(format_args!("taking what is left of {}", setup.stack));
    recorder.drain(&mut signals).await;
    recorder.sample(&mut samples);
    recorder.capture(samples.kept)
}

impl<'a, A: Api> Recorder<'a, A> {
    fn new(peers: Vec<Peer<A>>, setup: &'a Setup, clock: &'a dyn Clock) -> Self {
        let now = Instant::now();
        Self {
            answers: peers.iter().map(|_| Answers::default()).collect(),
            peers,
            setup,
            clock,
            shelf: Shelf::new(setup.budget),
            seen: Seen::new(&setup.stack),
            work: JoinSet::new(),
            stop: Stop::Not,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            idle: BTreeMap::new(),
            reading: BTreeMap::new(),
            reopen: BTreeSet::new(),
            inspecting: BTreeSet::new(),
            inspect_again: BTreeSet::new(),
            polling: false,
            last_poll: now,
            next_poll: now,
            poll_error: None,
            gone: 0,
            drained: std::time::Instant::now(),
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.now().as_nanosecond()).unwrap_or_default()
    }

    fn sample(&self, samples: &mut Thinned) {
        for node in self.peers.iter().filter_map(|peer| peer.pressure.as_ref()) {
            samples.push(node.sample(rfc3339(self.clock.now())));
        }
    }

    /// Follows until a signal comes, or the stack is gone where that ends it.
    async fn attached(&mut self, signals: &mut mpsc::Receiver<()>, diag: &Diag, samples: &mut Thinned) {
        let (sender, mut news) = mpsc::channel(256);
        let mut events = JoinSet::new();
        for (node, peer) in self.peers.iter().enumerate() {
            events.spawn(look::follow_events(peer.api.clone(), self.now(), node, sender.clone()));
        }
        let mut next_sample = Instant::now() + SAMPLE;
        loop {
            tokio::select! {
                _ = signals.recv() => break,
                Some((node, news)) = news.recv() => self.heard(node, news, diag),
                Some(Ok(done)) = self.work.join_next() => self.done(done),
                () = sleep_until(self.next_poll), if !self.is_looking() => self.poll(),
                () = sleep_until(next_sample) => {
                    next_sample += SAMPLE;
                    self.sample(samples);
                }
            }
            if self.setup.until_gone && self.gone >= 2 && self.reading.is_empty() {
                break;
            }
        }
    }

    fn heard(&mut self, node: usize, news: News, diag: &Diag) {
        match news {
            News::Event(event) => self.event(node, &event),
            News::Open => {
                self.answers[node].events_lost = None;
                self.next_poll = Instant::now();
                self.all_heard(node, diag);
            }
            News::Lost(cause) => {
                self.answers[node].events_lost = Some(cause);
                if node > 0 {
                    self.all_heard(node, diag);
                }
            }
        }
    }

    /// Says once, when every node has answered, that nothing that happens from now on is missed.
    fn all_heard(&mut self, node: usize, diag: &Diag) {
        let waiting = self.answers.iter().any(|answers| !answers.heard);
        self.answers[node].heard = true;
        if waiting && self.answers.iter().all(|answers| answers.heard) {
            diag.phase(format_args!("recording {}", self.setup.stack));
        }
    }

    /// Takes what remains, within the deadline.
    async fn drain(&mut self, signals: &mut mpsc::Receiver<()>) {
        self.drained = std::time::Instant::now();
        let mut deadline = Instant::now() + self.setup.deadline;
        self.stop_at(deadline);
        if !self.setup.attach {
            self.past_events();
        }
        let mut step = Drain::LastLook;
        let mut late = BTreeSet::new();
        loop {
            if !self.is_looking() {
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
                    // One that was only made at the last look may have started since: its inspection says so.
                    Ok(None) => {
                        let more: Vec<String> =
                            self.never_read().into_iter().filter(|id| late.insert(id.clone())).collect();
                        if more.is_empty() {
                            break;
                        }
                        for id in &more {
                            self.open(id, None);
                        }
                    }
                    Err(_) => {
                        self.poll_error.get_or_insert_with(|| "the engine was too slow".into());
                        self.work.abort_all();
                        break;
                    }
                },
                Some(()) = signals.recv() => {
                    deadline = Instant::now();
                    self.stop_at(deadline);
                }
            }
        }
    }

    fn stop_at(&mut self, deadline: Instant) {
        self.stop = Stop::Drain(deadline);
        for stop in self.reading.values() {
            stop.send_replace(self.stop);
        }
    }

    /// After the last look: containers that were never read or not to the end, and their last state.
    fn read_what_is_left(&mut self) {
        let unread: Vec<String> = self
            .seen
            .containers
            .values()
            .filter(|container| !self.reading.contains_key(&container.id))
            .filter(|container| match self.idle.get(&container.id) {
                Some(stream) => stream.ended != Ended::Eof && container.is_there(),
                None => !container.never_ran(),
            })
            .map(|container| container.id.clone())
            .collect();
        for id in unread {
            self.open(&id, None);
        }
        let there = self.seen.containers.values().filter(|container| container.is_there());
        for id in there.map(|container| container.id.clone()).collect::<Vec<_>>() {
            self.inspect(&id);
        }
    }

    /// Containers that ran, and whose log nobody has opened.
    fn never_read(&self) -> Vec<String> {
        let known = |id: &String| self.reading.contains_key(id) || self.idle.contains_key(id);
        let ran = self.seen.containers.values().filter(|container| !container.never_ran());
        ran.map(|container| container.id.clone()).filter(|id| !known(id)).collect()
    }

    fn event(&mut self, node: usize, event: &Value) {
        for wish in self.seen.event(node, event) {
            match wish {
                Wish::Log(id) => {
                    if self.reading.contains_key(&id) {
                        self.reopen.insert(id);
                    } else {
                        self.open(&id, None);
                    }
                }
                Wish::Ended(id) => self.ended(&id),
                Wish::Inspect(id) => self.inspect(&id),
                Wish::Poll => self.next_poll = self.next_poll.min(self.last_poll + POLL_SOONEST),
            }
        }
    }

    /// Nothing more comes to this container's log.
    fn ended(&mut self, id: &str) {
        if let Some(stop) = self.reading.get(id) {
            stop.send_if_modified(|stop| {
                let follows = *stop == Stop::Not;
                if follows {
                    *stop = Stop::Ended;
                }
                follows
            });
        }
    }
}

#[cfg(test)]
mod tests;
