//! Checks the labels of new objects: redfix's own ones, the stack's name, and Traefik's routes.

use lib_common::swarm::label::{self, OURS, STACK};
use lib_common::swarm::traefik::label::Element;
use lib_common::swarm::traefik::rule;
use lib_common::swarm::traefik::{Label, Protocol};
use serde_json::Value;

use crate::policy::Policy;
use crate::refusal::Refusal;

/// Refuses labels with which an object would claim another owner or stack, or take routes of others.
pub fn check<'v>(
    policy: &Policy,
    labels: impl Iterator<Item = (&'v String, &'v Value)>,
) -> Result<(), Refusal> {
    for (key, value) in labels {
        let value = value.as_str().unwrap_or_default();
        if key.to_ascii_lowercase().starts_with(OURS) && !(key == label::RUN && value == policy.owner) {
            return Err(Refusal::new("reserved label", key.clone())
                .remedy("leave out labels redfix.*: the tools set them"));
        }
        if key == STACK && !policy.is_stack(value) {
            return Err(Refusal::new("namespace", format!("stack '{value}'"))
                .remedy(format!("deploy it as '{}', or allow it: --allow stack=PATTERN", policy.stack)));
        }
        traefik(policy, key, value)?;
    }
    Ok(())
}

/// Refuses a Traefik label whose router, service or middleware is not named after the owner's stack, or whose rule is
/// not within the owner's domains. Names matter too: when two services declare one name differently, Traefik drops
/// both. Traefik ignores the case of label names.
pub fn traefik(policy: &Policy, key: &str, value: &str) -> Result<(), Refusal> {
    let Some(label) = Label::parse(key) else { return Ok(()) };
    let refuse = |what: String| {
        Err(Refusal::new("route", what).remedy(format!(
            "name routers after the stack and keep rules below {}, or allow a domain: --allow domain=NAME",
            policy.domains.first().map_or("", String::as_str)
        )))
    };
    let parts = label.parts();
    if matches!(parts[..], ["enable" | "tags" | "constraint-label"] | ["docker" | "swarm", _]) {
        return Ok(());
    }
    let Some(Element { protocol, section, written, field, .. }) = label.element() else {
        return refuse(format!("label {key}"));
    };
    if !policy.is_router(written) {
        return refuse(format!("{} {} '{written}'", parts[0], section.trim_end_matches('s')));
    }
    let anything = policy.domains.iter().any(|domain| domain == "*");
    match (section, &field[..]) {
        ("routers", ["rule"]) if !rule::confined(value, &policy.domains) => refuse(format!("rule {value}")),
        // A UDP router has no rule, so it takes all traffic of its entry point.
        ("routers", ["entrypoints"]) if protocol == Protocol::Udp && !anything => {
            refuse(format!("UDP entry point {value}"))
        }
        ("routers", ["tls", domains, ..]) if domains.starts_with("domains") => {
            let mut names = value.split(',').map(str::trim);
            if anything || names.all(|name| rule::is_within(name, &policy.domains)) {
                return Ok(());
            }
            refuse(format!("certificate for {value}"))
        }
        _ => Ok(()),
    }
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
            "traefik.tcp.routers.iso-x_ci_example-tcp.rule": "HostSNI(`iso-x.ci.example`)",
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
