//! What exists on the swarm, as far as a name can collide with it. Built from the engine's raw JSON, so that
//! one odd value never hides the rest of a list. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::router::{self, Router};

pub const STACK_LABEL: &str = "com.docker.stack.namespace";

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Stack,
    Service,
    Network,
    /// Of a service on a network that is not of its own stack.
    Alias,
    Volume,
    Secret,
    Config,
    Lease,
}

impl Kind {
    const COUNTED: [(Self, &str); 7] = [
        (Self::Stack, "stacks"),
        (Self::Service, "services"),
        (Self::Network, "networks"),
        (Self::Alias, "aliases"),
        (Self::Volume, "volumes"),
        (Self::Secret, "secrets"),
        (Self::Config, "configs"),
    ];

    pub fn singular(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Service => "service",
            Self::Network => "network",
            Self::Alias => "network alias",
            Self::Volume => "volume",
            Self::Secret => "secret",
            Self::Config => "config",
            Self::Lease => "lease",
        }
    }
}

/// The engine's answers to the list calls.
#[derive(Debug, Default)]
pub struct Lists {
    pub services: Value,
    pub tasks: Value,
    pub networks: Value,
    pub volumes: Value,
    pub secrets: Value,
    pub configs: Value,
    pub containers: Value,
}

/// Names (lower case: the engine compares without case), routers and shared networks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub names: BTreeSet<(Kind, String)>,
    pub routers: Vec<Router>,
    /// Overlay networks that belong to no stack.
    pub shared: BTreeSet<String>,
}

impl World {
    pub fn new(lists: &Lists) -> Self {
        let mut world = Self::default();
        let networks = world.add_networks(&lists.networks);
        for service in array(&lists.services) {
            world.add_service(service, &networks);
        }
        for task in array(&lists.tasks) {
            world.add_stack(&task["Labels"]);
            world.add_stack(&task["Spec"]["ContainerSpec"]["Labels"]);
        }
        for container in array(&lists.containers) {
            world.add_stack(&container["Labels"]);
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/');
            world.routers.extend(router::of_labels(&container["Labels"], name));
        }
        for volume in array(&lists.volumes["Volumes"]) {
            world.add(Kind::Volume, &volume["Name"]);
            world.add_stack(&volume["Labels"]);
        }
        for (kind, list) in [(Kind::Secret, &lists.secrets), (Kind::Config, &lists.configs)] {
            for object in array(list) {
                world.add(kind, &object["Spec"]["Name"]);
                world.add_stack(&object["Spec"]["Labels"]);
            }
        }
        world.routers.sort();
        world.routers.dedup();
        world
    }

    /// What was looked at, as a record says it: kind and count. Leases count apart: each has two names here.
    pub fn checked(&self, leases: usize) -> Vec<String> {
        let kinds = Kind::COUNTED.iter().map(|(kind, plural)| {
            let count = self.names.iter().filter(|(of, _)| of == kind).count();
            format!("{plural}={count}")
        });
        let others = [
            ("leases", leases),
            ("router-rules", self.routers.len()),
            ("shared-networks", self.shared.len()),
        ];
        kinds.chain(others.map(|(name, count)| format!("{name}={count}"))).collect()
    }

    /// Adds the networks; returns the stack of each by id and by name.
    fn add_networks(&mut self, list: &Value) -> BTreeMap<String, Option<String>> {
        let mut stacks = BTreeMap::new();
        for network in array(list) {
            self.add(Kind::Network, &network["Name"]);
            self.add_stack(&network["Labels"]);
            let stack = network["Labels"][STACK_LABEL].as_str().map(ToOwned::to_owned);
            let name = network["Name"].as_str().unwrap_or_default();
            let swarm_wide = network["Scope"] == "swarm" && network["Ingress"] != true;
            if swarm_wide && stack.is_none() && !name.is_empty() {
                self.shared.insert(name.to_owned());
            }
            for key in [network["Id"].as_str().unwrap_or_default(), name] {
                stacks.insert(key.to_owned(), stack.clone());
            }
        }
        stacks
    }

