//! Counts the addresses in use on networks that the run shares with others, and checks that such a network can still
//! give one.
//!
//! An address that the manager forgot to free shows in no list, so counts alone prove nothing. So in the end a probe
//! service without tasks asks each network for a virtual address.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lib_common::docker::models::{
    EndpointSpec, EndpointSpecModeEnum, NetworkAttachmentConfig, ServiceSpec, ServiceSpecMode,
    ServiceSpecModeReplicated, TaskSpec, TaskSpecContainerSpec,
};
use lib_common::docker::{ApiResult, Engine, filters};
use lib_common::record::run::NetworkUse;
use lib_common::swarm::address;
use lib_common::swarm::label::{self, RUN, STACK};
use lib_common::swarm::object::Kind;
use serde_json::Value;

use super::calls::Calls;
use super::objects::Target;

/// How long to wait for the probe's address; the manager gives one within milliseconds, or not at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// Addresses in use on one network, as far as the manager's lists show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    pub name: String,
    pub used: u32,
    pub size: u32,
}

/// Addresses in use, by network id.
pub type Book = BTreeMap<String, Use>;

/// Counts the virtual addresses of services and the addresses of tasks that have not ended. No I/O.
pub fn count(networks: &Value, services: &Value, tasks: &Value) -> Book {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let overlay = |network: &Value| {
        let name = network["Name"].as_str()?.to_owned();
        let subnets = network["IPAM"]["Config"].as_array().into_iter().flatten();
        let rooms = subnets.filter_map(|subnet| address::room(subnet["Subnet"].as_str()?));
        let size = u32::try_from(rooms.fold(0, u64::saturating_add)).unwrap_or(u32::MAX);
        (network["Scope"] == "swarm")
            .then_some((network["Id"].as_str()?.to_owned(), Use { name, used: 0, size }))
    };
    let mut book: Book = list(networks).iter().filter_map(overlay).collect();
    for (id, addresses) in address::in_use(services, tasks) {
        if let Some(entry) = book.get_mut(id) {
            entry.used = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        }
    }
    book
}

/// The record's list of networks: those that the run used, and those whose number of addresses changed.
pub fn compare(before: &Book, after: &Book, used: &BTreeMap<String, String>) -> Vec<NetworkUse> {
    let told = before.iter().filter_map(|(id, was)| {
        let now = after.get(id)?;
        (used.contains_key(id) || was.used != now.used).then(|| NetworkUse {
            network: was.name.clone(),
            before: was.used,
            after: now.used,
            size: was.size,
        })
    });
    told.collect()
}

/// Networks (id and name) that services of the target use but that are not the target's own.
pub async fn shared(engine: &Engine, target: &Target) -> ApiResult<BTreeMap<String, String>> {
    let (services, networks) = tokio::join!(engine.get("/services"), engine.get("/networks"));
    Ok(shared_of(&services?, &networks?, target))
}

fn shared_of(services: &Value, networks: &Value, target: &Target) -> BTreeMap<String, String> {
    let owned = |labels: &Value| {
        let labels = label::pairs(labels);
        let has = |key: &str, list: &[String]| labels.get(key).is_some_and(|value| list.contains(value));
        has(RUN, &target.runs) || has(STACK, &target.stacks)
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mine = items(services).into_iter().filter(|service| owned(&service["Spec"]["Labels"]));
    let wanted: BTreeSet<String> = mine
        .flat_map(|service| items(&service["Spec"]["TaskTemplate"]["Networks"]))
        .filter_map(|network| network["Target"].as_str().map(ToOwned::to_owned))
        .collect();
    // A service may name its networks by id or by name.
    let strange = items(networks).into_iter().filter(|n| n["Scope"] == "swarm" && !owned(&n["Labels"]));
    strange
        .filter(|n| ["Id", "Name"].iter().any(|key| n[*key].as_str().is_some_and(|t| wanted.contains(t))))
        .filter_map(|n| Some((n["Id"].as_str()?.to_owned(), n["Name"].as_str()?.to_owned())))
        .collect()
}

/// Takes an address of the network and gives it back. Returns a sentence that says why that did not work, if it did not.
pub async fn probe(
    engine: &Engine,
    calls: &Calls,
    target: &Target,
    network: &str,
    name: &str,
) -> Option<String> {
    let tag: String = network.chars().take(12).collect();
    // With the run's labels the probe is torn down with the run if we die here.
    let labels = [(RUN, target.runs.first()), (STACK, target.stacks.first())];
    let labels = labels.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone())));
    let service = ServiceSpec {
        name: Some(format!("redfix-probe-{tag}-{}", lib_common::new_id().to_ascii_lowercase())),
        labels: Some(labels.collect()),
        task_template: Some(TaskSpec {
            container_spec: Some(TaskSpecContainerSpec {
                image: Some("redfix/none".to_owned()),
                ..TaskSpecContainerSpec::default()
            }),
            networks: Some(vec![NetworkAttachmentConfig {
                target: Some(network.to_owned()),
                ..NetworkAttachmentConfig::default()
            }]),
            ..TaskSpec::default()
        }),
        mode: Some(ServiceSpecMode {
            replicated: Some(ServiceSpecModeReplicated { replicas: Some(0) }),
            ..ServiceSpecMode::default()
        }),
        // A virtual address is allocated without any task, so the probe needs no image and starts no container.
        endpoint_spec: Some(EndpointSpec { mode: Some(EndpointSpecModeEnum::VIP), ports: None }),
        ..ServiceSpec::default()
    };
    let asked = async {
        let id = engine.create_service(service).await?;
        calls.note(&id);
        let given = has_address(engine, &id, network).await;
        engine.remove(Kind::Service, &id).await?;
        given
    };
    match asked.await {
        Ok(true) => None,
        Ok(false) => Some(format!("network {name} no longer gives any address")),
        Err(e) => Some(format!("network {name} could not be asked for an address: {}", e.message)),
    }
}

