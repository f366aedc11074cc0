//! Everything on the swarm that a name can collide with. It is built from the engine's raw JSON, so that one odd value
//! does not hide the rest of a list. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::label::STACK;
use lib_common::swarm::object::Kind;
use serde_json::Value;

use crate::lease::{Lease, Stored};
use crate::router::{self, Router};

/// The kind of thing that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameOf {
    Stack,
    Object(Kind),
    /// An alias of a service on a network that does not belong to its own stack.
    Alias,
    Lease,
    /// A Traefik router: if two services declare one name differently, Traefik drops both.
    Router,
    /// The stack of an app in abra's folder, deployed or not.
    App,
}

impl From<Kind> for NameOf {
    fn from(kind: Kind) -> Self {
        Self::Object(kind)
    }
}

impl NameOf {
    const COUNTED: [(Self, &str); 7] = [
        (Self::Stack, "stacks"),
        (Self::Object(Kind::Service), "services"),
        (Self::Object(Kind::Network), "networks"),
        (Self::Alias, "aliases"),
        (Self::Object(Kind::Volume), "volumes"),
        (Self::Object(Kind::Secret), "secrets"),
        (Self::Object(Kind::Config), "configs"),
    ];

    pub fn singular(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Object(kind) => kind.name(),
            Self::Alias => "network alias",
            Self::Lease => "lease",
            Self::Router => "router named",
            Self::App => "abra's app",
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
    /// Volumes and containers of the other nodes, one answer for each.
    pub more_volumes: Vec<Value>,
    pub more_containers: Vec<Value>,
}

/// Names that no engine lists; `add_extra` adds them again after the world was read anew.
pub type Extra = BTreeMap<String, NameOf>;

/// The names, routers and shared networks. Names are in lower case, since the engine's are unique without regard to
/// case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub names: BTreeSet<(NameOf, String)>,
    pub routers: Vec<Router>,
    /// Swarm-wide networks that belong to no stack.
    pub shared: BTreeSet<String>,
    /// Held leases.
    pub leases: Vec<Lease>,
    /// The names that no engine lists; they are in `names`, too.
    pub extra: Extra,
    /// The stack of each network, by the network's id and by its name.
    pub stacks: BTreeMap<String, Option<String>>,
}

