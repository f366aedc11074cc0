//! Compares what is not the run's before and after the run: what changed, whether the run caused it, and what may never
//! be removed. No I/O.
//!
//! A change of something that `--protect` lists is harm, whoever made it. A change of anything else is harm if one of
//! our own calls named it (or its task or container) no later than the engine's first event of the change. Otherwise
//! somebody else made it, and the run is disturbed. Tasks of a service that was not steady before the run come and go by
//! themselves, so they do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use lib_common::swarm::object::Object;
use serde_json::Value;

use super::objects::{Snapshot, Target};
use super::pattern::Pattern;

/// A service of others at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    pub name: String,
    pub spec: Value,
    /// Tasks that should run, by id: the container's id and the process id of its first process.
    pub tasks: BTreeMap<String, (String, i64)>,
    /// Whether all tasks that should run do.
    pub steady: bool,
    pub listed: bool,
}

/// A container of others that belongs to no task, or that `--protect` lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub started: String,
    pub restarts: i64,
    pub listed: bool,
}

/// Everything that is not the run's.
#[derive(Debug, Clone, Default)]
pub struct Others {
    pub services: BTreeMap<String, Service>,
    pub containers: BTreeMap<String, Container>,
    /// Further objects that `--protect` lists.
    pub listed: Vec<Object>,
    pub all: Snapshot,
}

/// One of our calls, or one of the engine's events, with the id that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When we made the call or received the event, both by our monotonic clock.
    pub at: Instant,
    pub id: String,
}

/// A difference between before and after in something that is not the run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The change for people, such as `service/9f2c live_keycloak: spec`.
    pub said: String,
    /// All ids by which calls and events may name it.
    pub ids: BTreeSet<String>,
    pub listed: bool,
}

impl Others {
    /// The changes. `silent` is true of objects on nodes that did not answer afterwards, which nobody can judge.
    pub fn changes(&self, after: &Self, silent: impl Fn(&Object) -> bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, was) in &self.services {
            if let Some(what) = was.change(after.services.get(id)) {
                let tasks = was.tasks.iter().flat_map(|(task, (container, _))| [task, container]);
                let ids = tasks.chain([id]).cloned().collect();
                changes.push(Change { said: said("service", id, &was.name, what), ids, listed: was.listed });
            }
        }
        let unseen: BTreeSet<&String> = self.all.objects().filter(|o| silent(o)).map(|o| &o.id).collect();
        for (id, was) in self.containers.iter().filter(|(id, _)| !unseen.contains(id)) {
            if let Some(what) = was.change(after.containers.get(id)) {
                let ids = BTreeSet::from([id.clone()]);
                changes.push(Change {
                    said: said("container", id, &was.name, what),
                    ids,
                    listed: was.listed,
                });
            }
        }
        for object in self.listed.iter().filter(|object| !after.all.has(object) && !silent(object)) {
            let ids = BTreeSet::from([object.id.clone()]);
            changes.push(Change { said: format!("{object}: gone"), ids, listed: true });
        }
        changes
    }
}

impl Service {
    fn change(&self, after: Option<&Self>) -> Option<&'static str> {
        let Some(after) = after else { return Some("gone") };
        if after.spec != self.spec {
            return Some("spec");
        }
        (self.steady && after.tasks != self.tasks).then_some("tasks")
    }
}

impl Container {
    fn change(&self, after: Option<&Self>) -> Option<&'static str> {
        let Some(after) = after else { return Some("gone") };
        (after.started != self.started || after.restarts != self.restarts).then_some("restarted")
    }
}

fn said(kind: &str, id: &str, name: &str, what: &str) -> String {
    let id: String = id.chars().take(12).collect();
    format!("{kind}/{id} {name}: {what}")
}

/// Separates the changes into harm, and those that only disturbed the run.
pub fn judge(changes: Vec<Change>, calls: &[Noted], events: &[Noted]) -> (Vec<String>, Vec<String>) {
    let first_event = |change: &Change| {
        events.iter().filter(|event| change.ids.contains(&event.id)).map(|event| event.at).min()
    };
    let by_us = |change: &Change| {
        let until = first_event(change);
        calls.iter().any(|call| change.ids.contains(&call.id) && until.is_none_or(|until| call.at <= until))
    };
    let (harm, disturbed): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|change| change.listed || by_us(change));
    let said = |list: Vec<Change>| list.into_iter().map(|change| change.said).collect();
    (said(harm), said(disturbed))
}

/// Keeps a teardown from touching what is protected.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    pub patterns: Vec<Pattern>,
    /// The objects that existed before the run; empty when a dead run's remains are torn down.
    pub before: Snapshot,
}

