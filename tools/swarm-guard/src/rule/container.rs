//! Rules for containers: they are created without a way to the host, and only their owner changes them.

use serde_json::{Map, Value};

use super::names::{self, Wanted};
use super::{logging, mounts, ports};
use crate::ask::{Ask, text};
use crate::decision::{Answer, Decision, Forward, Kind, Outgoing, Stop};
use crate::facts::Object;
use crate::refusal::Refusal;
use crate::shape::container;

const ALONE: &str = "run it without: it would reach beyond its own containers";

pub fn create(ask: &Ask) -> Decision {
    let mut body = ask.body(&container::CREATE)?;
    if let Some(name) = ask.head.get("name").filter(|name| !name.is_empty()) {
        ask.policy.name("container", name.trim_start_matches('/'))?;
    }
    ask.stamp(&mut body, "Labels")?;
    let image = text(&body, "Image").to_owned();
    super::image::inherited(ask, &image, &mut body["Labels"])?;
    let mut forward = Forward { creates: Some(Kind::Container), ..ask.forward() };
    runtime(text(&body, "Runtime"))?;
    let host = &mut body["HostConfig"];
    if host.is_object() {
        modes(host)?;
        runtime(text(host, "Runtime"))?;
        super::volume::driver(text(host, "VolumeDriver"), &Value::Null)?;
        security(&host["SecurityOpt"])?;
        killable(&host["OomScoreAdj"])?;
        mounts::binds(ask, &mut host["Binds"], &mut forward)?;
        mounts::mounts(ask, &mut host["Mounts"], &mut forward)?;
        links(ask, &mut host["VolumesFrom"])?;
        links(ask, &mut host["Links"])?;
        logging::check(ask, &host["LogConfig"], "Type", "Config")?;
        let wanted = ports::of_container(&host["PortBindings"])?;
        ports::check(ask, &wanted)?;
        forward.ports = wanted;
    }
    networks(ask, &mut body, &mut forward.notes)?;
    Ok(forward.json(body))
}

/// Refuses namespaces that are shared with the host or with another container.
fn modes(host: &Value) -> Result<(), Refusal> {
    const FINE: [(&str, &[&str]); 5] = [
        ("PidMode", &["", "private"]),
        ("IpcMode", &["", "none", "private", "shareable"]),
        ("UTSMode", &[""]),
        ("UsernsMode", &[""]),
        ("CgroupnsMode", &["", "private"]),
    ];
    for (key, fine) in FINE {
        let mode = text(host, key);
        if !fine.contains(&mode) {
            return Err(Refusal::new("host namespace", format!("HostConfig.{key} '{mode}'")).remedy(ALONE));
        }
    }
    Ok(())
}

fn runtime(name: &str) -> Result<(), Refusal> {
    let plain = ["", "runc"].contains(&name);
    plain.then_some(()).ok_or_else(|| Refusal::new("runtime", name.to_owned()).remedy(ALONE))
}

/// Lets only those security options through that take rights away.
fn security(options: &Value) -> Result<(), Refusal> {
    let harmless = ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];
    let odd =
        options.as_array().into_iter().flatten().filter_map(Value::as_str).find(|o| !harmless.contains(o));
    odd.map_or(Ok(()), |option| Err(Refusal::new("security option", option.to_owned()).remedy(ALONE)))
}

/// Refuses what the kernel would spare when memory is short: it would end something of others instead.
pub fn killable(score: &Value) -> Result<(), Refusal> {
    if score.as_f64().is_some_and(|score| score < 0.0) {
        return Err(Refusal::new("resources", format!("OomScoreAdj {score}")).remedy("leave it out"));
    }
    Ok(())
}

/// Replaces container names by full ids, in a list of `NAME:ALIAS` (`Links`) or `NAME:MODE` (`VolumesFrom`).
pub fn links(ask: &Ask, list: &mut Value) -> Result<(), Stop> {
    for link in list.as_array_mut().into_iter().flatten() {
        let given = link.as_str().unwrap_or_default().to_owned();
        let (name, rest) = given.split_once(':').map_or((&*given, None), |(name, rest)| (name, Some(rest)));
        let id = &ask.own(Kind::Container, name.trim_start_matches('/'))?.id;
        *link = rest.map_or_else(|| id.clone(), |rest| format!("{id}:{rest}")).into();
    }
    Ok(())
}

