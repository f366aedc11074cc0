//! Judges from the engine alone whether Traefik would route a domain, to which service, and if not, why. No I/O.

use jiff::Timestamp;
use lib_common::swarm::stack::{self, STACK_MAX, stack_of};
use lib_common::swarm::traefik::Protocol;

use super::cause::{Cause, Finding};
use super::tasks;
use crate::compose::Objects;
use crate::route::alias::{self, Shadowed};
use crate::route::labels::{self, Declared};
use crate::route::proxy::Proxy;
use crate::route::swarm::{Service, Swarm};
use crate::router::{self, Router};
use lib_common::swarm::traefik::rule::{self, Hit};

/// What would happen to requests for a domain.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Why it would not route, the most fundamental reason first; empty if it would.
    pub findings: Vec<Finding>,
    /// Where requests go; whether a server answers there only a request can show.
    pub backend: Option<Backend>,
    /// Names inside the stack to which strangers answer.
    pub shadowed: Vec<Shadowed>,
    /// Places in the stack's own configuration that use such a name.
    pub uses: Vec<String>,
    /// The router's certificate resolver, and whether Traefik has it.
    pub resolver: Option<(String, bool)>,
    /// Traefik's names of the domain's routers.
    pub routers: Vec<String>,
}

/// The service to which a domain's router sends requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    pub service: String,
    pub port: String,
    pub passthrough: bool,
    /// The service's virtual address, if requests go to that.
    pub vip: Option<String>,
}

/// A question about one domain.
pub struct Question<'a> {
    pub domain: &'a str,
    pub port: u16,
    pub https: bool,
    pub now: Timestamp,
    /// The objects of the recipe's compose files, if they are known.
    pub objects: &'a Objects,
}

/// A service with what its labels declare.
struct Labelled<'s> {
    service: &'s Service,
    declared: Declared,
}

/// Judges `question`. Without `proxy`, whatever depends on Traefik's own settings is not judged.
pub fn judge(question: &Question, swarm: &Swarm, proxy: Option<&Proxy>) -> Judgement {
    let all: Vec<Labelled> = swarm
        .services
        .iter()
        .map(|service| Labelled { service, declared: labels::read(&service.labels, &service.name) })
        .collect();
    let mut judgement = Judgement::default();
    let stack = stack_of(question.domain);
    let mut mine: Vec<(&Labelled, &Router)> = Vec::new();
    for labelled in &all {
        for router in &labelled.declared.routers {
            let exact = rule::hit(&router.rule, question.domain) == Hit::Exact;
            let broken =
                labelled.service.stack.as_deref() == Some(&stack) && rule::problem(&router.rule).is_some();
            if exact || broken {
                mine.push((labelled, router));
            }
        }
    }
    // Other stacks may name the domain as well, so the stack that is named after the domain comes first.
    mine.sort_by_key(|(labelled, router)| {
        (
            labelled.service.stack.as_deref() != Some(&stack),
            router.protocol == Protocol::Http,
            router.name.clone(),
        )
    });
    let Some((labelled, router)) =
        mine.iter().find(|(_, router)| fits(router, question, proxy)).or(mine.first())
    else {
        judgement.findings.push(nobody(question, swarm, &all, &stack));
        return judgement;
    };
    judgement.routers = mine.iter().map(|(_, router)| router.name.clone()).collect();
    let service = labelled.service;
    judgement.shadowed = alias::shadowed(swarm, service);
    judgement.uses = uses(swarm, service, &judgement.shadowed);
    judgement.findings.extend(dropped(labelled, proxy));
    judgement.findings.extend(port(&labelled.declared, router));
    judgement.findings.extend(tasks::finding(service, swarm, question.now));
    judgement.findings.extend(duplicate(labelled, router, &all));
    judgement.findings.extend(refused(router, question, &all, proxy));
    judgement.findings.extend(taken(labelled, router, question, &all));
    judgement.findings.extend(networks(labelled, swarm, proxy));
    judgement.backend = Some(backend(labelled, router, proxy));
    if !router.resolver.is_empty() {
        let known = proxy.is_none_or(|proxy| proxy.resolvers.contains(&router.resolver));
        judgement.resolver = Some((router.resolver.clone(), known));
    }
    judgement.findings.extend(tasks::just_started(service, proxy, question.now));
    judgement
}

fn finding(cause: Cause, evidence: impl Into<String>) -> Finding {
    Finding { cause, evidence: vec![evidence.into()] }
}

/// Whether a router is on the entry point of the port that was asked.
fn fits(router: &Router, question: &Question, proxy: Option<&Proxy>) -> bool {
    let entry = proxy.and_then(|proxy| proxy.entry_point(question.port));
    entry.is_none_or(|entry| {
        router.entry_points.is_empty() || router.entry_points.iter().any(|name| name == entry)
    })
}

