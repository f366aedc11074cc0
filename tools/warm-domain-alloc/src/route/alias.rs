//! Finds out which services answer to a name inside a stack. No I/O.
//!
//! The engine's DNS asks a container's networks one after another and stops at the first that has an answer. Networks
//! with a way out come before internal ones; among equals, the order is that of their names. On a shared network every
//! stack's `app` answers to `app`.

use std::collections::BTreeSet;

use super::swarm::{Network, Service, Swarm};

/// A name inside a stack to which strangers answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shadowed {
    /// The service that asks.
    pub service: String,
    pub stack: String,
    pub name: String,
    /// The network on which the answer is found.
    pub network: String,
    /// All services that answer there.
    pub owners: Vec<String>,
}

/// The names of its own stack for which `service` gets strangers' addresses too.
pub fn shadowed(swarm: &Swarm, service: &Service) -> Vec<Shadowed> {
    let Some(stack) = service.stack.as_deref() else { return Vec::new() };
    let siblings = swarm.of_stack(stack).filter(|other| other.id != service.id);
    let names: BTreeSet<&str> = siblings
        .flat_map(|other| {
            let met = other.attached.iter().filter(|attached| is_on(service, &attached.network));
            let aliases = met.flat_map(|attached| attached.aliases.iter().map(String::as_str));
            aliases.chain([other.short()])
        })
        // A name that begins with the stack's is the stack's alone.
        .filter(|name| !name.starts_with(stack))
        .collect();
    names.into_iter().filter_map(|name| shadow(swarm, service, stack, name)).collect()
}

/// Whether strangers answer when `service` asks for `name`.
fn shadow(swarm: &Swarm, service: &Service, stack: &str, name: &str) -> Option<Shadowed> {
    let (network, owners) = asked(swarm, service).into_iter().find_map(|network| {
        let owners: Vec<&Service> = swarm
            .services
            .iter()
            .filter(|other| other.is_resolvable() && other.answers_to(name, &network.id))
            .collect();
        (!owners.is_empty()).then_some((network, owners))
    })?;
    owners.iter().any(|owner| owner.stack.as_deref() != Some(stack)).then(|| Shadowed {
        service: service.name.clone(),
        stack: stack.to_owned(),
        name: name.to_owned(),
        network: network.name.clone(),
        owners: owners.iter().map(|owner| owner.name.clone()).collect(),
    })
}

/// A service's networks, in the order in which the engine's DNS asks them.
pub fn asked<'s>(swarm: &'s Swarm, service: &Service) -> Vec<&'s Network> {
    let mut networks: Vec<&Network> =
        service.attached.iter().filter_map(|attached| swarm.networks.get(&attached.network)).collect();
    // The order in which the engine's DNS asks: internal networks last, and by name.
    networks.sort_by_key(|network| (network.internal, &network.name));
    networks
}

fn is_on(service: &Service, network: &str) -> bool {
    service.attached.iter().any(|attached| attached.network == network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::swarm::tests::{net, svc, swarm};
    use serde_json::{Value, json};

    /// The result for a stack with `web` and `app` on `proxy` and on its own network, beside two strangers with an `app` on
    /// `proxy`.
    fn scene(stack: &str, own: &Value) -> Vec<Shadowed> {
        let own_name = own["Name"].as_str().unwrap().to_owned();
        let both = ["proxy", own_name.as_str()];
        let none = json!({});
        let swarm = swarm(
            &[net("proxy", None), own.clone()],
            vec![
                svc("a-first", "app", &["proxy"], &none),
                svc("b-second", "app", &["proxy"], &none),
                svc(stack, "web", &both, &none),
                svc(stack, "app", &both, &none),
            ],
        );
        let web = swarm.services.iter().find(|service| service.name == format!("{stack}_web")).unwrap();
        shadowed(&swarm, web)
    }

    #[test]
    fn a_stack_behind_the_shared_network_gets_strangers() {
        assert_eq!(scene("blue-a1b2c3", &net("blue-a1b2c3_default", Some("blue-a1b2c3"))), []);
        let found = scene("warm-bluesky", &net("warm-bluesky_default", Some("warm-bluesky")));
        assert_eq!((found.len(), found[0].name.as_str(), found[0].network.as_str()), (1, "app", "proxy"));
        assert_eq!(found[0].owners, ["a-first_app", "b-second_app", "warm-bluesky_app"]);
    }

    #[test]
    fn an_internal_network_always_loses() {
        let mut internal = net("blue_internal", Some("blue"));
        internal["Internal"] = json!(true);
        assert_eq!(scene("blue", &internal).len(), 1);
    }
}