    fn add_service(&mut self, service: &Value, networks: &BTreeMap<String, Option<String>>) {
        let spec = &service["Spec"];
        let name = spec["Name"].as_str().unwrap_or_default();
        self.add(Kind::Service, &spec["Name"]);
        let container = &spec["TaskTemplate"]["ContainerSpec"]["Labels"];
        for labels in [&spec["Labels"], container] {
            self.add_stack(labels);
            self.routers.extend(router::of_labels(labels, name));
        }
        let stack = spec["Labels"][STACK_LABEL].as_str();
        for attached in [&spec["TaskTemplate"]["Networks"], &spec["Networks"]].into_iter().flat_map(array) {
            let target = attached["Target"].as_str().unwrap_or_default();
            let owner = networks.get(target).and_then(Option::as_deref);
            if owner.is_none() || owner != stack {
                for alias in array(&attached["Aliases"]) {
                    self.add(Kind::Alias, alias);
                }
            }
        }
    }

    fn add_stack(&mut self, labels: &Value) {
        self.add(Kind::Stack, &labels[STACK_LABEL]);
    }

    pub fn add(&mut self, kind: Kind, name: &Value) {
        if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
            self.names.insert((kind, name.to_lowercase()));
        }
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_is_seen() {
        let stack = |name: &str| json!({STACK_LABEL: name});
        let world = World::new(&Lists {
            services: json!([{"Spec": {
            "Name": "One_App",
            "Labels": {STACK_LABEL: "one", "traefik.http.routers.one.rule": "Host(`one.x`)"},
            "TaskTemplate": {"Networks": [
                {"Target": "net1", "Aliases": ["app"]},
                {"Target": "net2", "Aliases": ["private"]},
                {"Target": "gone", "Aliases": ["unknown"]},
            ]}}}]),
            tasks: json!([{"Labels": stack("two")}, {"Spec": {"ContainerSpec": {"Labels": stack("three")}}}]),
            networks: json!([
                {"Id": "net1", "Name": "proxy", "Scope": "swarm", "Labels": null},
                {"Id": "net2", "Name": "one_internal", "Scope": "swarm", "Labels": stack("one")},
                {"Id": "net3", "Name": "ingress", "Scope": "swarm", "Ingress": true},
                {"Id": "net4", "Name": "bridge", "Scope": "local"},
            ]),
            volumes: json!({"Volumes": [{"Name": "one_data", "Labels": null}, 7]}),
            secrets: json!([{"Spec": {"Name": "one_key_v1", "Labels": {}}}]),
            configs: json!([{"Spec": {"Name": "plain"}}, {"Spec": {"Name": 3}}, null]),
            containers: json!([{"Names": ["/c"], "Labels": {STACK_LABEL: "four", "traefik.http.routers.c.rule": "Host(`c.x`)"}}]),
        });
        let of = |kind: Kind| -> Vec<&str> {
            world.names.iter().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect()
        };
        assert_eq!(of(Kind::Stack), ["four", "one", "three", "two"]);
        assert_eq!(of(Kind::Service), ["one_app"]);
        assert_eq!(of(Kind::Alias), ["app", "unknown"]);
        assert_eq!(of(Kind::Network), ["bridge", "ingress", "one_internal", "proxy"]);
        assert_eq!(
            [of(Kind::Volume), of(Kind::Secret), of(Kind::Config)],
            [["one_data"], ["one_key_v1"], ["plain"]]
        );
        assert_eq!(world.shared.iter().collect::<Vec<_>>(), ["proxy"]);
        assert_eq!(
            world.routers.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>(),
            ["Host(`c.x`)", "Host(`one.x`)"]
        );
        assert!(world.checked(0).contains(&"stacks=4".to_owned()), "{:?}", world.checked(0));
    }

    #[test]
    fn empty_answers_are_an_empty_world() {
        assert_eq!(World::new(&Lists::default()), World::default());
    }
}
