//! Connects to the engines of the swarm's nodes, and measures how far their clocks are off.

use std::path::{Path, PathBuf};

use lib_common::cli::EngineArg;
use lib_common::clock::Clock;
use lib_common::docker::Engine;
use lib_common::docker::models::SystemInfo;
use lib_common::swarm::nodes::NodeArg;
use lib_common::{Error, Result};

use crate::bundle::entry;
use crate::node::Sampler;
use crate::peer::Peer;
use crate::seen::text;

/// The engines that answer, and the index lines of all nodes.
pub struct Swarm {
    /// The manager first, then the named nodes that answer.
    pub peers: Vec<Peer<Engine>>,
    pub nodes: Vec<entry::Node>,
    /// The named nodes that do not answer, with the cause.
    pub gaps: Vec<String>,
}

/// Connects to the manager and to the named nodes. The manager must answer; a node that does not is a gap.
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
        // `--node` may name the manager too; its containers must not be read twice.
        if self.peers.iter().any(|peer| peer.id == id) {
            return;
        }
        let root = PathBuf::from(info.docker_root_dir.clone().unwrap_or_default());
        let here = engine.endpoint().is_local() && is_this_machine(info);
        // The folder may belong to another engine with the same path. That does no harm: container ids are unique, so
        // `Tail::find` finds only files of this engine.
        let files = (files && root.join("containers").is_dir()).then(|| root.clone());
        self.nodes.push(entry::Node {
            id: id.clone(),
            name: name.clone(),
            asked: if files.is_some() { "file" } else { "engine" }.into(),
            engine: Some(engine.version().to_owned()),
            clock_skew_ms,
        });
        let pressure = here.then(|| Sampler::new("/proc", root, &name));
        self.peers.push(Peer { id, name, api: engine, files, pressure });
    }

    /// Adds the nodes that `--node` does not name. Their logs are read task by task through the manager.
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

/// The engine's clock minus ours, in milliseconds. The engine read its clock some time between `before`, when the
/// request was sent, and now; the middle of the two is the best guess.
fn skew(info: &SystemInfo, before: i64, clock: &dyn Clock) -> Option<i64> {
    let theirs: jiff::Timestamp = info.system_time.as_ref()?.parse().ok()?;
    Some(theirs.as_millisecond() - i64::midpoint(before, clock.now().as_millisecond()))
}

/// Whether the engine runs on this machine. That its socket is local does not prove it: the socket may be forwarded
/// (`ssh -L`). So memory size, kernel version and data folder are compared.
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
