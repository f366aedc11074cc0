//! The state of the stack as far as it was seen. The recorder feeds it with the engine's answers and events, and it
//! says what should be requested next.
//!
//! There is no I/O here. Objects are raw JSON: in a typed list one odd value would make the whole list unreadable.

pub mod container;
pub mod event;
pub mod service;
pub mod task;

use std::collections::BTreeMap;

use lib_common::swarm::label::STACK;
use lib_common::swarm::task::has_ended;
use serde_json::Value;

use container::Container;
use event::Event;
use service::Service;
use task::Task;

/// Events that are kept. A crash loop of hours must not fill the memory with its events.
const MAX_EVENTS: usize = 20_000;

/// The manager's answers to one poll of the stack; `None` where it did not answer.
#[derive(Default)]
pub struct Poll {
    pub services: Option<Value>,
    pub tasks: Option<Value>,
    pub configs: Option<Value>,
    pub secrets: Option<Value>,
    pub networks: Option<Value>,
    /// The errors of the requests that failed.
    pub errors: Vec<String>,
}

/// What the recorder should do because of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Open the log of this container.
    Log(String),
    /// The container ended, and with it its log.
    Ended(String),
    /// Ask for the state and the health probes of this container.
    Inspect(String),
    /// Poll the whole stack.
    Poll,
}

pub struct Seen {
    stack: String,
    pub services: BTreeMap<String, Service>,
    pub tasks: BTreeMap<String, Task>,
    pub containers: BTreeMap<String, Container>,
    pub configs: BTreeMap<String, Value>,
    pub secrets: BTreeMap<String, Value>,
    pub networks: BTreeMap<String, Value>,
    pub events: Vec<Event>,
    pub events_dropped: u64,
    /// Whether the last poll found nothing that still exists or runs.
    gone: bool,
}

impl Seen {
    #[must_use]
    pub fn new(stack: &str) -> Self {
        Self {
            stack: stack.to_owned(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            containers: BTreeMap::new(),
            configs: BTreeMap::new(),
            secrets: BTreeMap::new(),
            networks: BTreeMap::new(),
            events: Vec::new(),
            events_dropped: 0,
            gone: false,
        }
    }

    /// Whether nothing of the stack was ever seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.tasks.is_empty() && self.containers.is_empty()
    }

    /// Whether the stack was there, and the last poll, which had no errors, found nothing of it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone && !self.is_empty()
    }

    /// Updates everything from one poll. `now`, in nanoseconds since 1970, is used for tasks whose status has no time.
    pub fn poll(&mut self, poll: &Poll, now: i64) {
        let rows =
            |list: &Option<Value>| list.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        let services = rows(&poll.services);
        let stack = self.stack.clone();
        for service in services.iter().filter(|s| s["Spec"]["Labels"][STACK] == stack.as_str()) {
            let id = text(&service["ID"]);
            self.services.entry(id.clone()).or_insert_with(|| Service::new(&id)).see(service);
        }
        let tasks = rows(&poll.tasks);
        for task in tasks.iter().filter(|task| is_of(task, &stack)) {
            let id = text(&task["ID"]);
            self.tasks.entry(id.clone()).or_insert_with(|| Task::new(&id)).see(task, now);
        }
        let of_stack = |row: &Value| row["Spec"]["Labels"][STACK] == stack.as_str();
        let configs = rows(&poll.configs).into_iter().filter(of_stack);
        self.configs.extend(configs.map(|row| (text(&row["ID"]), row)));
        let secrets = rows(&poll.secrets).into_iter().filter(of_stack);
        self.secrets.extend(secrets.map(|row| (text(&row["ID"]), row)));
        let networks = rows(&poll.networks).into_iter().filter(|row| row["Labels"][STACK] == stack.as_str());
        self.networks.extend(networks.map(|row| (text(&row["Id"]), row)));
        let alive = |task: &Value| !has_ended(task["Status"]["State"].as_str().unwrap_or_default());
        self.gone = poll.errors.is_empty()
            && services.is_empty()
            && !self.containers.values().any(Container::is_there)
            && !tasks.iter().any(|task| is_of(task, &stack) && alive(task));
    }

    /// Updates the containers of a node from its `/containers/json`.
    pub fn listed(&mut self, node: usize, list: &Value) {
        let stack = self.stack.clone();
        let ours = |row: &&Value| row["Labels"][STACK] == stack.as_str();
        let mut there = Vec::new();
        for row in list.as_array().into_iter().flatten().filter(ours) {
            let id = text(&row["Id"]);
            let container = self.container(&id);
            container.node = node;
            container.listed(row);
            there.push(id);
        }
        for container in self.containers.values_mut().filter(|container| container.node == node) {
            container.is_listed(there.contains(&container.id));
        }
    }

    fn container(&mut self, id: &str) -> &mut Container {
        self.containers.entry(id.to_owned()).or_insert_with(|| Container::new(id))
    }

    /// Updates a container from its inspection.
    pub fn inspected(&mut self, id: &str, state: &Value) {
        self.container(id).inspected(state);
    }

    /// Takes one event of a node's engine, keeps it if it belongs to the stack, and returns what to do because of it.
    pub fn event(&mut self, node: usize, raw: &Value) -> Vec<Wish> {
        // Every manager sends the events of the swarm's objects (services, networks). Those of the first one are
        // enough.
        if node > 0 && raw["scope"] == "swarm" {
            return Vec::new();
        }
        let event = Event::parse(raw);
        let label = raw["Actor"]["Attributes"][STACK].as_str();
        let Some(matched) = self.matches(&event, label) else { return Vec::new() };
        let mut wishes = Vec::new();
        if event.kind == "container" && matched == "label" {
            let container = self.container(&event.id);
            container.node = node;
            container.event(&event, &raw["Actor"]["Attributes"]);
            wishes = match event.action.as_str() {
                "start" => vec![Wish::Log(event.id.clone()), Wish::Poll],
                "die" => vec![Wish::Ended(event.id.clone()), Wish::Inspect(event.id.clone()), Wish::Poll],
                "oom" => vec![Wish::Inspect(event.id.clone())],
                "create" | "destroy" => vec![Wish::Poll],
                action if action.starts_with("exec_die") || action.starts_with("health_status") => {
                    vec![Wish::Inspect(event.id.clone())]
                }
                _ => Vec::new(),
            };
        } else if event.kind == "service" {
            wishes.push(Wish::Poll);
        }
        // Each health probe makes three exec events, which say nothing that the probe's result does not say.
        if !event.action.starts_with("exec_") {
            if self.events.len() < MAX_EVENTS {
                self.events.push(Event { matched, ..event });
            } else {
                self.events_dropped += 1;
            }
        }
        wishes
    }

    /// What shows that an event belongs to the stack; `None` if it does not. Events of nodes concern every stack.
    fn matches(&self, event: &Event, label: Option<&str>) -> Option<&'static str> {
        if let Some(label) = label {
            return (label == self.stack).then_some("label");
        }
        let known = |id: &str| {
            self.services.contains_key(id)
                || self.containers.contains_key(id)
                || self.configs.contains_key(id)
        };
        let other = event.attributes.get("container").is_some_and(|id| known(id));
        if known(&event.id) || other {
            return Some("id");
        }
        // Events of the swarm's objects carry no labels, so only their names can match: they start with the stack's
        // name. Another stack's objects may have names that start so too, which is why the event says how it matched.
        let name = event.attributes.get("name").map(String::as_str).unwrap_or_default();
        let rest = name.strip_prefix(self.stack.as_str()).and_then(|rest| rest.strip_prefix('_'));
        match event.kind.as_str() {
            "node" | "daemon" => Some("node"),
            "service" | "network" | "secret" | "config" | "volume" => rest.map(|_| "name"),
            _ => None,
        }
    }
}

