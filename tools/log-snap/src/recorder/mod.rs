//! The recording: reads the log of every container from the moment it appears. It waits for everything at once, so that
//! one engine or log that is silent does not hold up the others.

mod recording;
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

pub use recording::{Recording, short};
use work::Done;

use crate::api::Api;
use crate::node::Thinned;
use crate::peer::{Peer, PeerStatus};
use crate::query::{self, FeedMessage};
use crate::seen::{Seen, Wish};
use crate::stream::hold::Shelf;
use crate::stream::reader::{Ended, Limits, Stop, Stream};

/// How often the stack is polled while no event asks for it. Task states have no events, only polls show them.
const POLL: Duration = Duration::from_secs(2);
/// Shortest time between two polls. Events come in bursts, and one poll serves all events of a burst.
const POLL_SOONEST: Duration = Duration::from_millis(250);
/// How often the node's pressure is sampled.
const SAMPLE: Duration = Duration::from_secs(5);
/// Samples that are kept: 83 minutes of them; a longer recording keeps fewer per minute.
const MAX_SAMPLES: usize = 1000;
/// Readers stop at the deadline by themselves. What has not stopped this long after it is aborted.
const GRACE: Duration = Duration::from_secs(1);
/// How many logs are read at the same time when they are not followed.
const AT_ONCE: usize = 8;

/// What to record, and for how long.
#[derive(Clone, Debug)]
pub struct Setup {
    pub stack: String,
    /// Whether to record until a signal comes; otherwise what is there is taken once.
    pub attach: bool,
    /// Whether to stop also when the stack is gone.
    pub until_gone: bool,
    pub limits: Limits,
    /// Bytes that all logs together may take in memory.
    pub budget: u64,
    /// How long reading what is left may take at the end.
    pub deadline: Duration,
}

/// The steps of reading what is left at the end: a last poll, then opening the logs that it shows to be unread, then
/// only waiting.
enum Drain {
    LastPoll,
    Rest,
    Wait,
}

struct Recorder<'a, A: Api> {
    peers: Vec<Peer<A>>,
    status: Vec<PeerStatus>,
    setup: &'a Setup,
    clock: &'a dyn Clock,
    shelf: Arc<Shelf>,
    seen: Seen,
    work: JoinSet<Done>,
    stop: Stop,
    /// Limits how many logs are read at the same time ([`AT_ONCE`]).
    places: Arc<Semaphore>,
    /// Streams that nobody reads now, by container. When its container starts again, a stream is read on.
    idle: BTreeMap<String, Stream>,
    /// Containers whose log is being read, with the channel that tells the reader to stop.
    reading: BTreeMap<String, watch::Sender<Stop>>,
    /// Containers that started again while their log was being read: it is opened again after that.
    reopen: BTreeSet<String>,
    /// Containers for which an inspection is under way.
    inspecting: BTreeSet<String>,
    /// Containers that changed during their inspection: they are inspected once more.
    inspect_again: BTreeSet<String>,
    polling: bool,
    last_poll: Instant,
    next_poll: Instant,
    poll_error: Option<String>,
    /// How many polls in a row found nothing of the stack. One may fall between the removal of an old service and the
    /// creation of a new one, so `until_gone` waits for two.
    gone: u32,
    drained: std::time::Instant,
}

/// Records until a signal comes (`setup.attach`), then reads what is left. A second signal ends that at once.
pub async fn record<A: Api>(
    peers: Vec<Peer<A>>,
    setup: &Setup,
    clock: &dyn Clock,
    mut signals: mpsc::Receiver<()>,
    diag: &Diag,
) -> Recording {
    let mut samples = Thinned::new(MAX_SAMPLES);
    let mut recorder = Recorder::new(peers, setup, clock);
    recorder.sample(&mut samples);
    if setup.attach {
        recorder.attached(&mut signals, diag, &mut samples).await;
    }
    diag.phase(format_args!("taking what is left of {}", setup.stack));
    recorder.drain(&mut signals).await;
    recorder.sample(&mut samples);
    recorder.into_recording(samples.kept)
}

impl<'a, A: Api> Recorder<'a, A> {
    fn new(peers: Vec<Peer<A>>, setup: &'a Setup, clock: &'a dyn Clock) -> Self {
        let now = Instant::now();
        Self {
            status: peers.iter().map(|_| PeerStatus::default()).collect(),
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

    /// Records until a signal comes or, with `until_gone`, until the stack is gone.
    async fn attached(&mut self, signals: &mut mpsc::Receiver<()>, diag: &Diag, samples: &mut Thinned) {
        let (sender, mut news) = mpsc::channel(256);
        let mut events = JoinSet::new();
        for (node, peer) in self.peers.iter().enumerate() {
            events.spawn(query::follow_events(peer.api.clone(), self.now(), node, sender.clone()));
        }
        let mut next_sample = Instant::now() + SAMPLE;
        loop {
            tokio::select! {
                _ = signals.recv() => break,
                Some((node, news)) = news.recv() => self.heard(node, news, diag),
                Some(Ok(done)) = self.work.join_next() => self.done(done),
                () = sleep_until(self.next_poll), if !self.is_polling() => self.poll(),
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

    /// Handles a message from the task that follows a node's events.
    fn heard(&mut self, node: usize, news: FeedMessage, diag: &Diag) {
        match news {
            FeedMessage::Event(event) => self.event(node, &event),
            FeedMessage::Open => {
                self.status[node].events_lost = None;
                // Poll at once: the poll shows what happened before the event stream was open.
                self.next_poll = Instant::now();
                self.all_heard(node, diag);
            }
            FeedMessage::Lost(cause) => {
                self.status[node].events_lost = Some(cause);
                // A node that does not answer must not delay "recording"; without the manager nothing is recorded.
                if node > 0 {
                    self.all_heard(node, diag);
                }
            }
        }
    }

    /// With `--verbose`, prints "recording STACK" once, when every node has answered: nothing that happens from now on
    /// is missed. Scripts can wait for that line before they deploy.
    fn all_heard(&mut self, node: usize, diag: &Diag) {
        let waiting = self.status.iter().any(|status| !status.heard);
        self.status[node].heard = true;
        if waiting && self.status.iter().all(|status| status.heard) {
            diag.phase(format_args!("recording {}", self.setup.stack));
        }
    }

    /// Reads what is left, within the deadline.
    async fn drain(&mut self, signals: &mut mpsc::Receiver<()>) {
        self.drained = std::time::Instant::now();
        let mut deadline = Instant::now() + self.setup.deadline;
        self.stop_at(deadline);
        if !self.setup.attach {
            self.past_events();
        }
        let mut step = Drain::LastPoll;
        let mut late = BTreeSet::new();
        loop {
            if !self.is_polling() {
                step = match step {
                    Drain::LastPoll => {
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
                    // All work is done. A container that had only been created at the last poll may have started since;
                    // its inspection says so. Its log is opened now, each such container once.
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

    /// Tells every reader to end at the deadline, those that are started later too.
    fn stop_at(&mut self, deadline: Instant) {
        self.stop = Stop::Drain(deadline);
        for stop in self.reading.values() {
            stop.send_replace(self.stop);
        }
    }

    /// After the last poll: opens the logs that were never read, or not to their end, and inspects every container once
    /// more for its last state.
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

    /// Containers that ran and whose log was never opened.
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

    /// Tells the reader of a container's log that the container has ended, so that no more lines will come.
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
