//! Rules for mounts: the owner's volumes, and paths within allowed folders. Nothing else of the host is mounted.

use std::path::Path;

use serde_json::{Value, json};

use super::volume;
use crate::ask::{Ask, text};
use crate::decision::{Forward, Kind, Stop};
use crate::refusal::Refusal;

/// `HostConfig.Binds`: `SOURCE:TARGET[:MODE]`, a path or the name of a volume.
pub fn binds(ask: &Ask, binds: &mut Value, forward: &mut Forward) -> Result<(), Stop> {
    for bind in binds.as_array_mut().into_iter().flatten() {
        let Some(given) = bind.as_str() else {
            return Err(Refusal::new("body", "HostConfig.Binds holds something other than strings").into());
        };
        let parts: Vec<&str> = given.split(':').collect();
        let (source, rest) = match parts[..] {
            // A target alone asks for an anonymous volume, which belongs to its container.
            [target] if target.starts_with('/') => continue,
            [source, target] => (source, target.to_owned()),
            [source, target, mode] => {
                check_mode(mode)?;
                (source, format!("{target}:{mode}"))
            }
            _ => return Err(Refusal::new("host path", format!("mount {given}")).into()),
        };
        if source.starts_with('/') {
            *bind = format!("{}:{rest}", host_path(ask, Kind::NewPath, source)?).into();
        } else if volume::usable(ask, source)? {
            forward.make_volumes.push(source.to_owned());
        }
    }
    Ok(())
}

/// `Mounts` of a container or of a service's tasks.
pub fn mounts(ask: &Ask, mounts: &mut Value, forward: &mut Forward) -> Result<(), Stop> {
    for mount in mounts.as_array_mut().into_iter().flatten() {
        match text(mount, "Type") {
            "bind" => {
                let make = mount["BindOptions"]["CreateMountpoint"] == true;
                let kind = if make { Kind::NewPath } else { Kind::Path };
                let path = host_path(ask, kind, text(mount, "Source"))?;
                check_mode(text(&mount["BindOptions"], "Propagation"))?;
                mount["Source"] = path.into();
            }
            // The engine takes a mount without a type for a volume.
            "volume" | "" => {
                let name = text(mount, "Source").to_owned();
                if name.is_empty() {
                    forward.nameless_volumes = true;
                } else if volume::usable(ask, &name)? {
                    forward.expect_volumes.push(name);
                }
                if mount["VolumeOptions"].is_null() {
                    mount["VolumeOptions"] = json!({});
                }
                let options = &mut mount["VolumeOptions"];
                let driver = &options["DriverConfig"];
                volume::driver(text(driver, "Name"), &driver["Options"])?;
                ask.stamp(options, "Labels")?;
            }
            "tmpfs" => {}
            other => return Err(Refusal::new("mount", format!("type '{other}'")).into()),
        }
    }
    Ok(())
}

fn check_mode(mode: &str) -> Result<(), Refusal> {
    const MODES: [&str; 11] =
        ["", "ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated", "private", "rprivate"];
    let odd = mode.split(',').find(|word| !MODES.contains(word));
    odd.map_or(Ok(()), |word| Err(Refusal::new("mount", format!("mode '{word}'"))))
}

/// Where the engine finds the very file or folder that was looked at, if that lies within an allowed folder.
fn host_path(ask: &Ask, kind: Kind, path: &str) -> Result<String, Stop> {
    let found = ask.facts.must(kind, path)?;
    let is_allowed = ask.policy.folders.iter().any(|folder| Path::new(&found.id).starts_with(folder));
    let refusal = Refusal::new("host path", path.to_owned());
    match found.mount.as_ref().filter(|_| is_allowed) {
        Some(Ok(mount)) => Ok(mount.clone()),
        Some(Err(problem)) => Err(Refusal::new("host path", format!("{path}: {problem}"))
            .remedy("mount a volume, and copy into it what is needed (docker cp)")
            .into()),
        None => {
            let remedy = match ask.policy.folders.first() {
                Some(folder) => format!("mount a volume, or what lies in {}", folder.display()),
                None => "mount a volume, or allow a folder: --allow path=DIR".into(),
            };
            Err(refusal.remedy(remedy).into())
        }
    }
}

/// Refuses mounts of the host's folders for tasks that may run on another node, where the guard cannot look at them.
pub fn on_this_node(ask: &Ask, mounts: &Value, placement: &Value) -> Result<(), Stop> {
    let binds = mounts.as_array().into_iter().flatten().any(|mount| text(mount, "Type") == "bind");
    if !binds {
        return Ok(());
    }
    let world = ask.facts.world(Kind::Node, "")?;
    let constraints = placement["Constraints"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let is_here = |constraint: &str| {
        constraint
            .split_once("==")
            .is_some_and(|(key, id)| key.trim() == "node.id" && id.trim() == world.node)
    };
    if world.nodes <= 1 || constraints.into_iter().any(is_here) {
        return Ok(());
    }
    Err(Refusal::new("host path", "a folder of the host for tasks on any node")
        .remedy(format!("mount a volume, or have them run on this node: node.id=={}", world.node))
        .into())
}