/// Whether a task belongs to the stack. The engine's filter has compared the label of the task's service; where the
/// container's label names another stack, that one counts.
fn is_of(task: &Value, stack: &str) -> bool {
    let label = &task["Spec"]["ContainerSpec"]["Labels"][STACK];
    label.as_str().is_none_or(|label| label == stack)
}

/// The text of a JSON string; empty if the value is missing or is no string.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container_event(action: &str, stack: &str) -> Value {
        json!({"Type": "container", "Action": action, "timeNano": 7,
               "Actor": {"ID": "c1", "Attributes": {STACK: stack, "name": "s_app.1.x"}}})
    }

    #[test]
    fn a_started_container_of_the_stack_asks_for_its_log() {
        let mut seen = Seen::new("s");
        assert_eq!(seen.event(0, &container_event("start", "s")), [Wish::Log("c1".into()), Wish::Poll]);
        assert_eq!(seen.event(0, &container_event("start", "s_other")), []);
        assert_eq!(seen.event(0, &container_event("exec_die", "s")), [Wish::Inspect("c1".into())]);
        assert_eq!(seen.events.len(), 1, "exec events are not kept");
    }

    #[test]
    fn swarm_objects_match_by_id_or_name() {
        let mut seen = Seen::new("s");
        let service = json!({"ID": "sv", "Spec": {"Name": "s_app", "Labels": {STACK: "s"}}});
        seen.poll(&Poll { services: Some(json!([service])), ..Poll::default() }, 1);
        let event = |kind: &str, id: &str, name: &str| json!({"Type": kind, "Action": "update", "Actor": {"ID": id, "Attributes": {"name": name}}});
        let mut matched = |raw: &Value| {
            seen.event(0, raw);
            seen.events.pop().map(|event| event.matched)
        };
        assert_eq!(matched(&event("service", "sv", "s_app")), Some("id"));
        assert_eq!(matched(&event("network", "nx", "s_default")), Some("name"));
        assert_eq!(matched(&event("network", "nx", "sx_default")), None);
        assert_eq!(matched(&event("node", "n1", "host")), Some("node"));
        assert_eq!(matched(&event("image", "i1", "s_app")), None);
    }

    #[test]
    fn a_stack_whose_name_starts_alike_is_not_ours() {
        let mut seen = Seen::new("s");
        let list = json!([{"Id": "c1", "Labels": {STACK: "s_two"}}]);
        let task = json!([{"ID": "t1", "Spec": {"ContainerSpec": {"Labels": {STACK: "s_two"}}}}]);
        seen.poll(&Poll { tasks: Some(task), ..Poll::default() }, 1);
        seen.listed(0, &list);
        assert!(seen.is_empty());
    }

    #[test]
    fn gone_means_that_it_was_there() {
        let none = || Poll { services: Some(json!([])), tasks: Some(json!([])), ..Poll::default() };
        let mut seen = Seen::new("s");
        seen.poll(&none(), 1);
        assert!(!seen.is_gone());
        seen.event(0, &container_event("start", "s"));
        seen.poll(&none(), 1);
        assert!(!seen.is_gone(), "its container was not looked for");
        seen.listed(1, &json!([]));
        seen.listed(0, &json!([]));
        seen.poll(&none(), 1);
        assert!(seen.is_gone());
        seen.poll(&Poll { errors: vec!["no answer".into()], ..none() }, 1);
        assert!(!seen.is_gone());
    }
}
