//! Checks the labels of new objects: redfix's own ones, the stack's name, and Traefik's routes.

use lib_common::swarm::label::{self, OURS, STACK};
use lib_common::swarm::traefik::label::Element;
use lib_common::swarm::traefik::rule;
use lib_common::swarm::traefik::{Label, Protocol};
use serde_json::Value;

use crate::json::fold;
use crate::policy::Policy;
use crate::refusal::Refusal;

/// By it Traefik is told to leave a container alone.
pub const TRAEFIK_ENABLE: &str = "traefik.enable";

type Pair<'v> = (&'v String, &'v Value);

/// Refuses labels with which an object would claim another owner or stack, or take routes of others.
pub fn check<'v>(policy: &Policy, labels: impl Iterator<Item = Pair<'v>>) -> Result<(), Refusal> {
    for (key, value) in labels {
        let value = value.as_str().unwrap_or_default();
        if key.to_ascii_lowercase().starts_with(OURS) && !(key == label::RUN && value == policy.owner) {
            return Err(Refusal::new("reserved label", key.clone())
                .remedy("leave out labels redfix.*: the tools set them"));
        }
        one(policy, key, value)?;
    }
    Ok(())
}

/// The same for the labels that a container has in the end, its image's among them. An owner's name in those is overwritten.
pub fn effective<'v>(policy: &Policy, labels: impl Iterator<Item = Pair<'v>>) -> Result<(), Refusal> {
    for (key, value) in labels.filter(|(key, _)| *key != label::RUN) {
        let value = value.as_str().unwrap_or_default();
        one(policy, key, value).map_err(|refusal| Refusal {
            what: format!("{}, in a label of the image", refusal.what),
            ..refusal
        })?;
    }
    Ok(())
}

fn one(policy: &Policy, key: &str, value: &str) -> Result<(), Refusal> {
    if key.starts_with(label::SWARM) {
        return Err(Refusal::new("reserved label", key.to_owned()).remedy("leave it out: the swarm sets it"));
    }
    if key == STACK && !policy.is_stack(value) {
        return Err(Refusal::new("namespace", format!("stack '{value}'"))
            .remedy(format!("deploy it as '{}', or allow it: --allow stack=PATTERN", policy.stack)));
    }
    // Traefik names routers after it.
    if key == label::COMPOSE_PROJECT && !value.is_empty() && !policy.is_name(value) {
        return Err(Refusal::new("namespace", format!("compose project '{value}'")).remedy(format!(
            "set COMPOSE_PROJECT_NAME={}, or allow it: --allow stack=PATTERN",
            policy.stack
        )));
    }
    traefik(policy, key, value)
}

