//! The engines of the swarm's nodes: volumes and containers are known only to their own node, not to a manager.

use lib_common::cli::EngineArg;
use lib_common::diag::Diag;
use lib_common::docker::{ApiResult, Endpoint, Engine};
use serde_json::Value;

use crate::cli::NodesArg;

fn node_id(info: &Value) -> String {
    info["Swarm"]["NodeID"].as_str().unwrap_or_default().to_owned()
}

/// The nodes that answered.
#[derive(Default)]
pub struct Nodes {
    others: Vec<(Engine, String)>,
}

impl Nodes {
    /// Connects to every node that was named; one that is away is only named. The manager is asked anyway.
    pub async fn connect(arg: &NodesArg, engine: &EngineArg, manager: &Engine, diag: &Diag) -> Self {
        let mut others = Vec::new();
        let named = |url: &&String| Endpoint::resolve(Some(url)).ok().as_ref() != Some(manager.endpoint());
        for url in arg.nodes.iter().filter(named) {
            let one = EngineArg { host: Some(url.clone()), ..engine.clone() };
            let info = async {
                let engine = Engine::connect(&one).await?;
                let info = engine.get("/info").await.map_err(|e| e.into_error("asking a node", url))?;
                Ok::<_, lib_common::Error>((engine, info))
            };
            match info.await {
                Ok((engine, info)) => others.push((engine, node_id(&info))),
                Err(error) => diag.warn(format_args!("{error}: its volumes are not seen")),
            }
        }
        Self { others }
    }

    /// Whether every node of the swarm is among them; `list` is the manager's answer to `/nodes`, `info` that to `/info`.
    pub fn are_all(&self, list: &Value, info: &Value) -> bool {
        let manager = node_id(info);
        let ids = || self.others.iter().map(|(_, id)| id).chain([&manager]);
        let known = |node: &Value| ids().any(|id| node["ID"] == id.as_str());
        list.as_array().is_some_and(|list| list.len() == 1 || list.iter().all(known))
    }

    /// The answers of all other nodes to one call.
    pub async fn get(&self, path: &str) -> ApiResult<Vec<Value>> {
        let mut all = Vec::new();
        for (engine, _) in &self.others {
            all.push(engine.get(path).await?);
        }
        Ok(all)
    }
}
