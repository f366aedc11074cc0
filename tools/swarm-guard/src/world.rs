//! What all objects and the node have together: names on a network, ports, ranges of addresses. Read from the engine's
//! lists and from the kernel's texts. No I/O.

use std::net::{IpAddr, Ipv4Addr};

use lib_common::swarm::label::{self, SERVICE_ID, STACK};
use serde_json::Value;

use crate::json::fold;
use crate::subnet::Subnet;

/// Each look-up fills its own part only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The engine's own node, and how many there are.
    pub node: String,
    pub nodes: u64,
    pub names: Vec<Name>,
    pub ports: Vec<(Port, String)>,
    pub ranges: Vec<(Subnet, String)>,
    /// Why they are not known, where they are not.
    pub problem: Option<String>,
}

/// A name by which an object of others is asked for on a network.
#[allow(clippy::struct_field_names)] // a name is what it is
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// In one case of letters.
    pub name: String,
    /// Whose it is.
    pub by: String,
    /// What a stack calls the service by itself (`app`): it is everybody's.
    pub is_short: bool,
}

/// A port, and `tcp`, `udp` or `sctp`.
pub type Port = (u16, String);

/// Names are asked for without regard to case, and with or without a dot at their end.
pub fn plain(name: &str) -> String {
    fold(name.trim_end_matches('.'))
}

/// The names of others on the network, from the lists of all services, and of all containers on it.
pub fn names(services: &Value, containers: &Value, network: &[&str], owner: &str) -> Vec<Name> {
    let mut found = Vec::new();
    for service in items(services).filter(|service| !is_of(&service["Spec"]["Labels"], owner)) {
        let spec = &service["Spec"];
        let full = text(&spec["Name"]);
        let mut add =
            |name: &str, is_short| found.push(Name { name: plain(name), by: full.to_owned(), is_short });
        let attached = items(&spec["TaskTemplate"]["Networks"]).chain(items(&spec["Networks"]));
        let attached: Vec<&Value> = attached.filter(|one| network.contains(&text(&one["Target"]))).collect();
        if attached.is_empty() {
            continue;
        }
        add(full, false);
        add(&format!("tasks.{full}"), false);
        add(text(&spec["TaskTemplate"]["ContainerSpec"]["Hostname"]), false);
        let stack = text(&spec["Labels"][STACK]);
        let short = full.strip_prefix(stack).and_then(|rest| rest.strip_prefix('_'));
        for alias in attached.iter().flat_map(|one| items(&one["Aliases"])).filter_map(Value::as_str) {
            add(alias, Some(alias) == short);
        }
    }
    for container in items(containers) {
        let labels = &container["Labels"];
        // Those of tasks stand for their services.
        if is_of(labels, owner) || labels[SERVICE_ID].is_string() {
            continue;
        }
        let names: Vec<&str> = items(&container["Names"])
            .filter_map(Value::as_str)
            .map(|name| name.trim_start_matches('/'))
            .collect();
        let by = names.first().copied().unwrap_or_else(|| text(&container["Id"])).to_owned();
        let mut add = |name: &str, is_short| found.push(Name { name: plain(name), by: by.clone(), is_short });
        for name in &names {
            add(name, false);
        }
        add(text(&labels[label::COMPOSE_SERVICE]), true);
    }
    found.retain(|name| !name.name.is_empty());
    found
}

