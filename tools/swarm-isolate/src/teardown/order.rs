//! Decides what may be removed now, so that no address leaks. No I/O.
//!
//! Services go first; the swarm then stops their containers, each within its own grace period. Networks go only when the
//! manager has dropped the record of every task: once a task's private network is gone, the manager can no longer free
//! the task's address on the *shared* one. Configs, secrets and volumes follow.

use lib_common::swarm::object::{Kind, Object};

/// A task of the run, reduced to what the order needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: String,
    /// The id of the node that it was assigned to.
    pub node: Option<String>,
    /// Its node is gone, so nobody will ever report that it ended.
    pub lost: bool,
}

/// What to do after one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'o> {
    /// Remove these, in this order; if one of a kind is refused, stop after that kind.
    Delete(Vec<&'o Object>),
    /// Containers or tasks are still ending.
    Wait(Waiting),
    /// Nothing is left that could be removed.
    Done,
}

/// What is waited for; it decides whether an event can wake the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// An event tells when they are gone.
    Containers,
    /// No event tells when a task's record is dropped, so it has to be polled.
    Tasks,
}

/// The next step. With `force` the swarm has had time enough, and its containers are removed directly.
pub fn next<'o>(objects: &'o [Object], tasks: &[Task], force: bool) -> Step<'o> {
    let of = |kind: Kind| objects.iter().filter(move |object| object.kind == kind);
    let services: Vec<&Object> = of(Kind::Service).collect();
    // Containers that no service started are not stopped by the removal of any service.
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
    // A lost node may still run the task and use its address, so the networks stay until the node is back or removed.
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
