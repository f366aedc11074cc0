//! Addresses on networks: how many a subnet can give, and which are in use. No I/O.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::task::has_ended;

/// How many addresses tasks and services can get from a subnet such as `10.0.0.0/24`: all but the network's own, the
/// broadcast and the gateway. At most what a `u64` can count (IPv6 subnets have more).
#[must_use]
pub fn room(subnet: &str) -> Option<u64> {
    let (address, bits) = subnet.split_once('/')?;
    let width: u32 = if address.parse::<IpAddr>().ok()?.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= width)?;
    Some(2u64.saturating_pow(width - bits).saturating_sub(3))
}

/// Addresses in use by the id of their network, as `10.0.0.2/24`: the virtual ones of services, and those of tasks that
/// have not ended. `services` and `tasks` are the engine's lists of all there are.
#[must_use]
pub fn in_use<'l>(services: &'l Value, tasks: &'l Value) -> BTreeMap<&'l str, Vec<&'l str>> {
    let virtual_ones = items(services).flat_map(|service| items(&service["Endpoint"]["VirtualIPs"]));
    let virtual_ones = virtual_ones.map(|given| (&given["NetworkID"], &given["Addr"]));
    let running =
        items(tasks).filter(|task| !has_ended(task["Status"]["State"].as_str().unwrap_or_default()));
    let attached = running.flat_map(|task| items(&task["NetworksAttachments"]));
    let attached = attached
        .flat_map(|given| items(&given["Addresses"]).map(|address| (&given["Network"]["ID"], address)));
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (network, address) in virtual_ones.chain(attached) {
        if let (Some(network), Some(address)) = (network.as_str(), address.as_str()) {
            found.entry(network).or_default().push(address);
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rooms() {
        assert_eq!(room("10.0.0.0/28"), Some(13), "measured: the fourteenth gets none");
        assert_eq!(room("10.99.0.0/29"), Some(5));
        assert_eq!(room("10.0.0.0/24"), Some(253));
        assert_eq!(room("10.0.0.0/31"), Some(0));
        assert_eq!(room("10.0.0.0/32"), Some(0));
        assert_eq!(room("fd00::/64"), Some(u64::MAX - 3));
        for bad in ["odd", "10.0.0.0", "x/8", "10.0.0.0/x", "10.0.0.0/33"] {
            assert_eq!(room(bad), None, "{bad}");
        }
    }

    #[test]
    fn virtual_addresses_and_those_of_tasks_that_have_not_ended() {
        let services = json!([{"Endpoint": {"VirtualIPs": [
            {"NetworkID": "p", "Addr": "10.0.0.2/28"}, {"NetworkID": "p"}, 7]}}, null]);
        let task = |state: &str, address: &str| {
            json!({"Status": {"State": state},
                   "NetworksAttachments": [{"Network": {"ID": "p"}, "Addresses": [address]}, {"Network": {"ID": "i"}}]})
        };
        let tasks = json!([
            task("running", "10.0.0.3/28"),
            task("shutdown", "10.0.0.4/28"),
            task("pending", "10.0.0.5/28")
        ]);
        let expected = BTreeMap::from([("p", vec!["10.0.0.2/28", "10.0.0.3/28", "10.0.0.5/28"])]);
        assert_eq!(in_use(&services, &tasks), expected);
        assert_eq!(in_use(&Value::Null, &json!("odd")), BTreeMap::new());
    }
}
