//! Reads what routing depends on (services, tasks, networks) from the engine's raw JSON. Odd values are tolerated. No
//! I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lib_common::swarm::label::{self, STACK};
use serde_json::Value;

/// The swarm at one moment.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    pub services: Vec<Service>,
    /// Networks by id.
    pub networks: BTreeMap<String, Network>,
    /// Content of the configs that services mount, by id.
    pub configs: BTreeMap<String, String>,
    /// Addresses of nodes, by id.
    pub nodes: BTreeMap<String, String>,
}

/// The engine's answers to the list calls.
#[derive(Debug, Default)]
pub struct Lists {
    pub services: Value,
    pub tasks: Value,
    pub networks: Value,
    pub nodes: Value,
    pub configs: Value,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub stack: Option<String>,
    /// It has no way out, so the engine's DNS asks it after all networks that have one.
    pub internal: bool,
    /// It is swarm-wide and belongs to no stack.
    pub shared: bool,
    pub subnets: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub stack: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Labels of its containers, which Traefik does not read on a swarm.
    pub container_labels: BTreeMap<String, String>,
    /// How many replicas are wanted; `None` for a global service.
    pub wanted: Option<u64>,
    pub attached: Vec<Attached>,
    /// Virtual address on each network, by network id; empty for `dnsrr`.
    pub vips: BTreeMap<String, String>,
    pub command: Vec<String>,
    pub env: Vec<String>,
    /// Mounted configs: id and path.
    pub mounts: Vec<(String, String)>,
    /// Published ports: of the container and of the node.
    pub published: Vec<(u16, u16)>,
    pub tasks: Vec<Task>,
}

/// A network that a service is attached to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attached {
    pub network: String,
    pub aliases: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    pub state: String,
    pub desired: String,
    /// Why it failed, or what it waits for.
    pub said: String,
    pub since: Option<Timestamp>,
    pub node: String,
    /// Address on each network, by network id.
    pub addresses: BTreeMap<String, String>,
}

impl Swarm {
    pub fn new(lists: &Lists) -> Self {
        let networks: BTreeMap<_, _> =
            array(&lists.networks).map(network).map(|network| (network.id.clone(), network)).collect();
        let mut services: Vec<Service> =
            array(&lists.services).map(|service| self::service(service, &networks)).collect();
        for value in array(&lists.tasks) {
            let of = text(&value["ServiceID"]);
            if let Some(service) = services.iter_mut().find(|service| service.id == of) {
                service.tasks.push(task(value));
            }
        }
        services.sort_by(|a, b| a.name.cmp(&b.name));
        let nodes =
            array(&lists.nodes).map(|node| (text(&node["ID"]), text(&node["Status"]["Addr"]))).collect();
        let mounted: Vec<&String> =
            services.iter().flat_map(|service| &service.mounts).map(|(id, _)| id).collect();
        let configs = array(&lists.configs)
            .map(|config| (text(&config["ID"]), config))
            .filter(|(id, _)| mounted.contains(&id))
            .map(|(id, config)| (id, lossy_base64(&text(&config["Spec"]["Data"]))))
            .collect();
        Self { services, networks, configs, nodes }
    }

    pub fn network_name(&self, id: &str) -> String {
        self.networks.get(id).map_or_else(|| id.to_owned(), |network| network.name.clone())
    }

    pub fn of_stack<'s>(&'s self, stack: &'s str) -> impl Iterator<Item = &'s Service> {
        self.services.iter().filter(move |service| service.stack.as_deref() == Some(stack))
    }
}

impl Service {
    /// Its name without the stack's.
    pub fn short(&self) -> &str {
        let of_stack = self.stack.as_ref().and_then(|stack| self.name.strip_prefix(stack.as_str()));
        of_stack.and_then(|rest| rest.strip_prefix('_')).unwrap_or(&self.name)
    }

    pub fn running(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.state == "running" && task.desired == "running")
    }

    /// Whether the engine's DNS answers for its names.
    pub fn is_resolvable(&self) -> bool {
        self.running().next().is_some() || (!self.vips.is_empty() && self.wanted != Some(0))
    }

    /// Whether it answers to `name` on a network.
    pub fn answers_to(&self, name: &str, network: &str) -> bool {
        let mut on = self.attached.iter().filter(|attached| attached.network == network);
        on.any(|attached| self.name == name || attached.aliases.iter().any(|alias| alias == name))
    }
}

fn network(value: &Value) -> Network {
    let stack = value["Labels"][STACK].as_str().map(ToOwned::to_owned);
    let swarm_wide = value["Scope"] == "swarm" && value["Ingress"] != true;
    Network {
        id: text(&value["Id"]),
        name: text(&value["Name"]),
        internal: value["Internal"] == true,
        shared: swarm_wide && stack.is_none(),
        subnets: array(&value["IPAM"]["Config"]).map(|pool| text(&pool["Subnet"])).collect(),
        stack,
    }
}

