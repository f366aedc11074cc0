//! The engines of the swarm's nodes: volumes and containers are known only to their own node, not to a manager.

use lib_common::cli::EngineArg;
use lib_common::diag::Diag;
use lib_common::docker::{ApiResult, Engine};
use serde_json::Value;

use crate::cli::NodesArg;

/// The nodes that answered.
#[derive(Default)]
pub struct Nodes(Vec<(Engine, String)>);

impl Nodes {
    /// Connects to every node that was named; one that is away is only named.
    pub async fn connect(arg: &NodesArg, engine: &EngineArg, diag: &Diag) -> Self {
        let mut nodes = Vec::new();
        for url in &arg.nodes {
            let one = EngineArg { host: Some(url.clone()), ..engine.clone() };
            let info = async {
                let engine = Engine::connect(&one).await?;
                let info = engine.get("/info").await.map_err(|e| e.into_error("asking a node", url))?;
                Ok::<_, lib_common::Error>((engine, info))
            };
            match info.await {
                Ok((engine, info)) => {
                    nodes.push((engine, info["Swarm"]["NodeID"].as_str().unwrap_or_default().to_owned()));
                }
                Err(error) => diag.warn(format_args!("{error}: its volumes are not seen")),
            }
        }
        Self(nodes)
    }

    /// Whether every node of the swarm is among them; `list` is the answer to `/nodes`.
    pub fn are_all(&self, list: &Value) -> bool {
        let known = |node: &Value| self.0.iter().any(|(_, id)| node["ID"] == id.as_str());
        list.as_array().is_some_and(|list| list.len() == 1 || list.iter().all(known))
    }

    /// The answers of all nodes to one call.
    pub async fn get(&self, path: &str) -> ApiResult<Vec<Value>> {
        let mut all = Vec::new();
        for (engine, _) in &self.0 {
            all.push(engine.get(path).await?);
        }
        Ok(all)
    }
}