/// Checks the network of `NetworkMode` and those of `EndpointsConfig`, and replaces their names by full ids.
fn networks(ask: &Ask, body: &mut Value, notes: &mut Vec<String>) -> Result<(), Stop> {
    let names = Wanted::of_container(&body["Labels"], text(body, "Hostname"), text(body, "Domainname"));
    let mode = text(&body["HostConfig"], "NetworkMode").to_owned();
    let main = match mode.as_str() {
        "" | "default" | "bridge" | "none" => None,
        "host" => return Err(host_network(&mode).into()),
        joined if joined.starts_with("container:") => return Err(host_network(&mode).into()),
        network => Some(ask.network(Kind::Network, network)?),
    };
    names::addresses(ask, main, body)?;
    if let Some(main) = main {
        names::check(ask, main, &names, notes)?;
        body["HostConfig"]["NetworkMode"] = main.id.clone().into();
    }
    let Some(endpoints) = body["NetworkingConfig"]["EndpointsConfig"].as_object_mut() else { return Ok(()) };
    let mut resolved = Map::new();
    for (name, mut endpoint) in std::mem::take(endpoints) {
        let key = if ["default", "bridge", "none"].contains(&name.as_str()) {
            endpoint_of(ask, &mut endpoint, None, &names, notes)?;
            name
        } else {
            let network = ask.network(Kind::Network, &name)?;
            endpoint_of(ask, &mut endpoint, Some(network), &names, notes)?;
            // The engine looks up the endpoint of `NetworkMode` by that value, now an id, and the others by
            // name.
            let is_main = main.is_some_and(|main| main.id == network.id);
            if is_main { network.id.clone() } else { network.name.clone() }
        };
        resolved.insert(key, endpoint);
    }
    *endpoints = resolved;
    Ok(())
}

/// Checks a container's endpoint on a network; `None` stands for the engine's own bridge. The engine takes the network that
/// `NetworkID` names, whatever the request's path says.
pub fn endpoint_of(
    ask: &Ask,
    endpoint: &mut Value,
    network: Option<&Object>,
    names: &Wanted,
    notes: &mut Vec<String>,
) -> Result<(), Stop> {
    if !endpoint.is_object() {
        return Ok(());
    }
    if let Some(list) = endpoint.get_mut("Links") {
        links(ask, list)?;
    }
    let (mut network, id) = (network, text(endpoint, "NetworkID"));
    if !id.is_empty() {
        let asked = ask.network(Kind::Network, id)?;
        if network.is_some_and(|network| network.id != asked.id) {
            return Err(Refusal::new(
                "network",
                format!("NetworkID of '{}' for another network", asked.name),
            )
            .remedy("leave NetworkID out")
            .into());
        }
        network = Some(asked);
        endpoint["NetworkID"] = asked.id.clone().into();
    }
    names::addresses(ask, network, endpoint)?;
    if let Some(network) = network {
        let all = names.and(&endpoint["Aliases"]).and(&endpoint["DNSNames"]);
        names::check(ask, network, &all, notes)?;
    }
    Ok(())
}

fn host_network(mode: &str) -> Refusal {
    Refusal::new("host namespace", format!("HostConfig.NetworkMode '{mode}'"))
        .remedy("join a network of your own")
}

pub fn start(ask: &Ask) -> Decision {
    Ok(Forward { starts: true, ..act(ask)? })
}

/// Stop, kill and other calls that act on one container.
pub fn act(ask: &Ask) -> Decision {
    ask.for_own(Kind::Container)
}

pub fn attach(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Hijack, ..ask.for_own(Kind::Container)? })
}

/// Copies files into a container.
pub fn put(ask: &Ask) -> Decision {
    Ok(Forward { body: Outgoing::Archive, ..ask.for_own(Kind::Container)? })
}

/// Renames a container. docker-compose renames one that it replaces to `<12 digits of its id>_<name>`, so such a
/// prefix is allowed.
pub fn rename(ask: &Ask) -> Decision {
    let name = ask.head.get("name").unwrap_or_default().trim_start_matches('/');
    let aside = name.split_once('_').filter(|(id, _)| {
        id.len() == 12 && id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    });
    ask.policy.name("container", aside.map_or(name, |(_, name)| name))?;
    ask.for_own(Kind::Container)
}

/// Removes a container. With `link` the call would remove a link, which may lead to a container of others, instead.
pub fn delete(ask: &Ask) -> Decision {
    const NO: [&str; 5] = ["", "0", "no", "false", "none"];
    let link = ask.head.get("link").unwrap_or_default().trim().to_ascii_lowercase();
    if !NO.contains(&link.as_str()) {
        return Err(Refusal::new("query", "link").remedy("remove the container itself, not a link").into());
    }
    ask.for_own(Kind::Container)
}

pub fn update(ask: &Ask) -> Decision {
    let body = ask.body(&container::UPDATE)?;
    Ok(ask.for_own(Kind::Container)?.json(body))
}