impl Fence {
    /// Those of the objects to be removed that are protected. If there are any, nothing may be removed.
    pub fn crossed<'o>(&self, target: &Target, objects: &'o [Object]) -> Vec<&'o Object> {
        let bad = |object: &&Object| {
            // Remains of a dead predecessor may name only stacks; then any run's label is accepted.
            let other_run = |run: &str| !target.runs.is_empty() && !target.runs.iter().any(|own| own == run);
            let listed = self.patterns.iter().any(|pattern| pattern.matches_object(object));
            listed || object.run().is_some_and(other_run) || self.before.has(object)
        };
        objects.iter().filter(bad).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::swarm::label::{RUN, STACK};
    use lib_common::swarm::object::{Kind, parse};
    use serde_json::json;

    fn service(spec: i32, task: &str, steady: bool, listed: bool) -> Others {
        let tasks = BTreeMap::from([(task.to_owned(), (format!("c-{task}"), 7))]);
        let service = Service { name: "live_app".into(), spec: json!(spec), tasks, steady, listed };
        Others { services: BTreeMap::from([("s1".into(), service)]), ..Others::default() }
    }

    fn none(_: &Object) -> bool {
        false
    }

    fn noted(at: Instant, id: &str) -> Noted {
        Noted { at, id: id.into() }
    }

    #[test]
    fn what_changed_is_named() {
        let was = service(1, "t1", true, false);
        assert_eq!(was.changes(&was, none), []);
        let said = |after: &Others| was.changes(after, none)[0].said.clone();
        assert_eq!(said(&service(2, "t1", true, false)), "service/s1 live_app: spec");
        assert_eq!(said(&service(1, "t2", true, false)), "service/s1 live_app: tasks");
        assert_eq!(said(&Others::default()), "service/s1 live_app: gone");
    }

    #[test]
    fn a_service_that_was_never_steady_disturbs_nobody_by_crashing_on() {
        let was = service(1, "t1", false, false);
        assert_eq!(was.changes(&service(1, "t2", false, false), none), []);
        assert_eq!(was.changes(&service(2, "t2", false, false), none).len(), 1, "but its spec counts");
    }

    #[test]
    fn a_container_restarted_in_place_is_seen() {
        let at = |started: &str, restarts| {
            let container = Container { name: "db".into(), started: started.into(), restarts, listed: false };
            Others { containers: BTreeMap::from([("c1".into(), container)]), ..Others::default() }
        };
        assert_eq!(at("1", 0).changes(&at("1", 0), none), []);
        assert_eq!(at("1", 0).changes(&at("2", 0), none)[0].said, "container/c1 db: restarted");
        assert_eq!(at("1", 0).changes(&at("1", 1), none).len(), 1);
    }

    #[test]
    fn harm_is_what_is_listed_or_what_we_named_before_it_happened() {
        let early = Instant::now();
        let [event, late] = [1, 2].map(|s| early + std::time::Duration::from_secs(s));
        let changes = |listed| service(1, "t1", true, listed).changes(&service(1, "t2", true, listed), none);
        let judged = |listed, calls: &[Noted], events: &[Noted]| {
            let (harm, disturbed) = judge(changes(listed), calls, events);
            (harm.len(), disturbed.len())
        };
        assert_eq!(judged(true, &[], &[]), (1, 0), "listed: harm, whoever it was");
        assert_eq!(judged(false, &[], &[noted(event, "s1")]), (0, 1), "somebody else's");
        assert_eq!(
            judged(false, &[noted(early, "s1")], &[noted(event, "s1")]),
            (1, 0),
            "our call came first"
        );
        assert_eq!(
            judged(false, &[noted(early, "c-t1")], &[]),
            (1, 0),
            "a call on its container, event missed"
        );
        assert_eq!(
            judged(false, &[noted(late, "s1")], &[noted(event, "s1")]),
            (0, 1),
            "too late to be the cause"
        );
        assert_eq!(
            judged(false, &[noted(early, "s2")], &[noted(event, "s1")]),
            (0, 1),
            "about something else"
        );
    }

    #[test]
    fn the_fence_stands_before_the_first_call() {
        let list = json!([
            {"ID": "1", "Spec": {"Name": "iso_app", "Labels": {STACK: "iso"}}},
            {"ID": "2", "Spec": {"Name": "live_app", "Labels": {STACK: "iso", "class": "warm"}}},
            {"ID": "3", "Spec": {"Name": "iso_db", "Labels": {RUN: "other", STACK: "iso"}}}]);
        let objects = parse(Kind::Service, &list);
        let target = Target::of_run("mine", &["iso".into()]);
        let crossed = |patterns: &[&str], before: &[Object]| {
            let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
            let fence = Fence { patterns, before: before.iter().cloned().collect() };
            fence.crossed(&target, &objects).iter().map(|o| o.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(crossed(&[], &[]), ["3"], "another run's");
        assert_eq!(crossed(&["live_*"], &[]), ["2", "3"]);
        assert_eq!(crossed(&["label=class=warm"], &[]), ["2", "3"]);
        assert_eq!(crossed(&[], &objects[..1]), ["1", "3"], "it was there before the run");
    }
}
