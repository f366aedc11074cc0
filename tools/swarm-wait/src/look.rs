//! Asks the engine about a stack: services, tasks, nodes, the last lines of logs, full networks.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lib_common::docker::{ApiResult, Engine, filters};
use lib_common::swarm::{address, frame, label};

use crate::facts::{self, Service};

/// Deadline for reading a service's last log lines. They only show progress, so a slow log must not hold up the wait.
const LOGS: Duration = Duration::from_secs(5);

pub async fn services(engine: &Engine, stack: &str) -> ApiResult<Vec<Service>> {
    let of_stack = filters(&[("label", &label::of_stack(stack))]);
    // Tasks are asked for first: a service that is created in between then shows no tasks at this look, and has
    // them at the next.
    let (services, tasks) = (format!("/services?{of_stack}"), format!("/tasks?{of_stack}"));
    let get = async |path: &str| Box::pin(engine.get(path)).await;
    let (tasks, services, nodes) = tokio::try_join!(get(&tasks), get(&services), get("/nodes"))?;
    Ok(facts::parse(stack, &services, &tasks, &nodes))
}

/// The last lines of a service's log, from all nodes; none when the engine cannot read them.
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
    // Ignore errors and the timeout: what was read until then is used.
    let _ = tokio::time::timeout(LOGS, read).await;
    lines(&bytes)
}

/// The non-empty lines of a log in the engine's stream format (frames, or plain text for a TTY).
pub fn lines(log: &[u8]) -> Vec<Vec<u8>> {
    let text = frame::text(log);
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The networks of these services on which no address seems free: a description by network id. Counted is what the
/// API shows: addresses of all tasks and services, and one for the gateway. Addresses that leaked do not show there.
pub async fn full_networks(engine: &Engine, services: &[Service]) -> ApiResult<HashMap<String, String>> {
    let get = async |path: &str| Box::pin(engine.get(path)).await;
    let wanted: BTreeSet<&String> = services.iter().flat_map(|service| &service.networks).collect();
    let (networks, tasks, others) = tokio::try_join!(get("/networks"), get("/tasks"), get("/services"))?;
    let in_use = address::in_use(&others, &tasks);
    let used = |id: &str| in_use.get(id).map_or(0, |given| given.iter().collect::<BTreeSet<_>>().len());
    let mut full = HashMap::new();
    for network in networks.as_array().into_iter().flatten() {
        let Some(id) = network["Id"].as_str().filter(|id| wanted.contains(&(*id).to_owned())) else {
            continue;
        };
        let configs = network["IPAM"]["Config"].as_array().into_iter().flatten();
        let subnets: Vec<&str> = configs.filter_map(|config| config["Subnet"].as_str()).collect();
        let rooms: Option<Vec<u64>> = subnets.iter().map(|subnet| address::room(subnet)).collect();
        let Some(size) = rooms.map(|rooms| rooms.into_iter().fold(0, u64::saturating_add)) else { continue };
        let used = used(id) as u64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn framed_and_plain() {
        assert_eq!(
            lines(b"\x01\0\0\0\0\0\0\x06one\ntw\x01\0\0\0\0\0\0\x02o\n"),
            [b"one".to_vec(), b"two".to_vec()]
        );
        assert_eq!(lines(b"a\r\nb\n"), [b"a\r".to_vec(), b"b".to_vec()]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lines(&bytes);
        }
    }
}
