//! Looks up what rules have to know of the node and of all objects together (`world`), on the engine and in the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use lib_common::docker::{ApiError, Engine, filters};
use lib_common::swarm::label::{self, TASK_ID};
use serde_json::Value;

use crate::decision::Kind;
use crate::facts::{Known, Object};
use crate::peer;
use crate::shared::Shared;
use crate::world::{self, Kernel, World};

/// Most containers that do not run and are asked one by one for their ports.
const MOST_STOPPED: usize = 100;

/// One look-up; `reference` names a network for `Kind::Names`, and nothing for others.
pub async fn look_up(shared: &Shared, kind: Kind, reference: &str) -> Result<World, ApiError> {
    let engine = &shared.engine;
    let owner = &shared.policy.owner;
    let mut world = World::default();
    match kind {
        Kind::Node => {
            let info = engine.get("/info").await?;
            info["Swarm"]["NodeID"].as_str().unwrap_or_default().clone_into(&mut world.node);
            world.nodes = info["Swarm"]["Nodes"].as_u64().unwrap_or_default();
        }
        Kind::Names => {
            let services = services(engine).await?;
            let on = format!("/containers/json?all=1&{}", filters(&[("network", reference)]));
            let containers = engine.get(&on).await?;
            let network = engine.get(&format!("/networks/{reference}")).await?;
            let name = network["Name"].as_str().unwrap_or_default();
            world.names = world::names(&services, &containers, &[reference, name], owner);
        }
        Kind::Ports => {
            let services = services(engine).await?;
            let containers = engine.get("/containers/json?all=1").await?;
            let stopped = stopped(engine, &containers, owner).await?;
            let listening = listening(engine).unwrap_or_default();
            let known: Known = shared.state().known.clone();
            let is_known = |port: &world::Port| known.ports.contains(port);
            world.ports = world::ports(&services, &containers, &stopped, &listening, owner, &is_known);
        }
        Kind::Ranges => {
            let networks = engine.get("/networks").await?;
            let nodes = engine.get("/nodes").await.unwrap_or_default();
            match kernel(engine) {
                Ok(kernel) => world.ranges = world::ranges(&networks, &nodes, &kernel),
                Err(e) => world.problem = Some(format!("the node's routes are not known: {e}")),
            }
        }
        _ => {}
    }
    Ok(world)
}

/// All services; an engine that is no manager has none.
async fn services(engine: &Engine) -> Result<Value, ApiError> {
    match engine.get("/services").await {
        Err(e) if e.status == 503 => Ok(Value::Null),
        answer => answer,
    }
}

/// Containers of others that do not run, by the engine's description: its list does not tell their ports.
async fn stopped(engine: &Engine, containers: &Value, owner: &str) -> Result<Vec<Value>, ApiError> {
    let list = containers.as_array().into_iter().flatten();
    let wanted = list.filter(|one| {
        let labels = &one["Labels"];
        one["State"] != "running" && labels[label::RUN] != owner && !labels[TASK_ID].is_string()
    });
    let mut found = Vec::new();
    for container in wanted.take(MOST_STOPPED) {
        let id = container["Id"].as_str().unwrap_or_default();
        match engine.get(&format!("/containers/{id}/json")).await {
            Ok(value) => found.push(value),
            Err(e) if e.is_missing() => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

fn of_engine(engine: &Engine) -> io::Result<i32> {
    let socket = engine.endpoint().socket();
    peer::process(socket.ok_or_else(|| io::Error::other("the engine is not on this machine"))?)
}

fn listening(engine: &Engine) -> io::Result<Vec<(&'static str, String)>> {
    let process = of_engine(engine)?;
    let mut found = Vec::new();
    for (protocol, file) in [("tcp", "tcp"), ("tcp", "tcp6"), ("udp", "udp"), ("udp", "udp6")] {
        // A kernel without IPv6 has no list of it.
        found.push((protocol, fs::read_to_string(format!("/proc/{process}/net/{file}")).unwrap_or_default()));
    }
    Ok(found)
}

fn kernel(engine: &Engine) -> io::Result<Kernel> {
    let process = of_engine(engine)?;
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}"));
    Ok(Kernel {
        fib_trie: read("net/fib_trie")?,
        ipv6_route: read("net/ipv6_route").unwrap_or_default(),
        resolv_conf: read("root/etc/resolv.conf").unwrap_or_default(),
    })
}

/// The paths of the host that containers and services mount.
async fn mounted(engine: &Engine) -> Result<BTreeSet<String>, ApiError> {
    let (containers, services) = (engine.get("/containers/json?all=1").await?, services(engine).await?);
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let of_containers = items(&containers).into_iter().flat_map(|one| items(&one["Mounts"]));
    let of_services = items(&services)
        .into_iter()
        .flat_map(|one| items(&one["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]));
    let sources =
        of_containers.chain(of_services).filter_map(|mount| mount["Source"].as_str().map(ToOwned::to_owned));
    Ok(sources.collect())
}

/// Opens a path of this machine and, where it lies in an allowed folder, has the engine find the same file or folder at a
/// place that nobody else can change. The error is a sentence for the client.
pub async fn path(shared: &Shared, kind: Kind, given: &str) -> Result<Object, String> {
    if shared.stage.is_full() {
        let used = mounted(&shared.engine).await.map_err(|e| e.message)?;
        shared.stage.forget(&used);
    }
    if let Some(known) = shared.stage.given(Path::new(given)) {
        let mount = known.mount.to_string_lossy().into_owned();
        return Ok(Object { id: text(&known.real)?, mount: Some(Ok(mount)), ..Object::default() });
    }
    let folders = &shared.policy.folders;
    let within = (kind == Kind::NewPath).then_some(folders.as_slice());
    let opened = crate::stage::open(Path::new(given), within).map_err(|e| e.to_string())?;
    let id = text(&opened.real)?;
    if !folders.iter().any(|folder| opened.real.starts_with(folder)) {
        return Ok(Object { id, ..Object::default() });
    }
    let mount = match shared.stage.give(&opened) {
        Ok(given) => Ok(given.mount.to_string_lossy().into_owned()),
        Err(e) => Err(format!("the engine cannot be given this very file or folder: {e}")),
    };
    Ok(Object { id, mount: Some(mount), ..Object::default() })
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| "a path that is not UTF-8".to_owned())
}