impl World {
    pub fn new(lists: &Lists) -> Self {
        let mut world = Self::default();
        for network in array(&lists.networks) {
            world.add_network(network);
        }
        for service in array(&lists.services) {
            world.add_service(service);
        }
        for task in array(&lists.tasks) {
            world.add_stack(&task["Labels"]);
            world.add_stack(&task["Spec"]["ContainerSpec"]["Labels"]);
        }
        for container in lists.more_containers.iter().chain([&lists.containers]).flat_map(array) {
            world.add_container(&container["Labels"], &container["Names"][0]);
        }
        for volume in
            lists.more_volumes.iter().chain([&lists.volumes]).flat_map(|list| array(&list["Volumes"]))
        {
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
        let leases: Vec<Stored> =
            array(&lists.configs).filter_map(Stored::parse).filter(Stored::is_held).collect();
        for stored in &leases {
            world.add_lease(&stored.lease);
        }
        world
    }

    /// What was compared with, for the record: `KIND=COUNT`. Leases are counted separately, since each has two names
    /// here.
    pub fn checked(&self) -> Vec<String> {
        let kinds = NameOf::COUNTED.iter().map(|(kind, plural)| {
            let count = self.names.iter().filter(|(of, _)| of == kind).count();
            format!("{plural}={count}")
        });
        let others = [
            ("leases", self.leases.len()),
            ("router-rules", self.routers.len()),
            ("shared-networks", self.shared.len()),
        ];
        kinds.chain(others.map(|(name, count)| format!("{name}={count}"))).collect()
    }

    pub fn add_network(&mut self, network: &Value) {
        self.add(Kind::Network, &network["Name"]);
        self.add_stack(&network["Labels"]);
        let stack = network["Labels"][STACK].as_str().map(ToOwned::to_owned);
        let name = network["Name"].as_str().unwrap_or_default();
        let swarm_wide = network["Scope"] == "swarm" && network["Ingress"] != true;
        if swarm_wide && stack.is_none() && !name.is_empty() {
            self.shared.insert(name.to_owned());
        }
        for key in [network["Id"].as_str().unwrap_or_default(), name] {
            self.stacks.insert(key.to_owned(), stack.clone());
        }
    }

    /// Adds a container from its labels and its name, which an event has, too.
    pub fn add_container(&mut self, labels: &Value, name: &Value) {
        self.add_stack(labels);
        let name = name.as_str().unwrap_or_default().trim_start_matches('/');
        self.add_routers(labels, name);
    }

    pub fn add_lease(&mut self, lease: &Lease) {
        let name = lease.name();
        self.add(NameOf::Lease, &name.stack.into());
        self.add(NameOf::Lease, &name.label.into());
        self.leases.push(lease.clone());
    }

    /// Adds names that no engine lists.
    pub fn add_extra(&mut self, extra: Extra) {
        for (name, kind) in &extra {
            self.add(*kind, &name.as_str().into());
        }
        self.extra.extend(extra);
    }

    fn add_routers(&mut self, labels: &Value, owner: &str) {
        for router in router::of_labels(labels, owner) {
            self.add(NameOf::Router, &router.name.as_str().into());
            self.routers.push(router);
        }
    }

    pub fn add_service(&mut self, service: &Value) {
        let spec = &service["Spec"];
        let name = spec["Name"].as_str().unwrap_or_default();
        self.add(Kind::Service, &spec["Name"]);
        let container = &spec["TaskTemplate"]["ContainerSpec"]["Labels"];
        for labels in [&spec["Labels"], container] {
            self.add_stack(labels);
            self.add_routers(labels, name);
        }
        let stack = spec["Labels"][STACK].as_str();
        for attached in [&spec["TaskTemplate"]["Networks"], &spec["Networks"]].into_iter().flat_map(array) {
            let target = attached["Target"].as_str().unwrap_or_default();
            let owner = self.stacks.get(target).cloned().flatten();
            let owner = owner.as_deref();
            if owner.is_none() || owner != stack {
                for alias in array(&attached["Aliases"]) {
                    self.add(NameOf::Alias, alias);
                }
            }
        }
    }

    fn add_stack(&mut self, labels: &Value) {
        self.add(NameOf::Stack, &labels[STACK]);
    }

    pub fn add(&mut self, what: impl Into<NameOf>, name: &Value) {
        if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
            // abra and DNS do not distinguish upper and lower case.
            self.names.insert((what.into(), name.to_lowercase()));
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
        let stack = |name: &str| json!({STACK: name});
        let world = World::new(&Lists {
            services: json!([{"Spec": {
            "Name": "One_App",
            "Labels": {STACK: "one", "traefik.http.routers.one.rule": "Host(`one.x`)"},
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
            containers: json!([{"Names": ["/c"], "Labels": {STACK: "four", "traefik.http.routers.c.rule": "Host(`c.x`)"}}]),
            more_volumes: vec![json!({"Volumes": [{"Name": "elsewhere"}]})],
            more_containers: vec![json!([{"Labels": stack("five")}])],
        });
        let of = |what: NameOf| -> Vec<&str> {
            world.names.iter().filter(|(of, _)| *of == what).map(|(_, name)| name.as_str()).collect()
        };
        assert_eq!(of(NameOf::Stack), ["five", "four", "one", "three", "two"]);
        assert_eq!(of(Kind::Service.into()), ["one_app"]);
        assert_eq!(of(NameOf::Alias), ["app", "unknown"]);
        assert_eq!(of(Kind::Network.into()), ["bridge", "ingress", "one_internal", "proxy"]);
        assert_eq!(
            [of(Kind::Volume.into()), of(Kind::Secret.into()), of(Kind::Config.into())],
            [vec!["elsewhere", "one_data"], vec!["one_key_v1"], vec!["plain"]]
        );
        assert_eq!(world.shared.iter().collect::<Vec<_>>(), ["proxy"]);
        assert_eq!(
            world.routers.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>(),
            ["Host(`c.x`)", "Host(`one.x`)"]
        );
        assert!(world.checked().contains(&"stacks=5".to_owned()), "{:?}", world.checked());
    }

    #[test]
    fn empty_answers_are_an_empty_world() {
        assert_eq!(World::new(&Lists::default()), World::default());
    }
}
