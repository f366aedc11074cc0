//! Rules for services: the service and its tasks are stamped, and nothing of other owners is attached to them.

use serde_json::Value;

use super::names::{self, Wanted};
use super::{image, logging, mounts, ports};
use crate::ask::{Ask, text};
use crate::decision::{Decision, Forward, Kind, Stop};
use crate::refusal::Refusal;
use crate::shape::service::SPEC;

pub fn create(ask: &Ask) -> Decision {
    let (body, forward) = checked(ask, ask.forward())?;
    ask.policy.name("service", text(&body, "Name"))?;
    Ok(Forward { creates: Some(Kind::Service), ..forward.json(body) })
}

pub fn update(ask: &Ask) -> Decision {
    let service = ask.own(Kind::Service, &ask.params[0])?;
    let (body, forward) = checked(ask, ask.forward_to(&service.id))?;
    if text(&body, "Name") != service.name {
        return Err(Refusal::new("namespace", format!("a new name for service '{}'", service.name)).into());
    }
    Ok(Forward { updates: Some(service.id.clone()), ..forward.json(body) })
}

pub fn delete(ask: &Ask) -> Decision {
    ask.for_own(Kind::Service)
}

fn checked(ask: &Ask, mut forward: Forward) -> Result<(Value, Forward), Stop> {
    let mut body = ask.body(&SPEC)?;
    ask.stamp(&mut body, "Labels")?;
    let names = Wanted::of_service(ask, &body);
    networks(ask, &mut body["Networks"], &names, &mut forward.notes)?;
    let wanted = ports::of_service(&body["EndpointSpec"]["Ports"])?;
    ports::check(ask, &wanted)?;
    forward.ports = wanted;
    let task = &mut body["TaskTemplate"];
    let runtime = text(task, "Runtime");
    if !["", "container"].contains(&runtime) {
        return Err(Refusal::new("plugin", format!("runtime '{runtime}'")).into());
    }
    networks(ask, &mut task["Networks"], &names, &mut forward.notes)?;
    logging::check(ask, &task["LogDriver"], "Name", "Options")?;
    mounts::on_this_node(ask, &task["ContainerSpec"]["Mounts"], &task["Placement"])?;
    let container = &mut task["ContainerSpec"];
    if !container.is_object() {
        return Err(Refusal::new("body", "TaskTemplate.ContainerSpec is no object").into());
    }
    ask.stamp(container, "Labels")?;
    image::of_tasks(ask, container)?;
    super::container::killable(&container["OomScoreAdj"])?;
    mounts::mounts(ask, &mut container["Mounts"], &mut forward)?;
    references(ask, &mut container["Secrets"], Kind::Secret, "SecretID", "SecretName")?;
    references(ask, &mut container["Configs"], Kind::Config, "ConfigID", "ConfigName")?;
    Ok((body, forward))
}

fn networks(ask: &Ask, list: &mut Value, names: &Wanted, notes: &mut Vec<String>) -> Result<(), Stop> {
    for attachment in list.as_array_mut().into_iter().flatten() {
        let network = ask.network(Kind::SwarmNetwork, text(attachment, "Target"))?;
        names::check(ask, network, &names.and(&attachment["Aliases"]), notes)?;
        attachment["Target"] = network.id.clone().into();
    }
    Ok(())
}

/// Checks that referenced secrets or configs are the owner's, and puts their full id and name into the body.
fn references(ask: &Ask, list: &mut Value, kind: Kind, id: &str, name: &str) -> Result<(), Stop> {
    for reference in list.as_array_mut().into_iter().flatten() {
        let object = ask.own(kind, text(reference, id))?;
        reference[id] = object.id.clone().into();
        reference[name] = object.name.clone().into();
    }
    Ok(())
}
