//! Checks shared networks: which services answer to which names, and how full the networks are. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::address::room;
use lib_common::swarm::task::has_ended;

use super::Finding;
use crate::route::alias;
use crate::route::swarm::{Network, Service, Swarm};

/// Shares of a network's addresses: from `NEAR` on it is reported, from `FULL` on deploys are likely to fail.
const NEAR: f64 = 0.8;
const FULL: f64 = 0.95;

pub fn findings(swarm: &Swarm) -> Vec<Finding> {
    let mut found: Vec<Finding> = swarm
        .networks
        .values()
        .filter(|network| network.shared)
        .flat_map(|network| owners(swarm, network))
        .collect();
    found.extend(swarm.services.iter().flat_map(|service| strangers(swarm, service)));
    found.extend(
        swarm
            .networks
            .values()
            .filter(|network| network.shared)
            .filter_map(|network| filling(swarm, network)),
    );
    found
}

/// Names on a shared network to which several services answer.
fn owners(swarm: &Swarm, network: &Network) -> Vec<Finding> {
    let mut by_alias: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for service in &swarm.services {
        let here = service.attached.iter().filter(|attached| attached.network == network.id);
        for alias in here.flat_map(|attached| &attached.aliases) {
            by_alias.entry(alias).or_default().insert(&service.name);
        }
    }
    let finding = |(alias, owners): (&str, BTreeSet<&str>)| Finding {
        breaks: false,
        kind: "alias-shared",
        what: format!("{} services answer to {alias} on network {}", owners.len(), network.name),
        objects: owners.into_iter().map(|owner| format!("service {owner}")).collect(),
        remedy: "use full names (STACK_service), or stacks whose own networks sort before the shared one",
    };
    by_alias.into_iter().filter(|(_, owners)| owners.len() > 1).map(finding).collect()
}

/// Names of its own stack for which a service gets the addresses of strangers.
fn strangers(swarm: &Swarm, service: &Service) -> Vec<Finding> {
    let finding = |one: alias::Shadowed| Finding {
        breaks: true,
        kind: "alias-answered-by-strangers",
        what: format!(
            "{} asks for {} and is answered on network {} by strangers too",
            one.service, one.name, one.network
        ),
        objects: one.owners.iter().map(|owner| format!("service {owner}")).collect(),
        remedy: "give the service a name of its own (an alias, or the full STACK_service), or lease a name that sorts before the shared network",
    };
    alias::shadowed(swarm, service).into_iter().map(finding).collect()
}

/// Reports a network whose addresses are nearly or fully in use. Addresses that a stack's removal leaked show nowhere,
/// but the tasks that wait for an address do.
fn filling(swarm: &Swarm, network: &Network) -> Option<Finding> {
    let capacity = network.subnets.iter().filter_map(|subnet| room(subnet)).fold(0, u64::saturating_add);
    let here = |service: &&Service| service.attached.iter().any(|attached| attached.network == network.id);
    let services: Vec<&Service> = swarm.services.iter().filter(here).collect();
    let mut used: BTreeSet<&str> =
        services.iter().filter_map(|s| s.vips.get(&network.id)).map(String::as_str).collect();
    let tasks = services.iter().flat_map(|service| &service.tasks).filter(|task| !has_ended(&task.state));
    used.extend(tasks.clone().filter_map(|task| task.addresses.get(&network.id)).map(String::as_str));
    let waiting = tasks.filter(|task| task.state == "new").count();
    // Each node's load balancer has an address on the network, too.
    #[allow(clippy::cast_precision_loss)] // fewer than 2^32 addresses
    let share = (used.len() + swarm.nodes.len()) as f64 / capacity.max(1) as f64;
    let (kind, breaks) = if share >= FULL || waiting > 0 {
        ("network-full", true)
    } else if share >= NEAR {
        ("network-near-full", false)
    } else {
        return None;
    };
    let waits = if waiting > 0 { format!("; {waiting} tasks wait for one") } else { String::new() };
    Some(Finding {
        breaks,
        kind,
        what: format!(
            "network {} has {} of {capacity} addresses in use{waits}",
            network.name,
            used.len() + swarm.nodes.len()
        ),
        objects: [
            vec![format!("network {}", network.name)],
            services.iter().map(|s| format!("service {}", s.name)).collect(),
        ]
        .concat(),
        remedy: "make the network larger than /24; addresses leaked by stack removals come back when the managers restart",
    })
}