/// The ports that others publish or programs of the node listen at. `stopped` are the engine's descriptions of containers
/// that do not run; `listening` are the kernel's lists, by protocol.
pub fn ports(
    services: &Value,
    containers: &Value,
    stopped: &[Value],
    listening: &[(&str, String)],
    owner: &str,
    known: &dyn Fn(&Port) -> bool,
) -> Vec<(Port, String)> {
    let (mut found, mut own) = (Vec::new(), Vec::new());
    let mut add = |labels: &Value, port: Option<u64>, protocol: &str, by: String| {
        let Some(number) = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) else {
            return;
        };
        let port = (number, if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_owned() });
        if is_of(labels, owner) { own.push(port) } else { found.push((port, by)) }
    };
    for service in items(services) {
        let (spec, by) = (&service["Spec"], format!("service {}", text(&service["Spec"]["Name"])));
        let given = items(&spec["EndpointSpec"]["Ports"]).chain(items(&service["Endpoint"]["Ports"]));
        for port in given {
            add(&spec["Labels"], port["PublishedPort"].as_u64(), text(&port["Protocol"]), by.clone());
        }
    }
    for container in items(containers) {
        let name = text(&container["Names"][0]).trim_start_matches('/');
        for port in items(&container["Ports"]) {
            let by = format!("container {name}");
            add(&container["Labels"], port["PublicPort"].as_u64(), text(&port["Type"]), by);
        }
    }
    for container in stopped {
        let name = text(&container["Name"]).trim_start_matches('/');
        for (key, bindings) in container["HostConfig"]["PortBindings"].as_object().into_iter().flatten() {
            let protocol = key.split_once('/').map_or("", |(_, protocol)| protocol);
            for binding in items(bindings) {
                let port = text(&binding["HostPort"]).parse().ok();
                add(&container["Config"]["Labels"], port, protocol, format!("container {name}"));
            }
        }
    }
    for (protocol, list) in listening {
        let sockets = list.lines().filter_map(|line| listener(line, protocol));
        let strange = sockets.map(|number| (number, (*protocol).to_owned()));
        let strange: Vec<Port> = strange.filter(|port| !own.contains(port) && !known(port)).collect();
        found.extend(strange.into_iter().map(|port| (port, "a program of the node".to_owned())));
    }
    found
}

/// Ports of the kernel's own choice are used by clients; which ones, changes all the time.
const EPHEMERAL: u16 = 32768;

/// The port of a line of `/proc/net/tcp` or `udp` (or of their like for IPv6), if others than this node reach it.
fn listener(line: &str, protocol: &str) -> Option<u16> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = *words.get(3)?;
    let is_loopback =
        (address.len() == 8 && address.ends_with("7F")) || address == "00000000000000000000000001000000";
    let listens = if protocol == "tcp" { state == "0A" } else { state == "07" && port < EPHEMERAL };
    (listens && !is_loopback).then_some(port)
}

/// The ranges that are in use: networks by the engine's list, addresses of the swarm's nodes, and the node's own routes
/// and addresses as its kernel has them.
pub fn ranges(networks: &Value, nodes: &Value, kernel: &Kernel) -> Vec<(Subnet, String)> {
    let mut found = Vec::new();
    for network in items(networks) {
        let by = format!("network {}", text(&network["Name"]));
        let all = items(&network["IPAM"]["Config"]).filter_map(|one| text(&one["Subnet"]).parse().ok());
        found.extend(all.map(|range| (range, by.clone())));
    }
    for node in items(nodes) {
        let address = text(&node["Status"]["Addr"]).parse().ok();
        let by = format!("node {}", text(&node["Description"]["Hostname"]));
        found.extend(address.map(|address| (Subnet::one(address), by)));
    }
    let routes = fib(&kernel.fib_trie).chain(ipv6(&kernel.ipv6_route));
    found.extend(
        routes.filter(|range| !range.is_everything()).map(|range| (range, "a route of the node".to_owned())),
    );
    let resolvers = kernel.resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let resolvers = resolvers.filter_map(|address| address.trim().parse().ok());
    found.extend(resolvers.map(|address| (Subnet::one(address), "a name server of the node".to_owned())));
    found
}

/// What the node's kernel and its files say of its routes.
#[derive(Debug, Default)]
pub struct Kernel {
    /// `/proc/net/fib_trie`: IPv4 routes of all tables, and addresses.
    pub fib_trie: String,
    /// `/proc/net/ipv6_route`
    pub ipv6_route: String,
    pub resolv_conf: String,
}

/// A leaf is an address; the lines below it are the lengths of its prefixes.
fn fib(trie: &str) -> impl Iterator<Item = Subnet> {
    let mut leaf: Option<Ipv4Addr> = None;
    trie.lines().filter_map(move |line| {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim().parse().ok();
            return None;
        }
        let bits = line.strip_prefix('/')?.split_whitespace().next()?.parse().ok()?;
        Subnet::of(IpAddr::V4(leaf?), bits)
    })
}

fn ipv6(routes: &str) -> impl Iterator<Item = Subnet> {
    routes.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let bits = u32::from_str_radix(words.next()?, 16).ok()?;
        Subnet::of(IpAddr::V6(address.into()), bits)
    })
}