fn service(value: &Value, networks: &BTreeMap<String, Network>) -> Service {
    let spec = &value["Spec"];
    let template = &spec["TaskTemplate"];
    let container = &template["ContainerSpec"];
    let labels = label::pairs(&spec["Labels"]);
    // A target is an id, or a name if the client that created the service gave a name.
    let id_of = |target: &str| {
        let named =
            networks.values().find(|network| network.name == target && !networks.contains_key(target));
        named.map_or_else(|| target.to_owned(), |network| network.id.clone())
    };
    let lists = [&template["Networks"], &spec["Networks"]];
    let attached = lists.into_iter().flat_map(array).map(|attached| Attached {
        network: id_of(attached["Target"].as_str().unwrap_or_default()),
        aliases: array(&attached["Aliases"]).map(text).collect(),
    });
    let port = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
    let ports = array(&spec["EndpointSpec"]["Ports"]);
    Service {
        id: text(&value["ID"]),
        name: text(&spec["Name"]),
        stack: labels.get(STACK).cloned(),
        labels,
        container_labels: label::pairs(&container["Labels"]),
        wanted: spec["Mode"]["Replicated"]["Replicas"].as_u64(),
        attached: attached.collect(),
        vips: array(&value["Endpoint"]["VirtualIPs"])
            .filter(|vip| vip["Addr"].is_string())
            .map(|vip| (text(&vip["NetworkID"]), without_mask(&vip["Addr"])))
            .collect(),
        command: [&container["Command"], &container["Args"]].into_iter().flat_map(array).map(text).collect(),
        env: array(&container["Env"]).map(text).collect(),
        mounts: array(&container["Configs"])
            .map(|config| (text(&config["ConfigID"]), text(&config["File"]["Name"])))
            .collect(),
        published: ports
            .filter_map(|ports| Some((port(&ports["TargetPort"])?, port(&ports["PublishedPort"])?)))
            .collect(),
        tasks: Vec::new(),
    }
}

fn task(value: &Value) -> Task {
    let status = &value["Status"];
    let err = text(&status["Err"]);
    let addresses = array(&value["NetworksAttachments"]).filter_map(|attachment| {
        let address = array(&attachment["Addresses"]).next()?;
        Some((text(&attachment["Network"]["ID"]), without_mask(address)))
    });
    Task {
        state: text(&status["State"]),
        desired: text(&value["DesiredState"]),
        said: if err.is_empty() { text(&status["Message"]) } else { err },
        since: status["Timestamp"].as_str().and_then(|at| at.parse().ok()),
        node: text(&value["NodeID"]),
        addresses: addresses.collect(),
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn without_mask(address: &Value) -> String {
    address.as_str().unwrap_or_default().split('/').next().unwrap_or_default().to_owned()
}

fn lossy_base64(encoded: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// A network in the engine's JSON.
    pub fn net(name: &str, stack: Option<&str>) -> Value {
        let labels = stack.map_or(json!({}), |stack| json!({STACK: stack}));
        json!({"Id": format!("id-{name}"), "Name": name, "Scope": "swarm", "Labels": labels,
               "IPAM": {"Config": [{"Subnet": "10.0.1.0/24"}]}})
    }

    /// A service of a stack and its one running task, attached to these networks under its short name.
    pub fn svc(stack: &str, short: &str, networks: &[&str], labels: &Value) -> (Value, Value) {
        let name = format!("{stack}_{short}");
        let mut labels = labels.clone();
        labels[STACK] = json!(stack);
        let attached: Vec<Value> =
            networks.iter().map(|net| json!({"Target": format!("id-{net}"), "Aliases": [short]})).collect();
        let service = json!({"ID": format!("id-{name}"), "Spec": {
            "Name": name, "Labels": labels, "Mode": {"Replicated": {"Replicas": 1}},
            "TaskTemplate": {"ContainerSpec": {}, "Networks": attached}}});
        let addresses: Vec<Value> = networks
            .iter()
            .map(|net| json!({"Network": {"ID": format!("id-{net}")}, "Addresses": ["10.0.1.9/24"]}))
            .collect();
        let task = json!({"ServiceID": format!("id-{name}"), "DesiredState": "running", "NodeID": "n1",
            "Status": {"State": "running", "Timestamp": "2026-01-01T00:00:00Z"}, "NetworksAttachments": addresses});
        (service, task)
    }

    pub fn swarm(networks: &[Value], pairs: Vec<(Value, Value)>) -> Swarm {
        let (services, tasks): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let nodes = json!([{"ID": "n1", "Status": {"Addr": "192.0.2.1"}}]);
        Swarm::new(&Lists {
            services: json!(services),
            tasks: json!(tasks),
            networks: json!(networks),
            nodes,
            configs: Value::Null,
        })
    }

    #[test]
    fn a_service_is_read_with_its_tasks() {
        let pair = svc("one", "app", &["proxy"], &json!({"a": "b", "ü": "\u{0}"}));
        let swarm = swarm(&[net("proxy", None), net("one_default", Some("one"))], vec![pair]);
        let service = &swarm.services[0];
        assert_eq!(
            (service.short(), service.stack.as_deref(), service.wanted),
            ("app", Some("one"), Some(1))
        );
        assert_eq!(service.running().next().unwrap().addresses["id-proxy"], "10.0.1.9");
        assert!(service.is_resolvable() && service.answers_to("app", "id-proxy"));
        assert!(!service.answers_to("app", "id-one_default"));
        assert!(swarm.networks["id-proxy"].shared && !swarm.networks["id-one_default"].shared);
        assert_eq!(swarm.nodes["n1"], "192.0.2.1");
    }

    #[test]
    fn odd_values_hide_nothing() {
        let lists = Lists {
            services: json!([null, 7, {"Spec": {"Name": 3, "Labels": [1]}}, svc("one", "app", &[], &json!({})).0]),
            tasks: json!([{"ServiceID": "gone"}, "x"]),
            networks: json!([null, {"Id": 1}]),
            ..Lists::default()
        };
        let swarm = Swarm::new(&lists);
        assert!(swarm.services.iter().any(|service| service.name == "one_app"));
    }
}