/// Why no router names the domain.
fn nobody(question: &Question, swarm: &Swarm, all: &[Labelled], stack: &str) -> Finding {
    let stacked: Vec<&Service> = swarm.of_stack(stack).collect();
    for service in &swarm.services {
        let labels = labels::read(&service.container_labels, &service.name);
        let names = |router: &&Router| rule::hit(&router.rule, question.domain) == Hit::Exact;
        if let Some(router) = labels.routers.iter().find(names) {
            let text =
                format!("container label of {}: router {} with {}", service.name, router.name, router.rule);
            return finding(Cause::LabelsOnContainer, text);
        }
    }
    // If the label's name has a typo Traefik sees no router, but the label's value may still name the domain.
    for labelled in all {
        let of_stack = labelled.service.stack.as_deref() == Some(stack);
        let named = |key: &&String| {
            of_stack || rule::hit(&labelled.service.labels[*key], question.domain) == Hit::Exact
        };
        if let Some(key) = labelled.declared.unknown.iter().find(named) {
            let text = format!("label of {}: {key}={}", labelled.service.name, labelled.service.labels[key]);
            return finding(Cause::LabelUnknown, text);
        }
    }
    if !stacked.is_empty() {
        let names: Vec<&str> = stacked.iter().map(|service| service.name.as_str()).collect();
        return finding(Cause::NoRouter, format!("services of stack {stack}: {}", names.join(", ")));
    }
    too_long(question)
        .unwrap_or_else(|| finding(Cause::NothingDeployed, format!("no service of stack {stack}")))
}

/// Whether the stack was never created because the engine refuses its names.
fn too_long(question: &Question) -> Option<Finding> {
    let whole = stack::whole(question.domain);
    if whole.chars().count() > STACK_MAX {
        let count = whole.chars().count();
        let text = format!("its stack {whole} has {count} characters, and abra keeps only {STACK_MAX}");
        return Some(finding(Cause::NameTooLong, text));
    }
    let over = crate::limits::over(&whole, question.objects)?;
    Some(finding(Cause::NameTooLong, over))
}

/// Why Traefik ignores the whole service.
fn dropped(labelled: &Labelled, proxy: Option<&Proxy>) -> Option<Finding> {
    let (service, declared) = (labelled.service, &labelled.declared);
    if let Some(key) = declared.unknown.first() {
        return Some(finding(
            Cause::LabelUnknown,
            format!("label of {}: {key}={}", service.name, service.labels[key]),
        ));
    }
    let default = proxy.is_none_or(|proxy| proxy.exposed_by_default);
    if !declared.enable.unwrap_or(default) {
        let is = declared.enable.map_or("not set, and exposedByDefault is false", |_| "not true");
        return Some(finding(Cause::NotEnabled, format!("traefik.enable of {} is {is}", service.name)));
    }
    None
}

fn port(declared: &Declared, router: &Router) -> Option<Finding> {
    let (name, port) = declared.backend(router)?;
    let is_port = port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let text = match port {
        Some(port) => format!("Traefik service {name} of {}: the port is '{port}'", router.owner),
        None => format!("Traefik service {name} of {} has no loadbalancer.server.port", router.owner),
    };
    (!is_port).then(|| finding(Cause::PortMissing, text))
}

/// Another service that declares a router of the same name in another way.
fn duplicate(labelled: &Labelled, router: &Router, all: &[Labelled]) -> Option<Finding> {
    let other = all.iter().filter(|other| other.service.id != labelled.service.id).find_map(|other| {
        let same_name = |r: &&Router| r.protocol == router.protocol && r.name == router.name;
        let twin = other.declared.routers.iter().find(same_name)?;
        let differs = Router { owner: router.owner.clone(), ..twin.clone() } != *router;
        differs.then_some(twin)
    })?;
    let text = |r: &Router| format!("router {} of {}: {}", r.name, r.owner, r.rule);
    Some(Finding { cause: Cause::RouterDuplicate, evidence: vec![text(router), text(other)] })
}

/// Why Traefik refuses the router itself, or does not use it for this request.
fn refused(router: &Router, question: &Question, all: &[Labelled], proxy: Option<&Proxy>) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_v2 = proxy.is_some_and(|proxy| proxy.is_v2);
    if let Some(problem) = rule::problem(&router.rule).filter(|_| !is_v2) {
        found
            .push(finding(Cause::RuleInvalid, format!("router {}: {}: {problem}", router.name, router.rule)));
    }
    for name in &router.middlewares {
        let (plain, provider) = name.split_once('@').unwrap_or((name, "swarm"));
        let declared =
            || all.iter().any(|one| one.declared.middlewares.contains(&(router.protocol, plain.to_owned())));
        if matches!(provider, "swarm" | "docker") && !declared() {
            let text = format!("router {} of {} names middleware {name}", router.name, router.owner);
            found.push(finding(Cause::MiddlewareMissing, text));
        }
    }
    let Some(proxy) = proxy.filter(|proxy| !proxy.entry_points.is_empty()) else { return found };
    let known = |name: &&String| proxy.entry_points.keys().any(|entry| entry == *name);
    if !router.entry_points.is_empty() && !router.entry_points.iter().any(|name| known(&name)) {
        let has: Vec<&str> = proxy.entry_points.keys().map(String::as_str).collect();
        let text = format!(
            "router {}: entry points {}; Traefik has {}",
            router.name,
            router.entry_points.join(", "),
            has.join(", ")
        );
        found.push(finding(Cause::EntryPointUnknown, text));
    } else if !fits(router, question, Some(proxy)) {
        let asked = proxy.entry_point(question.port).unwrap_or_default();
        let text = format!(
            "router {}: entry points {}; port {} is {asked}",
            router.name,
            router.entry_points.join(", "),
            question.port
        );
        found.push(finding(Cause::EntryPointOther, text));
    }
    let entry_tls =
        proxy.entry_point(question.port).and_then(|name| proxy.entry_points.get(name)).is_some_and(|e| e.tls);
    if question.https && router.protocol == Protocol::Http && !router.tls && !entry_tls {
        found.push(finding(
            Cause::RouterWithoutTls,
            format!("router {} of {} has no tls label", router.name, router.owner),
        ));
    }
    found
}

