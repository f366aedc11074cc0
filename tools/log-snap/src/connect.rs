//! Finding the engines of the swarm's nodes, and how far their clocks are off.

use std::path::{Path, PathBuf};

use lib_common::cli::EngineArg;
use lib_common::clock::Clock;
use lib_common::docker::Engine;
use lib_common::docker::models::SystemInfo;
use lib_common::swarm::nodes::NodeArg;
use lib_common::{Error, Result};

use crate::bundle::entry;
use crate::node::Node;
use crate::peer::Peer;
use crate::seen::text;

/// The manager and the other nodes that answer, and what is to be said of all nodes.
pub struct Swarm {
    pub peers: Vec<Peer<Engine>>,
    pub nodes: Vec<entry::Node>,
    /// Nodes that were named and do not answer.
    pub gaps: Vec<String>,
}

/// Connects to the manager, which must answer, and to the named nodes, which may be away.
pub async fn connect(arg: &EngineArg, others: &[NodeArg], files: bool, clock: &dyn Clock) -> Result<Swarm> {
    let manager = Engine::connect(arg).await?;
    let before = clock.now().as_millisecond();
    let info = manager.require_manager().await?;
    let skew = skew(&info, before, clock);
    let mut swarm = Swarm { peers: Vec::new(), nodes: Vec::new(), gaps: Vec::new() };
    swarm.add(manager, &info, files, skew);
    for node in others.iter().filter(|node| node.is_given()) {
        let connected = async {
            let engine = node.connect(arg.engine_timeout).await?;
            let before = clock.now().as_millisecond();
            let info = engine.info().await.map_err(|e| e.into_error("asking a node", &node.host))?;
            let skew = self::skew(&info, before, clock);
            Ok::<_, Error>((engine, info, skew))
        };
        match connected.await {
            Ok((engine, info, skew)) => swarm.add(engine, &info, files, skew),
            Err(e) => {
                swarm.gaps.push(format!("node {}: {}", node.name, e.cause()));
                swarm.nodes.push(entry::Node {
                    id: String::new(),
                    name: node.name.clone(),
                    asked: "away".into(),
                    engine: None,
                    clock_skew_ms: None,
                });
            }
        }
    }
    swarm.others().await;
    Ok(swarm)
}

impl Swarm {
    fn add(&mut self, engine: Engine, info: &SystemInfo, files: bool, clock_skew_ms: Option<i64>) {
        let id = info.swarm.as_ref().and_then(|swarm| swarm.node_id.clone()).unwrap_or_default();
        let name = info.name.clone().unwrap_or_default();
        // The list of nodes may well name the manager too.
        if self.peers.iter().any(|peer| peer.id == id) {
            return;
        }
        let root = PathBuf::from(info.docker_root_dir.clone().unwrap_or_default());
        let here = engine.endpoint().is_local() && is_this_machine(info);
        let files = (files && root.join("containers").is_dir()).then(|| root.clone());
        self.nodes.push(entry::Node {
            id: id.clone(),
            name: name.clone(),
            asked: if files.is_some() { "file" } else { "engine" }.into(),
            engine: Some(engine.version().to_owned()),
            clock_skew_ms,
        });
        let pressure = here.then(|| Node::new("/proc", root, &name));
        self.peers.push(Peer { id, name, api: engine, files, pressure });
    }

    /// Nodes that only the manager knows: their tasks are read through it.
    async fn others(&mut self) {
        let answer = self.peers[0].api.get("/nodes").await.unwrap_or_default();
        for row in answer.as_array().into_iter().flatten() {
            let id = text(&row["ID"]);
            if !self.nodes.iter().any(|node| node.id == id) {
                self.nodes.push(entry::Node {
                    id,
                    name: text(&row["Description"]["Hostname"]),
                    asked: "manager".into(),
                    engine: None,
                    clock_skew_ms: None,
                });
            }
        }
    }
}

/// The engine's clock less ours, in the middle of the question that was asked at `before`.
fn skew(info: &SystemInfo, before: i64, clock: &dyn Clock) -> Option<i64> {
    let theirs: jiff::Timestamp = info.system_time.as_ref()?.parse().ok()?;
    Some(theirs.as_millisecond() - i64::midpoint(before, clock.now().as_millisecond()))
}

/// A socket may lead elsewhere (`ssh -L`), so the machine itself is compared.
fn is_this_machine(info: &SystemInfo) -> bool {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<i64>().ok());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    info.mem_total == total.map(|kib| kib * 1024)
        && info.kernel_version.as_deref() == Some(kernel.trim())
        && info.docker_root_dir.as_ref().is_some_and(|root| Path::new(root).is_dir())
}
