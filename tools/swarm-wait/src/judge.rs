//! Judges from one look whether a service is as its spec says. No I/O, and no memory of earlier looks.
//!
//! Only tasks of the current spec count as up. While tasks of an older spec, or more tasks than wanted, still run,
//! the service has not converged. A rollback is a failure although all tasks match: the spec is the old one again.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::record::stack::Wedge;

use crate::facts::{Mode, Service, State, Task};

/// What one look at a service tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub up: u64,
    pub wanted: u64,
    /// What the service still lacks, for people; `None` when it has converged.
    pub missing: Option<String>,
    /// Why the service will never converge, whatever happens next.
    pub wedge: Option<(Wedge, String)>,
}

/// Each service with what this look at it tells.
pub fn each(services: Vec<Service>) -> Vec<(Service, Judgement)> {
    let judged = |service| {
        let judgement = judge(&service);
        (service, judgement)
    };
    services.into_iter().map(judged).collect()
}

pub fn judge(service: &Service) -> Judgement {
    let up = up(service);
    let wanted = wanted(service);
    let wedge = wedge(service, wanted);
    let state = service.update.as_ref().map_or("", |(state, _)| state.as_str());
    let updating = matches!(state, "updating" | "rollback_started");
    let of_before = service.tasks.iter().filter(|task| is_stale(service, task)).count();
    let mut missing = Vec::new();
    if updating {
        missing.push(format!("update state is {state}"));
    }
    if up < wanted || (wanted == 0 && service.mode == Mode::Global) {
        missing.push(format!("{up} of {wanted} up{}", on_their_way(service)));
    }
    if up > wanted {
        missing.push(format!("{} too many", up - wanted));
    }
    if of_before > 0 {
        missing.push(format!("{of_before} of before still running"));
    }
    let missing = (!missing.is_empty()).then(|| missing.join("; "));
    Judgement { up, wanted, missing, wedge }
}

fn up(service: &Service) -> u64 {
    let is_up = |task: &&Task| {
        let running = task.state == State::Running && task.desired == "running" && !task.lost;
        task.intended && if service.mode.is_job() { task.state == State::Complete } else { running }
    };
    let running = service.tasks.iter().filter(is_up).count();
    number(running + if service.mode.is_job() { 0 } else { rested(service).len() })
}

/// Slots of a one-shot service whose task completed, and which have no live task any more.
fn rested(service: &Service) -> BTreeSet<&str> {
    let slots = |wanted: fn(&Task) -> bool| -> BTreeSet<&str> {
        let tasks = service.tasks.iter().filter(|task| task.intended && wanted(task));
        tasks.map(|task| task.slot.as_str()).collect()
    };
    if !service.one_shot {
        return BTreeSet::new();
    }
    let live = slots(|task| task.state.is_live());
    &slots(|task| task.state == State::Complete) - &live
}

fn wanted(service: &Service) -> u64 {
    match service.mode {
        Mode::Replicated(count) | Mode::ReplicatedJob(count) => count,
        Mode::Global => {
            let meant = service.tasks.iter().filter(|task| task.desired == "running" && !task.lost);
            let slots: BTreeSet<&str> = meant.map(|task| task.slot.as_str()).collect();
            number((&slots | &rested(service)).len())
        }
        Mode::GlobalJob => {
            let nodes = service.tasks.iter().filter(|task| task.intended).map(|task| task.slot.as_str());
            // A job without tasks has not begun; with 0 wanted it would pass for done.
            number(nodes.collect::<BTreeSet<&str>>().len()).max(1)
        }
    }
}

/// Whether the task still runs although it should not. Tasks on a node that does not answer are left out: nobody
/// knows whether they run.
fn is_stale(service: &Service, task: &Task) -> bool {
    let meant = task.desired == "running" || task.desired == "ready" || task.desired == "complete";
    task.state == State::Running && !task.lost && !(meant && (task.intended || service.mode.is_job()))
}

/// The update's own verdict: it was rolled back, or it is paused before all tasks were changed.
fn wedge(service: &Service, wanted: u64) -> Option<(Wedge, String)> {
    let (state, message) = service.update.as_ref()?;
    let told = |what: &str| if message.is_empty() { what.to_owned() } else { message.clone() };
    match state.as_str() {
        "rollback_started" | "rollback_paused" | "rollback_completed" => {
            Some((Wedge::RolledBack, format!("{state}: {}", told("the update failed"))))
        }
        // A paused update changes no further tasks, but those that it changed already may still come up.
        "paused" => {
            let changed = service.tasks.iter().filter(|task| task.intended && task.desired != "shutdown");
            let slots: BTreeSet<&str> = changed.map(|task| task.slot.as_str()).collect();
            (number(slots.len()) < wanted).then(|| (Wedge::UpdatePaused, told("update paused")))
        }
        _ => None,
    }
}

/// The tasks that are not running yet, as in `: 1 starting, 1 pending (no suitable node)`.
fn on_their_way(service: &Service) -> String {
    let mut states: BTreeMap<(State, &str), usize> = BTreeMap::new();
    let way = |task: &&Task| task.intended && task.state.is_live() && task.state != State::Running;
    for task in service.tasks.iter().filter(way) {
        *states.entry((task.state, &task.error)).or_default() += 1;
    }
    let word = |((state, error), count): (&(State, &str), &usize)| {
        let error = if error.is_empty() { String::new() } else { format!(" ({error})") };
        format!("{count} {}{error}", state.word())
    };
    let words: Vec<String> = states.iter().map(word).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
