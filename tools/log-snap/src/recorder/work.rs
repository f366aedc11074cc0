//! Starts the concurrent work of a recording (polls, inspections, readings of logs), and handles its results.

use std::sync::Arc;

use lib_common::docker::ApiResult;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{POLL, Recorder};
use crate::api::Api;
use crate::query;
use crate::seen::Poll;
use crate::seen::container::Container;
use crate::stream::file::Tail;
use crate::stream::reader::{Source, Stream};

/// The result of one piece of work.
pub(super) enum Done {
    /// Reading a log ended.
    Stream(Box<Stream>),
    /// The manager answered for services, tasks, configs, secrets and networks.
    Poll(Box<Poll>),
    /// A node answered with its containers.
    List(usize, ApiResult<Value>),
    /// A node answered for one container.
    Inspect(String, ApiResult<Value>),
    /// A node answered with its past events.
    Events(usize, ApiResult<Vec<Value>>),
}

impl<A: Api> Recorder<'_, A> {
    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Stream(stream) => {
                let id = stream.container.clone();
                self.reading.remove(&id);
                self.idle.insert(id.clone(), *stream);
                if self.reopen.remove(&id) {
                    self.open(&id, None);
                }
            }
            Done::Poll(poll) => {
                self.polling = false;
                self.poll_error = poll.errors.first().cloned();
                self.seen.poll(&poll, self.now());
                self.polled();
            }
            Done::List(node, answer) => {
                self.status[node].listing = false;
                match answer {
                    Ok(list) => {
                        self.status[node].list_error = None;
                        self.seen.listed(node, &list);
                    }
                    Err(e) => self.status[node].list_error = Some(e.message),
                }
                self.polled();
            }
            Done::Inspect(id, answer) => {
                self.inspecting.remove(&id);
                if let Ok(row) = answer {
                    self.seen.inspected(&id, &row);
                }
                if self.inspect_again.remove(&id) {
                    self.inspect(&id);
                }
            }
            Done::Events(node, Ok(events)) => {
                for event in &events {
                    self.seen.event(node, event);
                }
            }
            Done::Events(node, Err(e)) => self.status[node].events_lost = Some(e.message),
        }
    }

    /// Whether an answer of the current poll is still missing.
    pub(super) fn is_polling(&self) -> bool {
        self.polling || self.status.iter().any(|status| status.listing)
    }

    /// Polls everything: the manager for the objects of the swarm, and each node for its containers.
    pub(super) fn poll(&mut self) {
        self.polling = true;
        self.last_poll = Instant::now();
        self.next_poll = self.last_poll + POLL;
        for (node, peer) in self.peers.iter().enumerate() {
            let (api, stack) = (peer.api.clone(), self.setup.stack.clone());
            if node == 0 {
                let (api, stack) = (api.clone(), stack.clone());
                self.work.spawn(async move { Done::Poll(Box::new(query::poll(&api, &stack).await)) });
            }
            self.status[node].listing = true;
            self.work.spawn(async move { Done::List(node, query::containers(&api, &stack).await) });
        }
    }

    /// Called after each answer of a poll; when all are there, opens the logs of new containers.
    fn polled(&mut self) {
        if self.is_polling() {
            return;
        }
        let whole = self.poll_error.is_none() && self.status.iter().all(|status| status.list_error.is_none());
        self.gone = if whole && self.seen.is_gone() { self.gone.saturating_add(1) } else { 0 };
        let mut known = Vec::new();
        for container in self.seen.containers.values() {
            known.push((
                container.id.clone(),
                container.is_running(),
                container.is_there(),
                container.state == "created",
            ));
        }
        for (id, running, there, created) in known {
            if !running {
                self.ended(&id);
            }
            if !there || created {
                continue;
            }
            // Open the log if nobody has read it. If the container runs and reading ended anyway (after a rotation or a
            // broken connection), read on.
            if !self.reading.contains_key(&id) && (running || !self.idle.contains_key(&id)) {
                self.open(&id, None);
            }
            if !self.inspecting.contains(&id) && self.never_inspected(&id) {
                self.inspect(&id);
            }
        }
        self.open_elsewhere();
    }

    /// Opens the logs of tasks on nodes whose engine we cannot reach: the manager reads them for us.
    fn open_elsewhere(&mut self) {
        let elsewhere = |node: &str| !self.peers.iter().any(|peer| peer.id == node);
        let remote: Vec<(String, String)> = self
            .seen
            .tasks
            .values()
            .filter(|task| elsewhere(&task.node))
            .filter_map(|task| Some((task.container.clone()?, task.id.clone())))
            .filter(|(container, _)| !self.seen.containers.contains_key(container))
            .collect();
        for (container, task) in remote {
            if !self.reading.contains_key(&container) && !self.idle.contains_key(&container) {
                self.open(&container, Some(&task));
            }
        }
    }

    fn never_inspected(&self, id: &str) -> bool {
        self.seen.containers.get(id).is_some_and(|container| container.log_driver.is_empty())
    }

    /// Starts to read a log, from where an earlier reading ended. `task` is given if the container is on a node whose
    /// engine we cannot reach.
    pub(super) fn open(&mut self, id: &str, task: Option<&str>) {
        let limits = self.setup.limits;
        let container = self.seen.containers.get(id);
        let node = container.map_or(0, |container| container.node);
        let running = container.is_none_or(Container::is_running);
        let stream = self.idle.remove(id).unwrap_or_else(|| {
            let known = task.or_else(|| container?.task.as_deref());
            let source = if task.is_some() { Source::Task } else { Source::Container };
            let stream = Stream::new(id, known, source, limits, &self.shelf);
            let files = self.peers[node].files.as_ref().filter(|_| task.is_none());
            match files.and_then(|root| Tail::find(root, id)) {
                Some(file) => stream.from_file(file),
                None => stream,
            }
        });
        let (stop, watching) = watch::channel(self.stop);
        self.reading.insert(id.to_owned(), stop);
        // `/tasks/{id}/logs` exists only on managers.
        let (api, manager) = (self.peers[node].api.clone(), self.peers[0].api.clone());
        let (follow, places) = (self.setup.attach && running, Arc::clone(&self.places));
        self.work.spawn(async move {
            // A reader that follows takes no place: it ends only with its container, so eight of them would keep all
            // other logs from being read.
            let _place = if follow { None } else { places.acquire_owned().await.ok() };
            Done::Stream(Box::new(stream.read(api, manager, follow, limits, watching).await))
        });
    }

    /// Inspects a container. If that is under way already, the answer may be too old, so it is done once more after it.
    pub(super) fn inspect(&mut self, id: &str) {
        if !self.inspecting.insert(id.to_owned()) {
            self.inspect_again.insert(id.to_owned());
            return;
        }
        let node = self.seen.containers.get(id).map_or(0, |container| container.node);
        let (api, id) = (self.peers[node].api.clone(), id.to_owned());
        self.work.spawn(async move {
            let answer = api.get(&format!("/containers/{id}/json")).await;
            Done::Inspect(id, answer)
        });
    }

    /// Asks each engine for the events that it still remembers.
    pub(super) fn past_events(&mut self) {
        for (node, peer) in self.peers.iter().enumerate() {
            let (api, now) = (peer.api.clone(), self.now());
            self.work.spawn(async move { Done::Events(node, query::past_events(&api, now).await) });
        }
    }
}