/// Whether Traefik could read the label. It compares without regard to case, as Go does beyond ASCII, too.
pub fn is_traefik(key: &str) -> bool {
    let rest = fold(key);
    rest.strip_prefix("traefik").is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Refuses a Traefik label whose router, service or middleware is not named after the owner's stack, or that routes what is
/// not within the owner's domains, or to what is not the owner's. Names matter too: when two services declare one name
/// differently, Traefik drops both. Traefik ignores the case of label names.
pub fn traefik(policy: &Policy, key: &str, value: &str) -> Result<(), Refusal> {
    if !is_traefik(key) {
        return Ok(());
    }
    let refuse = |what: String| {
        Err(Refusal::new("route", what).remedy(format!(
            "name routers after the stack and keep rules below {}, or allow a domain: --allow domain=NAME",
            policy.domains.first().map_or("", String::as_str)
        )))
    };
    let Some(label) = Label::parse(key).filter(|_| key.is_ascii()) else {
        return refuse(format!("label {key}"));
    };
    let parts = label.parts();
    if matches!(
        parts[..],
        ["enable" | "tags" | "constraint-label"] | ["docker" | "swarm", "network" | "lbswarm"]
    ) {
        return Ok(());
    }
    let Some(element) = label.element() else { return refuse(format!("label {key}")) };
    if !is_plain(&element) {
        return refuse(format!("label {key}"));
    }
    let Element { protocol, section, written, field, .. } = &element;
    if !policy.is_router(written) {
        return refuse(format!("{} {} '{written}'", parts[0], section.trim_end_matches('s')));
    }
    let anything = policy.domains.iter().any(|domain| domain == "*");
    let is_own = |name: &str| {
        let name = name.trim();
        let name = name.strip_suffix("@docker").or_else(|| name.strip_suffix("@swarm")).unwrap_or(name);
        // What answers nothing, for routers that only redirect.
        name == "noop@internal" || (!name.contains('@') && policy.is_router(name))
    };
    match (*section, &field[..]) {
        // A UDP router has no rule: it takes all traffic of its entry points, and without any, that of all.
        ("routers", _) if *protocol == Protocol::Udp && !anything => {
            refuse(format!("UDP router '{written}'"))
        }
        ("routers", ["rule"]) if !rule::confined(value, &policy.domains) => refuse(format!("rule {value}")),
        ("routers", ["service"]) | ("middlewares", [.., "service"]) if !is_own(value) => {
            refuse(format!("service '{value}', which is not yours"))
        }
        ("routers", ["tls", domains, ..]) if domains.starts_with("domains") => {
            let mut names = value.split(',').map(str::trim);
            if anything || names.all(|name| rule::is_within(name, &policy.domains)) {
                return Ok(());
            }
            refuse(format!("certificate for {value}"))
        }
        // A service sends what comes to the containers of its label, nowhere else.
        ("services", ["loadbalancer", "server", what])
            if !["port", "scheme", "weight", "preservepath", "tls"].contains(what) =>
        {
            refuse(format!("server {what}"))
        }
        ("services", ["loadbalancer", "healthcheck", "path"])
            if !value.starts_with('/') || value.starts_with("//") =>
        {
            refuse(format!("health check of {value}"))
        }
        ("services", [first, ..]) if *first != "loadbalancer" => refuse(format!("service of kind {first}")),
        ("middlewares", [.., "address"]) if is_local(value) => refuse(format!("address {value}")),
        _ => Ok(()),
    }
}

/// Whether sections and names are what they look like: Traefik takes brackets for the index of a list, wherever they are.
fn is_plain(element: &Element) -> bool {
    let is_index = |part: &str| {
        let digits = part.strip_prefix("domains[").and_then(|rest| rest.strip_suffix(']'));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let known = match element.protocol {
        Protocol::Http | Protocol::Tcp => {
            ["routers", "services", "middlewares", "serverstransports"].contains(&element.section)
        }
        Protocol::Udp => ["routers", "services"].contains(&element.section),
    };
    let fields = element.field.iter().enumerate().all(|(at, part)| {
        !part.is_empty()
            && (!part.contains(['[', ']'])
                || element.section == "middlewares"
                || (element.section == "routers" && at == 1 && element.field[0] == "tls" && is_index(part)))
    });
    known && fields && !element.written.is_empty() && !element.written.contains(['[', ']'])
}

/// Whether a URL leads to the machine itself that follows it, or past names to any.
pub fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let plain = host.trim_end_matches('.').to_ascii_lowercase();
    let is_number =
        plain.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    plain.is_empty()
        || plain.starts_with('[')
        || is_number
        || plain == "localhost"
        || plain.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::{RUN, policy};
    use serde_json::json;

    fn is_refused(labels: &Value) -> bool {
        check(&policy(), labels.as_object().unwrap().iter()).is_err()
    }

    #[test]
    fn what_a_recipe_carries_passes() {
        assert!(!is_refused(&json!({
            "traefik.enable": "true",
            "traefik.docker.network": "proxy",
            "traefik.swarm.network": "proxy",
            "traefik.http.services.iso-x_ci_example.loadbalancer.server.port": "80",
            "traefik.http.routers.iso-x_ci_example.rule": "Host(`iso-x.ci.example`,`www.iso-x.ci.example`)",
            "traefik.http.routers.iso-x_ci_example.entrypoints": "web-secure",
            "traefik.http.routers.iso-x_ci_example.tls.certresolver": "staging",
            "traefik.http.routers.iso-x_ci_example.tls.domains[0].main": "iso-x.ci.example",
            "traefik.http.routers.iso-x_ci_example.tls.domains[0].sans": "*.iso-x.ci.example, a.iso-x.ci.example",
            "traefik.http.middlewares.iso-x_ci_example-redirect.headers.SSLForceHost": "true",
            "traefik.http.middlewares.iso-x_ci_example-auth.forwardauth.address": "http://auth:9091/api/verify",
            "traefik.http.routers.iso-x_ci_example.service": "iso-x_ci_example@swarm",
            "traefik.http.routers.iso-x_ci_example.middlewares": "iso-x_ci_example-redirect,security-headers@file",
            "traefik.http.services.iso-x_ci_example.loadbalancer.healthcheck.path": "/ping",
            "traefik.http.routers.iso-x_ci_example-plain.service": "noop@internal",
            "traefik.http.services.iso-x_ci_example.loadbalancer.server.scheme": "https",
            "traefik.http.services.iso-x_ci_example.loadbalancer.sticky.cookie.name": "x",
            "traefik.tcp.services.iso-x_ci_example.loadbalancer.proxyprotocol.version": "2",
            "traefik.tcp.routers.iso-x_ci_example-tcp.rule": "HostSNI(`iso-x.ci.example`)",
            "com.docker.compose.project": "iso-x_ci_example",
            "com.docker.compose.service": "app",
            STACK: "iso-x_ci_example",
            "redfix.run": RUN,
            "backupbot.backup": "true",
            "coop-cloud.iso-x_ci_example.version": "1",
        })));
    }

    #[test]
    fn what_would_touch_others_does_not() {
        for (key, value) in [
            ("traefik.http.routers.live.rule", "Host(`iso-x.ci.example`)"),
            ("traefik.http.routers.live.entrypoints", "web"),
            ("traefik.http.routers.Iso-x_ci_example.rule", "Host(`iso-x.ci.example`)"),
            ("Traefik.HTTP.Routers.live.Rule", "Host(`iso-x.ci.example`)"),
            ("TRAEFIK.http.routers.iso-x_ci_example.RULE", "Host(`live.ci.example`)"),
            (
                "traefik.http.routers.iso-x_ci_example.rule",
                "Host(`iso-x.ci.example`) || Host(`live.ci.example`)",
            ),
            ("traefik.http.routers.iso-x_ci_example.rule", "PathPrefix(`/`)"),
            ("traefik.http.services.live.loadbalancer.server.port", "80"),
            ("traefik.http.middlewares.auth.basicauth.users", "x"),
            ("traefik.tcp.routers.iso-x_ci_example.rule", "HostSNI(`*`)"),
            ("traefik.tcp.routers.iso-x_ci_example.tls.domains[0].main", "live.ci.example"),
            ("traefik.udp.routers.iso-x_ci_example.entrypoints", "voice"),
            ("traefik.udp.services.live.loadbalancer.server.port", "1"),
            ("traefik.tls.stores.default.defaultgeneratedcert.resolver", "x"),
            ("traefik.frontend.rule", "Host:live.ci.example"),
            ("traefik.http.router\u{17f}.live.rule", "Host(`iso-x.ci.example`)"),
            ("traefik.http.router\u{17f}.iso-x_ci_example.rule", "PathPrefix('/')"),
            ("traefi\u{212a}.http.routers.iso-x_ci_example.priority", "1"),
            ("traefik.http.routers.iso-x_ci_example.rule[0]", "PathPrefix(`/`)"),
            ("traefik.http.routers[0].iso-x_ci_example.rule", "PathPrefix(`/`)"),
            ("traefik.http.routers.iso-x_ci_example[0].rule", "PathPrefix(`/`)"),
            ("traefik.http.odd.iso-x_ci_example.rule", "PathPrefix(`/`)"),
            ("traefik.http.routers.iso-x_ci_example.rule", "Host(\"\\x6cive.ci.example\")"),
            ("traefik.http.routers.iso-x_ci_example.service", "api@internal"),
            ("traefik.http.routers.iso-x_ci_example.service", "live@swarm"),
            ("traefik.http.routers.iso-x_ci_example.service", "live"),
            ("traefik.http.routers.iso-x_ci_example.service", "iso-x_ci_example@file"),
            ("traefik.http.middlewares.iso-x_ci_example.errors.service", "live@swarm"),
            ("traefik.http.middlewares.iso-x_ci_example.forwardauth.address", "http://127.0.0.1:8080/"),
            ("traefik.http.middlewares.iso-x_ci_example.forwardauth.address", "http://x@localhost:8080/"),
            ("traefik.http.middlewares.iso-x_ci_example.forwardauth.address", "http://[::1]/"),
            ("traefik.http.middlewares.iso-x_ci_example.forwardauth.address", "http://0x7f000001/"),
            ("traefik.http.services.iso-x_ci_example.loadbalancer.server.url", "http://127.0.0.1:8080"),
            ("traefik.http.services.iso-x_ci_example.loadbalancer.servers[0].url", "http://127.0.0.1:8080"),
            ("traefik.http.services.iso-x_ci_example.loadbalancer.healthcheck.path", "http://127.0.0.1/"),
            ("traefik.http.services.iso-x_ci_example.weighted.services[0].name", "live@swarm"),
            ("traefik.http.services.iso-x_ci_example.mirroring.service", "live@swarm"),
            ("traefik.udp.routers.iso-x_ci_example.service", "iso-x_ci_example"),
            ("com.docker.compose.project", "live"),
            ("com.docker.swarm.service.name", "live_app"),
            ("traefik", "x"),
            ("traefik.", "x"),
            ("traefik.http.routers.iso-x_ci_example..rule", "x"),
            ("traefik.http.routers", "x"),
            ("traefik.http.routers.iso-x_ci_example", "x"),
            (STACK, "live"),
            (STACK, "iso-x_ci"),
            ("redfix.run", "another"),
            ("redfix.slot.state", "free"),
            ("Redfix.Run", RUN),
        ] {
            assert!(is_refused(&json!({ key: value })), "{key}={value}");
        }
    }

    #[test]
    fn every_domain_can_be_allowed() {
        let mut policy = policy();
        policy.domains.push("*".into());
        let labels = json!({"traefik.tcp.routers.iso-x_ci_example.rule": "HostSNI(`*`)",
                            "traefik.udp.routers.iso-x_ci_example.entrypoints": "voice"});
        assert!(check(&policy, labels.as_object().unwrap().iter()).is_ok());
        let labels = json!({"traefik.tcp.routers.live.rule": "HostSNI(`*`)"});
        assert!(check(&policy, labels.as_object().unwrap().iter()).is_err(), "names still count");
    }
}
