//! Rules for networks: the owner creates them under its own names, and joins its own and allowed ones.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::decision::{Decision, Forward, Kind};
use crate::refusal::Refusal;
use crate::shape::small;

pub fn create(ask: &Ask) -> Decision {
    let mut body = ask.body(&small::NETWORK)?;
    ask.policy.name("network", text(&body, "Name"))?;
    let driver = text(&body, "Driver");
    if !["", "bridge", "overlay"].contains(&driver) {
        return Err(Refusal::new("network driver", driver.to_owned())
            .remedy("use overlay or bridge: others reach the host's own network")
            .into());
    }
    if !["", "default"].contains(&text(&body["IPAM"], "Driver")) {
        return Err(Refusal::new("network driver", "IPAM driver").remedy("use the default").into());
    }
    options(&body["Options"])?;
    ask.stamp(&mut body, "Labels")?;
    Ok(Forward { creates: Some(Kind::Network), ..ask.forward().json(body) })
}

pub fn delete(ask: &Ask) -> Decision {
    ask.for_own(Kind::Network)
}

pub fn connect(ask: &Ask) -> Decision {
    member(ask, ask.body(&small::CONNECT)?)
}

pub fn disconnect(ask: &Ask) -> Decision {
    member(ask, ask.body(&small::DISCONNECT)?)
}

/// Connects or disconnects one of the owner's containers, on a network that the owner may use.
fn member(ask: &Ask, mut body: Value) -> Decision {
    let network = ask.network(Kind::Network, &ask.params[0])?.id.clone();
    let container = ask.own(Kind::Container, text(&body, "Container"))?.id.clone();
    body["Container"] = container.into();
    if let Some(links) = body["EndpointConfig"].get_mut("Links") {
        super::container::links(ask, links)?;
    }
    Ok(ask.forward_to(&network).json(body))
}

/// Allows harmless driver options only. With `com.docker.network.bridge.name`, for one, a new network would take over a
/// bridge that exists already.
fn options(options: &Value) -> Result<(), Refusal> {
    const HARMLESS: [&str; 4] = [
        "encrypted",
        "com.docker.network.driver.mtu",
        "com.docker.network.bridge.enable_icc",
        "com.docker.network.bridge.enable_ip_masquerade",
    ];
    let odd = options.as_object().into_iter().flatten().find(|(key, _)| !HARMLESS.contains(&key.as_str()));
    odd.map_or(Ok(()), |(key, _)| {
        Err(Refusal::new("driver options", key.clone()).remedy("leave the option out"))
    })
}
