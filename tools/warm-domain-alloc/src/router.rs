//! Reads the Traefik routers that labels declare, and decides whether one would take a domain away from a stack. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use lib_common::swarm::traefik::label::Element;
use lib_common::swarm::traefik::rule::{self, Hit};
use lib_common::swarm::traefik::{Label, Protocol};

/// A router that a service or container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Router {
    pub protocol: Protocol,
    pub name: String,
    pub rule: String,
    pub entry_points: Vec<String>,
    pub priority: Option<i64>,
    /// The Traefik service that it names; empty if it names none.
    pub service: String,
    pub middlewares: Vec<String>,
    /// Whether a label makes it a TLS router.
    pub tls: bool,
    pub resolver: String,
    /// Whether TLS is left to the service (TCP only).
    pub passthrough: bool,
    /// The service or container that carries the labels.
    pub owner: String,
}

/// The routers in a map of labels. Traefik ignores the case of label names.
pub fn of_labels(labels: &Value, owner: &str) -> Vec<Router> {
    let mut found: BTreeMap<(Protocol, String), Router> = BTreeMap::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        let Some(label) = Label::parse(key) else { continue };
        let Some(Element { protocol, section: "routers", name, field, .. }) = label.element() else {
            continue;
        };
        let (field, rest) = (field[0], &field[1..]);
        let router = found.entry((protocol, name.to_owned())).or_insert_with(|| Router {
            protocol,
            name: name.to_owned(),
            rule: String::new(),
            entry_points: Vec::new(),
            priority: None,
            service: String::new(),
            middlewares: Vec::new(),
            tls: false,
            resolver: String::new(),
            passthrough: false,
            owner: owner.to_owned(),
        });
        let value = value.as_str().unwrap_or_default();
        let list = || value.split(',').map(|item| item.trim().to_lowercase()).collect();
        if field == "tls" {
            router.tls |= !(rest.is_empty() && value.eq_ignore_ascii_case("false"));
        }
        match (field, rest) {
            ("rule", []) => value.clone_into(&mut router.rule),
            ("entrypoints", []) => router.entry_points = list(),
            ("middlewares", []) => router.middlewares = list(),
            ("service", []) => router.service = value.trim().to_lowercase(),
            ("tls", ["certresolver"]) => router.resolver = value.trim().to_lowercase(),
            ("tls", ["passthrough"]) => router.passthrough = value.eq_ignore_ascii_case("true"),
            ("priority", []) => router.priority = value.trim().parse().ok().filter(|priority| *priority != 0),
            _ => {}
        }
    }
    found.into_values().filter(|router| !router.rule.is_empty()).collect()
}

/// The entry points that HTTP routers name.
pub fn http_entry_points(routers: &[Router]) -> BTreeSet<&str> {
    let http = routers.iter().filter(|router| router.protocol == Protocol::Http);
    http.flat_map(|router| router.entry_points.iter().map(String::as_str)).collect()
}

impl Router {
    /// Whether requests for `domain` would go to this router although a stack has its own ``Host(`domain`)``.
    ///
    /// Among HTTP routers the longer rule goes first, unless a priority says otherwise. TCP routers go before every
    /// HTTP router of the same entry point, so their patterns count whatever their length. But ``HostSNI(`*`)`` on an
    /// entry point without HTTP routers (a mail or voice port) takes nothing away.
    pub fn takes(&self, domain: &str, http_entry_points: &BTreeSet<&str>) -> bool {
        match (rule::hit(&self.rule, domain), self.protocol) {
            (Hit::No, _) => false,
            (Hit::Exact, _) => true,
            (Hit::Loose, Protocol::Http) => {
                let length = |chars: usize| i64::try_from(chars).unwrap_or(i64::MAX);
                // Traefik's default priority is the length of the rule.
                let ours = length("Host(``)".len() + domain.len());
                self.priority.unwrap_or_else(|| length(self.rule.len())) >= ours
            }
            // A UDP router has no rule and so never gets here.
            (Hit::Loose, Protocol::Tcp | Protocol::Udp) => {
                self.entry_points.is_empty()
                    || self.entry_points.iter().any(|entry| http_entry_points.contains(entry.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DOMAIN: &str = "iso-mumb-1a2b3c.ci.example";

    fn takes(labels: &Value) -> bool {
        let mut routers = of_labels(labels, "x_app");
        routers.extend(of_labels(
            &json!({"traefik.http.routers.other.rule": "Host(`o`)", "traefik.http.routers.other.entrypoints": "web, web-secure"}),
            "other_app",
        ));
        routers.iter().any(|router| router.takes(DOMAIN, &http_entry_points(&routers)))
    }

    #[test]
    fn the_very_host_is_taken_in_every_spelling() {
        assert!(takes(&json!({"traefik.http.routers.a.rule": format!("Host(`{DOMAIN}`)")})));
        assert!(takes(&json!({"Traefik.TCP.Routers.a.Rule": format!("HostSNI(`{DOMAIN}`)")})));
        assert!(!takes(&json!({"traefik.http.services.a.rule": format!("Host(`{DOMAIN}`)")})));
        assert!(!takes(&json!({"traefik.http.routers.a.rule": "Host(`b.ci.example`)"})));
    }

    #[test]
    fn a_pattern_counts_when_it_goes_first() {
        let http = |rule: &str, priority: &str| {
            takes(&json!({"traefik.http.routers.a.rule": rule, "traefik.http.routers.a.priority": priority}))
        };
        assert!(!http("HostRegexp(`{h:.+}`)", "0"));
        assert!(!http("PathPrefix(`/`)", "1"));
        assert!(http("HostRegexp(`{h:.+}`)", "10000"));
        assert!(http(r"HostRegexp(`^[a-z0-9-]+\.ci\.example$`) && PathPrefix(`/`)", "0"));
    }

    #[test]
    fn tcp_patterns_count_on_shared_entry_points() {
        let tcp = |entry: &str| {
            takes(
                &json!({"traefik.tcp.routers.a.rule": "HostSNI(`*`)", "traefik.tcp.routers.a.entrypoints": entry}),
            )
        };
        assert!(!tcp("mumble"));
        assert!(tcp("mumble,Web-Secure"));
        assert!(takes(&json!({"traefik.tcp.routers.a.rule": "HostSNI(`*`)"})));
    }
}
