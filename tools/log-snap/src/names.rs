//! Translates ids into the names that people use: `app.1` for a task of a service, the host name for a node.

use std::collections::BTreeMap;

use crate::recorder::short;
use crate::seen::Seen;
use crate::seen::task::Task;
use crate::stream::reader::Stream;

pub struct Names<'a> {
    stack: &'a str,
    seen: &'a Seen,
    /// Host names by node id.
    nodes: BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    #[must_use]
    pub fn new(stack: &'a str, seen: &'a Seen, nodes: BTreeMap<String, String>) -> Self {
        Self { stack, seen, nodes }
    }

    /// Full name of a service, or its id if the service itself was never seen.
    #[must_use]
    pub fn service(&self, id: &str) -> String {
        self.seen.services.get(id).map_or_else(|| id.to_owned(), |service| service.name.clone())
    }

    #[must_use]
    pub fn node(&self, id: &str) -> String {
        self.nodes.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// Name of a task: `app.1`, or for a global service, whose tasks have no slot, `app.` and the host name.
    #[must_use]
    pub fn task(&self, task: &Task) -> String {
        let slot = task.slot.map_or_else(|| self.node(&task.node), |slot| slot.to_string());
        format!("{}.{slot}", self.without_stack(&self.service(&task.service)))
    }

    /// Name of a log: that of its task. If the task was never seen, it is taken from the container's name, which is
    /// `STACK_SERVICE.SLOT.TASK`.
    #[must_use]
    pub fn stream(&self, stream: &Stream) -> String {
        if let Some(task) = stream.task.as_ref().and_then(|id| self.seen.tasks.get(id))
            && self.seen.services.contains_key(&task.service)
        {
            return self.task(task);
        }
        let name = self.seen.containers.get(&stream.container).map(|c| c.name.as_str()).unwrap_or_default();
        match (name, &stream.task) {
            ("", _) => short(&stream.container).to_owned(),
            (name, Some(task)) => {
                let name = name.strip_suffix(task.as_str()).unwrap_or(name).trim_end_matches('.');
                self.without_stack(name).to_owned()
            }
            (name, None) => self.without_stack(name).to_owned(),
        }
    }

    /// Full name of the service that a log belongs to; empty if it is not known.
    #[must_use]
    pub fn stream_service(&self, stream: &Stream) -> String {
        let task = stream.task.as_ref().and_then(|id| self.seen.tasks.get(id)).map(|task| &task.service);
        let id = task.or_else(|| Some(&self.seen.containers.get(&stream.container)?.service));
        let known = id.and_then(|id| self.seen.services.get(id)).map(|service| service.name.clone());
        known.unwrap_or_else(|| {
            let name = self.stream(stream);
            let base = name.rsplit_once('.').map_or("", |(base, _)| base);
            if base.is_empty() { String::new() } else { format!("{}_{base}", self.stack) }
        })
    }

    fn without_stack<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.stack).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name)
    }
}