/// A router of another stack that takes the domain.
fn taken(labelled: &Labelled, router: &Router, question: &Question, all: &[Labelled]) -> Option<Finding> {
    let everything: Vec<Router> = all.iter().flat_map(|one| one.declared.routers.clone()).collect();
    let http = router::http_entry_points(&everything);
    let stack = labelled.service.stack.as_deref();
    let mut others = all.iter().filter(|other| {
        let same = other.service.stack.as_deref() == stack && stack.is_some();
        !same && other.service.id != labelled.service.id && other.service.running().next().is_some()
    });
    let other = others.find_map(|other| {
        let takes = |r: &&Router| {
            let exact = rule::hit(&r.rule, question.domain) == Hit::Exact;
            // A rule of another length for one of its paths shares the domain on purpose.
            let shares = exact
                && r.protocol == Protocol::Http
                && r.rule.len() != router.rule.len()
                && r.priority.is_none();
            let meets = r.entry_points.is_empty()
                || router.entry_points.is_empty()
                || r.entry_points.iter().any(|entry| router.entry_points.contains(entry));
            meets && !shares && r.takes(question.domain, &http)
        };
        other.declared.routers.iter().find(takes)
    })?;
    let text = format!("router {} of {} takes it with {}", other.name, other.owner, other.rule);
    Some(finding(Cause::TakenByOther, text))
}

fn networks(labelled: &Labelled, swarm: &Swarm, proxy: Option<&Proxy>) -> Option<Finding> {
    let service = labelled.service;
    let names: Vec<String> = service.attached.iter().map(|a| swarm.network_name(&a.network)).collect();
    let on =
        format!("{} is on {}", service.name, if names.is_empty() { "none".into() } else { names.join(", ") });
    let meets =
        proxy.is_none_or(|proxy| service.attached.iter().any(|a| proxy.networks.contains(&a.network)));
    if !meets {
        return Some(finding(Cause::NotOnProxyNetwork, on));
    }
    let wanted = labelled.declared.network.as_ref().or(proxy.and_then(|proxy| proxy.network.as_ref()))?;
    (!names.contains(wanted)).then(|| Finding {
        cause: Cause::NetworkLabel,
        evidence: vec![format!("the label says {wanted}"), on],
    })
}

fn backend(labelled: &Labelled, router: &Router, proxy: Option<&Proxy>) -> Backend {
    let service = labelled.service;
    let shared = |network: &&String| proxy.is_none_or(|proxy| proxy.networks.contains(*network));
    let vip = service.vips.iter().find(|(network, _)| shared(network)).map(|(_, vip)| vip.clone());
    let port = labelled.declared.backend(router).and_then(|(_, port)| port.map(ToOwned::to_owned));
    Backend {
        service: service.name.clone(),
        port: port.unwrap_or_default(),
        passthrough: router.passthrough,
        vip: vip.filter(|_| labelled.declared.lbswarm),
    }
}

/// The places in the service's own settings that use a shadowed name as a host.
fn uses(swarm: &Swarm, service: &Service, shadowed: &[Shadowed]) -> Vec<String> {
    let mounted =
        service.mounts.iter().filter_map(|(id, path)| Some((path.clone(), swarm.configs.get(id)?.clone())));
    let words = service.command.iter().map(|text| ("its command".to_owned(), text.clone()));
    let env = service.env.iter().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((format!("its variable {name}"), value.to_owned()))
    });
    let texts: Vec<(String, String)> = mounted.chain(words).chain(env).collect();
    let named = |name: &str| {
        texts
            .iter()
            .filter(|(_, text)| names_host(text, name))
            .map(|(place, _)| format!("{place} uses {name}"))
            .collect::<Vec<_>>()
    };
    shadowed.iter().flat_map(|one| named(&one.name)).collect()
}

/// Whether the text uses `name` as a host: `//name`, `@name` or `name:port`.
pub fn names_host(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let ends = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let port = after.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        ends && (before.ends_with("//") || before.ends_with('@') || port)
    })
}

#[cfg(test)]
mod tests;