fn is_of(labels: &Value, owner: &str) -> bool {
    labels[label::RUN] == owner
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_others_on_the_network() {
        let service = |name: &str, labels: Value, network: &str, aliases: Value| {
            json!({"Spec": {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": {"Hostname": "Host"},
                "Networks": [{"Target": network, "Aliases": aliases}]}}})
        };
        let services = json!([
            service("live_app", json!({STACK: "live"}), "n", json!(["app", "Shop"])),
            service("own_app", json!({label::RUN: "me"}), "n", json!(["app"])),
            service("far_app", json!(null), "other", json!(["app"])),
        ]);
        let containers = json!([
            {"Names": ["/box"], "Labels": {label::COMPOSE_SERVICE: "web"}},
            {"Names": ["/mine"], "Labels": {label::RUN: "me"}},
            {"Names": ["/live_app.1.x"], "Labels": {SERVICE_ID: "s"}},
        ]);
        let found = names(&services, &containers, &["n", "proxy"], "me");
        let found: Vec<(&str, &str, bool)> =
            found.iter().map(|name| (name.name.as_str(), name.by.as_str(), name.is_short)).collect();
        assert_eq!(
            found,
            [
                ("live_app", "live_app", false),
                ("tasks.live_app", "live_app", false),
                ("host", "live_app", false),
                ("app", "live_app", true),
                ("shop", "live_app", false),
                ("box", "box", false),
                ("web", "box", true),
            ]
        );
    }

    #[test]
    fn ports_of_others_and_of_programs() {
        let services = json!([
            {"Spec": {"Name": "live", "EndpointSpec": {"Ports": [{"PublishedPort": 80, "Protocol": "tcp"}, {"TargetPort": 1}]}}},
            {"Spec": {"Name": "own", "Labels": {label::RUN: "me"}, "EndpointSpec": {"Ports": [{"PublishedPort": 81}]}}},
        ]);
        let containers =
            json!([{"Names": ["/c"], "Ports": [{"PublicPort": 82, "Type": "udp"}, {"PrivatePort": 9}]}]);
        let stopped = [
            json!({"Name": "/s", "HostConfig": {"PortBindings": {"9/tcp": [{"HostPort": "83"}], "8/tcp": null}}}),
        ];
        let tcp = "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n   1: 0100007F:0050 00000000:0000 0A 0\n\
                      2: 00000000:0051 00000000:0000 0A 0\n   3: 00000000:0099 0200000A:0050 01 0\n   4: 00000000:0055 00000000:0000 0A 0\n";
        let udp = "   0: 00000000:0035 00000000:0000 07 0\n   1: 00000000:9000 00000000:0000 07 0\n";
        let listening = [("tcp", tcp.to_owned()), ("udp", udp.to_owned())];
        let found = ports(&services, &containers, &stopped, &listening, "me", &|port| port.0 == 0x55);
        let found: Vec<String> =
            found.iter().map(|((port, kind), by)| format!("{port}/{kind} {by}")).collect();
        assert_eq!(
            found,
            [
                "80/tcp service live",
                "82/udp container c",
                "83/tcp container s",
                "22/tcp a program of the node",
                "53/udp a program of the node"
            ]
        );
    }

    #[test]
    fn ranges_of_networks_nodes_and_routes() {
        let networks =
            json!([{"Name": "n", "IPAM": {"Config": [{"Subnet": "10.5.0.0/24"}, {}]}}, {"Name": "host"}]);
        let nodes = json!([{"Description": {"Hostname": "b"}, "Status": {"Addr": "10.6.0.2"}}]);
        let kernel = Kernel {
            fib_trie: "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 10.7.0.0/24 2 0 2\n\
                         |-- 10.7.0.0\n           /24 link UNICAST\n        |-- 10.7.0.9\n           /32 host LOCAL\n"
                .into(),
            ipv6_route: "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 x 0 0 0 1 eth0\n\
                         00000000000000000000000000000000 00 00000000000000000000000000000000 00 x 0 0 0 1 eth0\n"
                .into(),
            resolv_conf: "search x\nnameserver 10.8.0.53\n".into(),
        };
        let found = ranges(&networks, &nodes, &kernel);
        let found: Vec<String> = found.iter().map(|(range, by)| format!("{range} {by}")).collect();
        assert_eq!(
            found,
            [
                "10.5.0.0/24 network n",
                "10.6.0.2/32 node b",
                "10.7.0.0/24 a route of the node",
                "10.7.0.9/32 a route of the node",
                "fd00::/64 a route of the node",
                "10.8.0.53/32 a name server of the node",
            ]
        );
    }
}
