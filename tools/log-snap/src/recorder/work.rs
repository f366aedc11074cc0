//! The work that a recording has under way, and what becomes of its answers.

use std::sync::Arc;

use lib_common::docker::ApiResult;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{POLL, Recorder};
use crate::api::Api;
use crate::look;
use crate::seen::Poll;
use crate::seen::container::Container;
use crate::stream::file::Tail;
use crate::stream::reader::{Source, Stream};

/// An answer.
pub(super) enum Done {
    Stream(Box<Stream>),
    Poll(Box<Poll>),
    /// The containers of a node.
    List(usize, ApiResult<Value>),
    Inspect(String, ApiResult<Value>),
    /// The past events of a node.
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
                self.looked();
            }
            Done::List(node, answer) => {
                self.answers[node].listing = false;
                match answer {
                    Ok(list) => {
                        self.answers[node].list_error = None;
                        self.seen.listed(node, &list);
                    }
                    Err(e) => self.answers[node].list_error = Some(e.message),
                }
                self.looked();
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
            Done::Events(node, Err(e)) => self.answers[node].events_lost = Some(e.message),
        }
    }

    /// A look at the stack is under way.
    pub(super) fn is_looking(&self) -> bool {
        self.polling || self.answers.iter().any(|answers| answers.listing)
    }

    /// Looks at everything: the manager's objects, and each node's containers.
    pub(super) fn poll(&mut self) {
        self.polling = true;
        self.last_poll = Instant::now();
        self.next_poll = self.last_poll + POLL;
        for (node, peer) in self.peers.iter().enumerate() {
            let (api, stack) = (peer.api.clone(), self.setup.stack.clone());
            if node == 0 {
                let (api, stack) = (api.clone(), stack.clone());
                self.work.spawn(async move { Done::Poll(Box::new(look::poll(&api, &stack).await)) });
            }
            self.answers[node].listing = true;
            self.work.spawn(async move { Done::List(node, look::containers(&api, &stack).await) });
        }
    }

    /// All answers of a look are here.
    fn looked(&mut self) {
        if self.is_looking() {
            return;
        }
        let whole =
            self.poll_error.is_none() && self.answers.iter().all(|answers| answers.list_error.is_none());
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
            // A stream of a running container that ended anyhow (a rotation, a broken connection) goes on.
            if !self.reading.contains_key(&id) && (running || !self.idle.contains_key(&id)) {
                self.open(&id, None);
            }
            if !self.inspecting.contains(&id) && self.never_inspected(&id) {
                self.inspect(&id);
            }
        }
        self.open_elsewhere();
    }

    /// Logs of tasks on nodes that we cannot ask: the manager may.
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

    /// Reads a log, from where it was left. `task`: the container is on a node that we cannot ask.
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
        // The manager answers for tasks.
        let (api, manager) = (self.peers[node].api.clone(), self.peers[0].api.clone());
        let (follow, places) = (self.setup.attach && running, Arc::clone(&self.places));
        self.work.spawn(async move {
            // Following holds no place: every container that runs is followed.
            let _place = if follow { None } else { places.acquire_owned().await.ok() };
            Done::Stream(Box::new(stream.read(api, manager, follow, limits, watching).await))
        });
    }

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

    /// What the engines still remember.
    pub(super) fn past_events(&mut self) {
        for (node, peer) in self.peers.iter().enumerate() {
            let (api, now) = (peer.api.clone(), self.now());
            self.work.spawn(async move { Done::Events(node, look::past_events(&api, now).await) });
        }
    }
}