async fn has_address(engine: &Engine, service: &str, network: &str) -> ApiResult<bool> {
    let start = Instant::now();
    loop {
        let list = engine.get(&format!("/services?{}", filters(&[("id", service)]))).await?;
        let addresses = list[0]["Endpoint"]["VirtualIPs"].as_array().cloned().unwrap_or_default();
        if addresses.iter().any(|a| a["NetworkID"] == network && a["Addr"].is_string()) {
            return Ok(true);
        }
        if start.elapsed() > PATIENCE {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn networks() -> Value {
        json!([{"Id": "p", "Name": "proxy", "Scope": "swarm", "Labels": {}, "IPAM": {"Config": [{"Subnet": "10.0.0.0/28"}]}},
               {"Id": "i", "Name": "s_int", "Scope": "swarm", "Labels": {STACK: "s"}, "IPAM": {"Config": []}},
               {"Id": "b", "Name": "bridge", "Scope": "local", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}])
    }

    #[test]
    fn virtual_addresses_and_tasks_that_run_are_counted() {
        let services = json!([{"Endpoint": {"VirtualIPs": [{"NetworkID": "p", "Addr": "10.0.0.2/28"}, {"NetworkID": "p"}]}}]);
        let task = |state: &str| {
            json!({"Status": {"State": state}, "NetworksAttachments": [
            {"Network": {"ID": "p"}, "Addresses": ["10.0.0.3/28"]}, {"Network": {"ID": "i"}, "Addresses": []}]})
        };
        let book =
            count(&networks(), &services, &json!([task("running"), task("shutdown"), task("pending")]));
        assert_eq!(book["p"], Use { name: "proxy".into(), used: 3, size: 13 });
        assert!(!book.contains_key("b"), "a local network is nobody's to share");
        let later = count(&networks(), &json!([]), &json!([]));
        let told = compare(&book, &later, &BTreeMap::new());
        assert_eq!((told[0].before, told[0].after, told[0].size), (3, 0, 13));
        assert_eq!(compare(&later, &later, &BTreeMap::new()), []);
        assert_eq!(compare(&later, &later, &BTreeMap::from([("p".into(), "proxy".into())])).len(), 1);
    }

    #[test]
    fn what_is_shared_is_used_but_not_owned() {
        let services = json!([
            {"Spec": {"Labels": {STACK: "s"}, "TaskTemplate": {"Networks": [{"Target": "i"}, {"Target": "proxy"}]}}},
            {"Spec": {"Labels": {STACK: "live"}, "TaskTemplate": {"Networks": [{"Target": "b"}]}}}]);
        let shared = shared_of(&services, &networks(), &Target::of_stacks(&["s".into()]));
        assert_eq!(shared, BTreeMap::from([("p".to_owned(), "proxy".to_owned())]));
        assert_eq!(shared_of(&json!(null), &json!([7]), &Target::default()), BTreeMap::new());
    }
}
