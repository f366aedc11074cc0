//! Reads a service's labels as Traefik 3's swarm provider does, and notes which make it drop the service. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::traefik::label::Element;
use lib_common::swarm::traefik::{Label, Protocol};
use serde_json::json;

use crate::router::{self, Router};

/// What the labels of one service declare.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Whether any label is Traefik's.
    pub any: bool,
    pub enable: Option<bool>,
    pub network: Option<String>,
    /// Whether Traefik sends requests to the service's virtual address and leaves balancing to the engine.
    pub lbswarm: bool,
    /// Labels that Traefik does not know. Because of a single one it drops the whole service.
    pub unknown: Vec<String>,
    pub routers: Vec<Router>,
    /// Load balancers by protocol and name, with their port label.
    pub backends: BTreeMap<(Protocol, String), Option<String>>,
    pub middlewares: BTreeSet<(Protocol, String)>,
}

const SECTIONS: [&str; 4] = ["routers", "services", "middlewares", "serverstransports"];
const ROUTER: [&str; 9] = [
    "rule",
    "rulesyntax",
    "entrypoints",
    "middlewares",
    "service",
    "priority",
    "tls",
    "observability",
    "parentrefs",
];
const SERVICE: [&str; 5] = ["loadbalancer", "weighted", "mirroring", "failover", "highestrandomweight"];
const BALANCER: [&str; 9] = [
    "server",
    "sticky",
    "strategy",
    "healthcheck",
    "passivehealthcheck",
    "passhostheader",
    "responseforwarding",
    "serverstransport",
    "proxyprotocol",
];

/// Reads the labels of one service; `owner` is its name.
pub fn read(labels: &BTreeMap<String, String>, owner: &str) -> Declared {
    let mut declared = Declared { routers: router::of_labels(&json!(labels), owner), ..Declared::default() };
    for (key, value) in labels {
        let Some(label) = Label::parse(key) else { continue };
        declared.any = true;
        let is_true = value.trim().eq_ignore_ascii_case("true");
        match label.parts()[..] {
            ["enable"] => declared.enable = Some(is_true),
            ["swarm" | "docker", "network"] => declared.network = Some(value.clone()),
            ["swarm" | "docker", "lbswarm"] => declared.lbswarm = is_true,
            ["http" | "tcp" | "udp", ref rest @ ..] => match label.element() {
                Some(element) if is_known(rest) => declared.add(&element, value),
                _ => declared.unknown.push(key.clone()),
            },
            // Traefik ignores all other labels.
            _ => {}
        }
    }
    declared
}

impl Declared {
    fn add(&mut self, element: &Element, value: &str) {
        let named = (element.protocol, element.name.to_owned());
        match (element.section, &element.field[..]) {
            ("services", ["loadbalancer", field @ ..]) => {
                let port = self.backends.entry(named).or_default();
                if matches!(field, ["server", "port"]) {
                    *port = Some(value.trim().to_owned());
                }
            }
            ("middlewares", _) => drop(self.middlewares.insert(named)),
            _ => {}
        }
    }

    /// The load balancer that a router of these labels uses, and its port label; `None` if another service declares it.
    pub fn backend(&self, router: &Router) -> Option<(String, Option<&str>)> {
        let of = |name: &str| self.backends.get(&(router.protocol, name.to_owned()));
        if !router.service.is_empty() {
            let (name, provider) = router.service.split_once('@').unwrap_or((&router.service, "swarm"));
            let port = of(name).filter(|_| matches!(provider, "swarm" | "docker"))?;
            return Some((name.to_owned(), port.as_deref()));
        }
        // Without a service label, Traefik takes the only backend of the labels, or makes one named after the service.
        let mut own = self.backends.iter().filter(|((protocol, _), _)| *protocol == router.protocol);
        let (first, second) = (own.next(), own.next());
        match (first, second) {
            (Some(((_, name), port)), None) => Some((name.clone(), port.as_deref())),
            _ => Some((router.owner.clone(), None)),
        }
    }
}

/// Whether Traefik's configuration has such a field; `rest` is what follows `traefik.http.`.
fn is_known(rest: &[&str]) -> bool {
    match rest {
        ["routers", _, field, ..] => ROUTER.contains(&bare(field)),
        ["services", _, "loadbalancer", field, ..] => BALANCER.contains(&bare(field)),
        ["services", _, field, ..] => SERVICE.contains(field),
        [section, _, _, ..] => SECTIONS.contains(section),
        _ => false,
    }
}

/// A field's name without its index, as `domains` for `domains[0]`.
fn bare(field: &str) -> &str {
    field.split('[').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(labels: &[(&str, &str)]) -> Declared {
        read(&labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), "s_app")
    }

    #[test]
    fn what_a_recipe_declares_is_read() {
        let declared = of(&[
            ("traefik.enable", "true"),
            ("traefik.swarm.network", "proxy"),
            ("traefik.http.routers.S.rule", "Host(`a.b`)"),
            ("traefik.http.routers.S.entrypoints", "web-secure"),
            ("traefik.http.routers.S.tls.certresolver", "le"),
            ("traefik.http.routers.S.tls.domains[0].main", "a.b"),
            ("traefik.http.routers.S.middlewares", "x@file, y"),
            ("traefik.http.middlewares.y.headers.customrequestheaders.X-A", "1"),
            ("traefik.http.services.S.loadbalancer.server.port", "80"),
            ("other", "1"),
        ]);
        assert_eq!((declared.enable, declared.network.as_deref()), (Some(true), Some("proxy")));
        assert_eq!(declared.unknown, Vec::<String>::new());
        let router = &declared.routers[0];
        assert!(router.tls && router.resolver == "le" && router.middlewares == ["x@file", "y"]);
        assert_eq!(declared.backend(router), Some(("s".into(), Some("80"))));
        assert!(declared.middlewares.contains(&(Protocol::Http, "y".into())));
    }

    #[test]
    fn what_traefik_does_not_know_is_named() {
        for typo in [
            "traefik.http.router.x.rule",
            "traefik.http.routers.x.rul",
            "traefik.http.routers.x",
            "traefik.http.services.x.loadbalancers.server.port",
            "traefik.tcp.x",
            "traefik.http",
        ] {
            assert_eq!(of(&[(typo, "1")]).unknown, [typo]);
        }
        for fine in ["traefik.anything", "traefik.udp.routers.x.entrypoints", "com.example.http.router.x"] {
            assert_eq!(of(&[(fine, "1")]).unknown, Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn the_backend_of_a_router() {
        let rule = ("traefik.http.routers.r.rule", "Host(`a.b`)");
        let none = of(&[rule]);
        assert_eq!(none.backend(&none.routers[0]), Some(("s_app".into(), None)));
        let foreign = of(&[rule, ("traefik.http.routers.r.service", "api@internal")]);
        assert_eq!(foreign.backend(&foreign.routers[0]), None);
        let named = of(&[
            rule,
            ("traefik.http.routers.r.service", "b"),
            ("traefik.http.services.a.loadbalancer.server.port", "1"),
            ("traefik.http.services.b.loadbalancer.server.port", "2"),
        ]);
        assert_eq!(named.backend(&named.routers[0]), Some(("b".into(), Some("2"))));
    }

    proptest! {
        #[test]
        fn hostile_labels_are_only_data(key in "(traefik[.])?(http|tcp|[.]|routers|services|[a-zü\\[\\]*\u{0}]){0,9}", value in ".{0,20}") {
            let _ = of(&[(&key, &value)]);
        }
    }
}
