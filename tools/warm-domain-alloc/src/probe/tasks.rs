//! Finds in a service's tasks the reason why no request is routed to them. No I/O.

use jiff::{SignedDuration, Timestamp};

use super::cause::{Cause, Finding};
use crate::route::proxy::Proxy;
use crate::route::swarm::{Service, Swarm, Task};

/// How long a task may wait for its address before the network counts as full.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// Why no task of the service gets requests; `None` if one is running.
pub fn finding(service: &Service, swarm: &Swarm, now: Timestamp) -> Option<Finding> {
    if service.running().next().is_some() {
        return None;
    }
    let mut tasks: Vec<&Task> = service.tasks.iter().collect();
    // The newest first: an older failure may have been repaired since.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.since));
    let say = |task: &Task| {
        format!("task of {}: {}, wanted {}: {}", service.name, task.state, task.desired, task.said)
    };
    let with = |cause: Cause, task: &Task| Some(Finding { cause, evidence: vec![say(task)] });
    if service.wanted == Some(0) {
        return Some(Finding {
            cause: Cause::ScaledToZero,
            evidence: vec![format!("{}: 0 replicas", service.name)],
        });
    }
    let wanted: Vec<&&Task> =
        tasks.iter().filter(|task| matches!(&*task.desired, "running" | "ready")).collect();
    let failed = tasks.iter().find(|task| matches!(&*task.state, "failed" | "rejected"));
    for task in &wanted {
        let waits = task.since.is_some_and(|since| now.duration_since(since) > PATIENCE);
        match &*task.state {
            // The task was not even allocated: the manager found no address for it, and shows that nowhere else.
            "new" if waits => {
                let mut found = Finding { cause: Cause::AddressesExhausted, evidence: vec![say(task)] };
                found.evidence.extend(service.attached.iter().map(|attached| {
                    let subnets = swarm.networks.get(&attached.network).map(|n| n.subnets.join(", "));
                    format!(
                        "network {}: {}",
                        swarm.network_name(&attached.network),
                        subnets.unwrap_or_default()
                    )
                }));
                return Some(found);
            }
            "preparing" if task.said.contains("address") => return with(Cause::AddressesExhausted, task),
            "pending" => return with(Cause::TaskPending, task),
            "starting" => return with(Cause::NotHealthyYet, task),
            _ => {}
        }
    }
    if let Some(task) = failed {
        let full = ["no available", "address space", "could not find an available IP"];
        let cause = if full.iter().any(|part| task.said.contains(part)) {
            Cause::AddressesExhausted
        } else {
            Cause::TaskFailing
        };
        return with(cause, task);
    }
    match wanted.first() {
        Some(task) => with(Cause::NotHealthyYet, task),
        None => Some(Finding {
            cause: Cause::NotHealthyYet,
            evidence: vec![format!("{} has no task yet", service.name)],
        }),
    }
}

/// Whether every running task may be younger than Traefik's last look at the swarm.
pub fn just_started(service: &Service, proxy: Option<&Proxy>, now: Timestamp) -> Option<Finding> {
    // Two seconds more than Traefik's refresh interval: it has to apply what it saw.
    let refresh = SignedDuration::from_secs(proxy.map_or(15, |proxy| proxy.refresh_seconds) + 2);
    let oldest = service.running().filter_map(|task| task.since).min()?;
    let age = now.duration_since(oldest);
    let text = format!(
        "{} has been running for {} s; Traefik looks every {} s",
        service.name,
        age.as_secs(),
        refresh.as_secs() - 2
    );
    (age < refresh).then(|| Finding { cause: Cause::JustDeployed, evidence: vec![text] })
}
