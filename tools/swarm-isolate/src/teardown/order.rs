//! What may be deleted now, so that no address leaks. No I/O.
//!
//! Services first; the swarm then stops their containers, each within its own grace period. A network goes
//! only when every task that had an address is off the manager's books: the manager forgets how to free a
//! task's address on the *shared* network once the task's private one is gone. Configs, secrets and volumes
//! follow.

use lib_common::swarm::object::{Kind, Object};

/// A task of the run, as far as the order needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: String,
    /// The node that it was assigned to, by id.
    pub node: Option<String>,
    /// Its node is gone: nobody will ever report that it ended.
    pub lost: bool,
}

/// What to do after one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'o> {
    /// Delete these, in this order; a kind that is refused ends the pass.
    Delete(Vec<&'o Object>),
    /// Containers or tasks are still ending.
    Wait(Waiting),
    /// Nothing is left that could be deleted.
    Done,
}

/// What is being waited for decides how a wake-up can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The engine tells by an event when they are gone.
    Containers,
    /// Nobody tells when a task's record goes.
    Tasks,
}

/// `force`: the swarm had its time, containers are removed by us.
pub fn next<'o>(objects: &'o [Object], tasks: &[Task], force: bool) -> Step<'o> {
    let of = |kind: Kind| objects.iter().filter(move |object| object.kind == kind);
    let services: Vec<&Object> = of(Kind::Service).collect();
    // What no service started, no service's removal stops.
    let (own, loose): (Vec<&Object>, Vec<&Object>) = of(Kind::Container).partition(|object| object.is_task());
    let now: Vec<&Object> = services.into_iter().chain(loose).collect();
    if !now.is_empty() {
        return Step::Delete(now);
    }
    if !own.is_empty() {
        return if force { Step::Delete(own) } else { Step::Wait(Waiting::Containers) };
    }
    if tasks.iter().any(|task| !task.lost) {
        return Step::Wait(Waiting::Tasks);
    }
    let keeps_networks = tasks.iter().any(|task| task.lost);
    let rest: Vec<&Object> =
        objects.iter().filter(|object| !(keeps_networks && object.kind == Kind::Network)).collect();
    if rest.is_empty() { Step::Done } else { Step::Delete(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::swarm::label::TASK_ID;

    fn object(kind: Kind, task: bool) -> Object {
        let labels = task.then(|| (TASK_ID.to_owned(), "t".to_owned())).into_iter().collect();
        Object { kind, id: String::new(), name: String::new(), labels, node: None }
    }

    fn task(lost: bool) -> Task {
        Task { id: "t".into(), node: None, lost }
    }

    fn kinds(step: &Step) -> Vec<Kind> {
        match step {
            Step::Delete(objects) => objects.iter().map(|object| object.kind).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn services_and_loose_containers_first() {
        use Kind::{Config, Container, Network, Service};
        let all = [object(Service, false), object(Container, true), object(Container, false)];
        let all = [&all[..], &[object(Network, false), object(Config, false)]].concat();
        assert_eq!(kinds(&next(&all, &[task(false)], false)), [Service, Container]);
        assert_eq!(kinds(&next(&all, &[], true)), [Service, Container], "force changes nothing yet");
    }

    #[test]
    fn nothing_else_goes_before_the_containers() {
        let all = [object(Kind::Container, true), object(Kind::Network, false)];
        assert_eq!(next(&all, &[], false), Step::Wait(Waiting::Containers));
        assert_eq!(kinds(&next(&all, &[], true)), [Kind::Container]);
    }

    #[test]
    fn nor_before_the_tasks() {
        let all = [object(Kind::Network, false), object(Kind::Secret, false)];
        assert_eq!(next(&all, &[task(false)], false), Step::Wait(Waiting::Tasks));
        assert_eq!(next(&all, &[task(false)], true), Step::Wait(Waiting::Tasks), "not even by force");
        assert_eq!(kinds(&next(&all, &[], false)), [Kind::Network, Kind::Secret]);
    }

    #[test]
    fn a_lost_task_holds_its_networks_and_nothing_else() {
        let all = [object(Kind::Network, false), object(Kind::Config, false), object(Kind::Volume, false)];
        assert_eq!(kinds(&next(&all, &[task(true)], false)), [Kind::Config, Kind::Volume]);
        assert_eq!(next(&all[..1], &[task(true)], false), Step::Done);
        assert_eq!(next(&all, &[task(true), task(false)], false), Step::Wait(Waiting::Tasks));
        assert_eq!(next(&[], &[], false), Step::Done);
    }
}
