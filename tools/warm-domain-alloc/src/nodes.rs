//! Asks the engines of the swarm's other nodes, since a volume or container is known only to its own node.

use lib_common::diag::Diag;
use lib_common::docker::{ApiResult, Engine};
use lib_common::swarm::nodes::{NodeArg, Nodes};
use serde_json::Value;

/// Connects to the nodes that were named; warns of those that do not answer.
pub async fn connect(given: &[NodeArg], manager: &Engine, diag: &Diag) -> Nodes {
    let (nodes, silent) = Nodes::new(manager, "", given).answering().await;
    for (name, e) in silent {
        diag.warn(format_args!("connecting to node {name}: {}: its volumes cannot be seen", e.message));
    }
    nodes
}

/// Whether every node of the swarm is among `nodes`.
pub async fn are_all(nodes: &Nodes) -> ApiResult<bool> {
    let members = nodes.members().await?;
    let mut ids = vec![id_of(&nodes.manager).await?];
    for (_, engine) in nodes.others().await {
        ids.push(id_of(&engine?).await?);
    }
    Ok(members.keys().all(|id| ids.contains(id)))
}

async fn id_of(engine: &Engine) -> ApiResult<String> {
    let info = engine.info().await?;
    Ok(info.swarm.and_then(|swarm| swarm.node_id).unwrap_or_default())
}

/// The answers of all nodes but the manager to one call.
pub async fn get(nodes: &Nodes, path: &str) -> ApiResult<Vec<Value>> {
    let mut all = Vec::new();
    for (_, engine) in nodes.others().await {
        all.push(engine?.get(path).await?);
    }
    Ok(all)
}
