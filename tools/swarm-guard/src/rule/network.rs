//! Rules for networks: the owner creates them under its own names, and joins its own and allowed ones.

use serde_json::Value;

use super::names::Wanted;
use crate::ask::{Ask, text};
use crate::decision::{Decision, Forward, Kind, Stop};
use crate::refusal::Refusal;
use crate::shape::small;
use crate::subnet::{self, Subnet};

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
    ranges(ask, &body["IPAM"]["Config"])?;
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
    let network = ask.network(Kind::Network, &ask.params[0])?;
    let container = ask.own(Kind::Container, text(&body, "Container"))?;
    let names = Wanted::of_container(&Value::from(container.labels.clone()), "", "");
    let mut forward = ask.forward_to(&network.id);
    super::container::endpoint_of(
        ask,
        &mut body["EndpointConfig"],
        Some(network),
        &names,
        &mut forward.notes,
    )?;
    if body["EndpointConfig"].is_null() {
        body.as_object_mut().map(|map| map.remove("EndpointConfig"));
    }
    body["Container"] = container.id.clone().into();
    Ok(forward.json(body))
}

/// Refuses ranges that overlap what is in use on the node: a bridge would take the traffic to it. A range that is nobody's
/// own is reached by the default route.
fn ranges(ask: &Ask, config: &Value) -> Result<(), Stop> {
    for given in
        config.as_array().into_iter().flatten().map(|one| text(one, "Subnet")).filter(|it| !it.is_empty())
    {
        let world = ask.facts.world(Kind::Ranges, "")?;
        let taken: Vec<Subnet> = world.ranges.iter().map(|(range, _)| *range).collect();
        let remedy = subnet::free(&taken).map_or_else(
            || "leave it out, and the engine chooses a range".to_owned(),
            |free| format!("leave it out, and the engine chooses a range, or take {free}"),
        );
        let refuse =
            |why: &str| Err(Refusal::new("range", format!("{given}: {why}")).remedy(remedy.clone()).into());
        let Ok(range) = given.parse::<Subnet>() else { return refuse("no range of addresses") };
        if let Some(problem) = &world.problem {
            return refuse(problem);
        }
        if !range.is_private() {
            return refuse("it overlaps the default route");
        }
        if let Some((theirs, by)) = world.ranges.iter().find(|(theirs, _)| theirs.overlaps(range)) {
            return refuse(&format!("it overlaps {theirs} ({by})"));
        }
    }
    Ok(())
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
