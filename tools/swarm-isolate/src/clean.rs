//! Decides whether the namespace of a run is free. No I/O.
//!
//! If an earlier run of ours left something there, a run would test that leftover, so it is invalid. If a live service
//! holds the name or the domain, that is a collision of the recipe or the harness, so the run is red.

use std::collections::HashSet;

use lib_common::pattern::Pattern;
use lib_common::swarm::label::STACK;
use lib_common::swarm::object::Object;
use lib_common::swarm::traefik::Label;
use lib_common::swarm::traefik::rule::{self, Hit};
use serde_json::Value;

use crate::plan::Namespace;

/// Why the run cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// An earlier run left something there, so the run says nothing about its case.
    Leftover(String),
    /// A live service is there, so the case is red.
    Live(String),
}

/// Finds what is in the run's way. `former` are stacks of runs on record, `objects` all objects of the swarm, `services`
/// the raw list of services, whose labels hold their routes.
pub fn taken(
    names: &Namespace,
    patterns: &[Pattern],
    former: &HashSet<String>,
    objects: &[Object],
    services: &Value,
) -> Option<Taken> {
    let admitted = objects.iter().find_map(|object| Some((object, stack_of(object, patterns)?)));
    if let Some((object, stack)) = admitted {
        let text =
            format!("{object} exists already, and '--allow stack={stack}' would make it part of the run");
        return Some(Taken::Leftover(text));
    }
    if let Some(object) = objects.iter().find(|object| object.is_of(&names.stack)) {
        let ours = object.is_ours() || former.contains(&names.stack);
        return Some(if ours {
            Taken::Leftover(format!("{object} is left of an earlier run"))
        } else {
            Taken::Live(format!("stack {} is taken by {object}", names.stack))
        });
    }
    let service = routed(services, &names.domain)?;
    let name = service["Spec"]["Name"].as_str().unwrap_or_default();
    let stack = service["Spec"]["Labels"][STACK].as_str().unwrap_or_default();
    Some(if former.contains(stack) {
        Taken::Leftover(format!(
            "domain {} is still routed to service {name} of an earlier run",
            names.domain
        ))
    } else {
        Taken::Live(format!("domain {} is taken by live service {name}", names.domain))
    })
}

/// The admitted stack that an object belongs to: by its label or, since abra creates secrets without one, by its name.
pub fn stack_of(object: &Object, patterns: &[Pattern]) -> Option<String> {
    let labelled = object.stack();
    patterns.iter().find_map(|pattern| {
        let stack =
            labelled.filter(|stack| pattern.matches(stack)).or_else(|| pattern.owner(&object.name))?;
        Some(stack.to_owned())
    })
}

/// The service that has a Traefik rule with exactly this domain.
fn routed<'s>(services: &'s Value, domain: &str) -> Option<&'s Value> {
    let domain = domain.to_ascii_lowercase();
    let is_rule = |key: &str| {
        Label::parse(key).is_some_and(|label| {
            label.element().is_some_and(|element| element.section == "routers" && element.field == ["rule"])
        })
    };
    services.as_array()?.iter().find(|service| {
        let labels = service["Spec"]["Labels"].as_object();
        labels.into_iter().flatten().any(|(key, value)| {
            is_rule(key) && rule::hit(value.as_str().unwrap_or_default(), &domain) == Hit::Exact
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use lib_common::swarm::object::{Kind, parse};

    fn services() -> Value {
        json!([{"ID": "1", "Spec": {"Name": "warm-keycloak_ci_app", "Labels": {
            STACK: "warm-keycloak_ci",
            "traefik.http.routers.k.rule": "Host(`warm-keycloak.ci`) || Host(`sso.ci`)"}}}])
    }

    fn check(domain: &str, patterns: &[&str], former: &[&str]) -> Option<Taken> {
        let names = Namespace { domain: domain.into(), stack: lib_common::swarm::stack::stack_of(domain) };
        let patterns: Vec<Pattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let former = former.iter().map(|stack| (*stack).to_owned()).collect();
        taken(&names, &patterns, &former, &parse(Kind::Service, &services()), &services())
    }

    #[test]
    fn a_live_services_name_or_domain_is_a_collision() {
        for (domain, word) in [("warm-keycloak.ci", "stack warm-keycloak_ci"), ("SSO.ci", "domain SSO.ci")] {
            assert!(
                matches!(check(domain, &[], &[]), Some(Taken::Live(text)) if text.contains(word)),
                "{domain}"
            );
        }
        for free in ["keycloak.ci", "warm.ci", "so.ci", "warm-keycloak.ci.example"] {
            assert_eq!(check(free, &[], &[]), None, "{free}");
        }
    }

    #[test]
    fn what_our_own_runs_left_is_no_verdict_about_the_case() {
        for domain in ["warm-keycloak.ci", "sso.ci"] {
            assert!(
                matches!(check(domain, &[], &["warm-keycloak_ci"]), Some(Taken::Leftover(_))),
                "{domain}"
            );
        }
        assert!(matches!(check("new.ci", &["warm-*_ci"], &[]), Some(Taken::Leftover(_))));
        assert_eq!(check("new.ci", &["mumb-*_ci"], &[]), None);
    }
}
