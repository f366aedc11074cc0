//! Finds routers and load balancers that conflict with one another. No I/O.

use std::collections::BTreeMap;

use super::Finding;
use crate::route::labels::{self, Declared};
use crate::route::swarm::{Service, Swarm};
use crate::router::{self, Router};
use lib_common::swarm::traefik::Protocol;
use lib_common::swarm::traefik::rule::{self, Hit};

pub fn findings(swarm: &Swarm) -> Vec<Finding> {
    let all: Vec<(&Service, Declared)> = swarm
        .services
        .iter()
        .map(|service| (service, labels::read(&service.labels, &service.name)))
        .collect();
    let stacks: BTreeMap<&str, &str> =
        swarm.services.iter().map(|s| (s.name.as_str(), s.stack.as_deref().unwrap_or(&s.name))).collect();
    let routers: Vec<&Router> = all.iter().flat_map(|(_, declared)| &declared.routers).collect();
    let mut found = duplicates(&routers);
    found.extend(shared_backends(&all));
    found.extend(invalid(&routers));
    found.extend(overlaps(&routers, &stacks));
    found
}

fn object(router: &Router) -> String {
    format!("router {} of service {}", router.name, router.owner)
}

/// Routers that have one name but are declared differently: Traefik drops all of them.
fn duplicates(routers: &[&Router]) -> Vec<Finding> {
    let mut by_name: BTreeMap<(Protocol, &str), Vec<&Router>> = BTreeMap::new();
    for router in routers {
        by_name.entry((router.protocol, &router.name)).or_default().push(router);
    }
    let differ = |group: &&Vec<&Router>| {
        let plain = |router: &Router| Router { owner: String::new(), ..router.clone() };
        group.iter().any(|router| plain(router) != plain(group[0]))
    };
    let finding = |group: &Vec<&Router>| Finding {
        breaks: true,
        kind: "router-duplicate",
        what: format!(
            "router {} is declared {} times in different ways: Traefik drops all of them",
            group[0].name,
            group.len()
        ),
        objects: group.iter().map(|router| object(router)).collect(),
        remedy: "name routers after their stack (${STACK_NAME})",
    };
    by_name.values().filter(differ).map(finding).collect()
}

/// Load balancers that have one name in two stacks: requests for either stack go to the tasks of both.
fn shared_backends(all: &[(&Service, Declared)]) -> Vec<Finding> {
    let mut by_name: BTreeMap<(Protocol, &str), Vec<&Service>> = BTreeMap::new();
    for (service, declared) in all {
        for (protocol, name) in declared.backends.keys() {
            by_name.entry((*protocol, name)).or_default().push(service);
        }
    }
    let strangers =
        |services: &Vec<&Service>| services.iter().any(|service| service.stack != services[0].stack);
    let shared = by_name.iter().filter(|(_, services)| strangers(services));
    let finding = |((_, name), services): (&(Protocol, &str), &Vec<&Service>)| Finding {
        breaks: true,
        kind: "backend-shared",
        what: format!(
            "Traefik service {name} is declared in several stacks: each gets requests of the others"
        ),
        objects: services.iter().map(|service| format!("service {}", service.name)).collect(),
        remedy: "name Traefik services after their stack (${STACK_NAME})",
    };
    shared.map(finding).collect()
}

fn invalid(routers: &[&Router]) -> Vec<Finding> {
    let bad = routers.iter().filter_map(|router| Some((router, rule::problem(&router.rule)?)));
    let finding = |(router, problem): (&&Router, String)| Finding {
        breaks: true,
        kind: "rule-invalid",
        what: format!("router {}: {}: {problem}", router.name, router.rule),
        objects: vec![object(router)],
        remedy: "correct the rule; an empty Host(``) is an unset DOMAIN",
    };
    bad.map(finding).collect()
}

/// Hosts that routers of several stacks match.
fn overlaps(routers: &[&Router], stacks: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let owned: Vec<Router> = routers.iter().map(|router| (*router).clone()).collect();
    let http = router::http_entry_points(&owned);
    let mut by_pair: BTreeMap<(&Router, &Router), (bool, Vec<String>)> = BTreeMap::new();
    for router in &owned {
        for host in rule::hosts(&router.rule) {
            for other in &owned {
                let stranger = stacks.get(other.owner.as_str()) != stacks.get(router.owner.as_str());
                let apart = !router.entry_points.is_empty()
                    && !other.entry_points.is_empty()
                    && !router.entry_points.iter().any(|entry| other.entry_points.contains(entry));
                if !stranger || apart || !other.takes(&host, &http) {
                    continue;
                }
                let exact = rule::hit(&other.rule, &host) == Hit::Exact;
                // If both name the host exactly, the pair gets one record, and it breaks only if neither rule goes
                // first: longer rules may share the host path by path.
                let key = if exact && other < router { (other, router) } else { (router, other) };
                let breaks =
                    !exact || (router.rule.len(), router.priority) == (other.rule.len(), other.priority);
                let entry = by_pair.entry(key).or_default();
                entry.0 |= breaks;
                entry.1.push(host.clone());
            }
        }
    }
    let finding = |((one, two), (breaks, mut hosts)): ((&Router, &Router), (bool, Vec<String>))| {
        hosts.sort();
        hosts.dedup();
        Finding {
            breaks,
            kind: "rule-overlap",
            what: format!("{} and {} both take {}", one.rule, two.rule, hosts.join(", ")),
            objects: vec![object(one), object(two)],
            remedy: "give one of them another domain, or a priority",
        }
    };
    by_pair.into_iter().map(finding).collect()
}
