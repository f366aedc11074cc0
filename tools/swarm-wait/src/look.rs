//! Looks at a stack on the engine: services, tasks, nodes, the last lines of logs, full networks.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lib_common::docker::{ApiResult, Engine, filters};
use serde_json::Value;

use crate::facts::{self, Service};

/// Longest time that the last lines of a service's log may take: they are a help, not the truth.
const LOGS: Duration = Duration::from_secs(5);

pub async fn services(engine: &Engine, stack: &str) -> ApiResult<Vec<Service>> {
    let label = format!("com.docker.stack.namespace={stack}");
    let of_stack = filters(&[("label", &label)]);
    // Tasks first: a task of a service that came after this look is left for the next one.
    let (services, tasks) = (format!("/services?{of_stack}"), format!("/tasks?{of_stack}"));
    let get = async |path: &str| Box::pin(engine.get(path)).await;
    let (tasks, services, nodes) = tokio::try_join!(get(&tasks), get(&services), get("/nodes"))?;
    Ok(facts::parse(stack, &services, &tasks, &nodes))
}

/// The last lines of a service's log, from whichever node; nothing where the engine cannot tell.
pub async fn last_lines(engine: &Engine, service: &Service) -> Vec<Vec<u8>> {
    let path = format!("/services/{}/logs?stdout=1&stderr=1&tail=20", service.id);
    let mut bytes = Vec::new();
    let read = async {
        let mut stream = engine.stream(&path).await?;
        while let Some(chunk) = Engine::chunk(&mut stream).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > 1 << 20 {
                break;
            }
        }
        ApiResult::Ok(())
    };
    // A log that breaks off has told something nevertheless.
    let _ = tokio::time::timeout(LOGS, read).await;
    lines(&bytes)
}

/// Without the eight bytes in front of each frame, where there are any (a terminal has none).
pub fn lines(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    while let [kind @ 0..=2, 0, 0, 0, a, b, c, d, rest @ ..] = bytes {
        let _ = kind;
        let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (frame, after) = rest.split_at(size.min(rest.len()));
        text.extend_from_slice(frame);
        bytes = after;
    }
    text.extend_from_slice(bytes);
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Networks of these services on which no address seems free, by id, in words. Only what the engine tells is
/// counted: tasks of everybody, service addresses, and one for the gateway.
pub async fn full_networks(engine: &Engine, services: &[Service]) -> ApiResult<HashMap<String, String>> {
    let get = async |path: &str| Box::pin(engine.get(path)).await;
    let wanted: BTreeSet<&String> = services.iter().flat_map(|service| &service.networks).collect();
    let (networks, tasks, others) = tokio::try_join!(get("/networks"), get("/tasks"), get("/services"))?;
    let list = |value: &'static str, of: &Value| of[value].as_array().cloned().unwrap_or_default();
    let used = |id: &str| {
        let tasks = tasks.as_array().into_iter().flatten().flat_map(|task| list("NetworksAttachments", task));
        let tasks = tasks.filter(|net| net["Network"]["ID"] == id).flat_map(|net| list("Addresses", &net));
        let others = others.as_array().into_iter().flatten();
        let virtual_ones = others.flat_map(|service| list("VirtualIPs", &service["Endpoint"]));
        let virtual_ones = virtual_ones.filter(|ip| ip["NetworkID"] == id).map(|ip| ip["Addr"].clone());
        tasks
            .chain(virtual_ones)
            .filter_map(|ip| ip.as_str().map(ToOwned::to_owned))
            .collect::<BTreeSet<_>>()
            .len()
    };
    let mut full = HashMap::new();
    for network in networks.as_array().into_iter().flatten() {
        let Some(id) = network["Id"].as_str().filter(|id| wanted.contains(&(*id).to_owned())) else {
            continue;
        };
        let subnets: Vec<Value> = list("Config", &network["IPAM"]);
        let subnets: Vec<&str> = subnets.iter().filter_map(|config| config["Subnet"].as_str()).collect();
        // An IPv6 subnet is never full.
        let Some(size) = subnets.iter().map(|subnet| size(subnet)).try_fold(0, |sum, size| Some(sum + size?))
        else {
            continue;
        };
        let used = used(id);
        if size > 0 && used + 1 >= size {
            let name = network["Name"].as_str().unwrap_or(id);
            full.insert(
                id.to_owned(),
                format!("{name} {}: {used} of {size} addresses in use", subnets.join(" ")),
            );
        }
    }
    Ok(full)
}

/// Addresses of an IPv4 subnet that tasks and services can get: without network, broadcast and gateway.
fn size(subnet: &str) -> Option<usize> {
    let (address, prefix) = subnet.split_once('/')?;
    let _: std::net::Ipv4Addr = address.parse().ok()?;
    let bits: u32 = prefix.parse().ok().filter(|bits| *bits <= 30)?;
    Some((1_usize << (32 - bits)) - 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_and_plain_text() {
        let mut framed = Vec::new();
        for (kind, text) in [(1_u8, "one\ntw"), (1, "o\n"), (2, "three")] {
            framed.extend([kind, 0, 0, 0]);
            framed.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            framed.extend(text.as_bytes());
        }
        assert_eq!(lines(&framed), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        assert_eq!(lines(b"a\r\nb\n"), [b"a\r".to_vec(), b"b".to_vec()]);
        assert_eq!(lines(&framed[..framed.len() - 3]).last().unwrap(), b"th", "cut off");
    }

    #[test]
    fn sizes_of_subnets() {
        assert_eq!(size("10.0.0.0/24"), Some(253));
        assert_eq!(size("10.99.0.0/29"), Some(5));
        for bad in ["10.0.0.0/31", "10.0.0.0", "fd00::/64", "x/8", "10.0.0.0/x"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lines(&bytes);
        }
    }
}
