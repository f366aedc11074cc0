//! The swarm's nodes and their engines: containers and volumes of another node are invisible to the manager.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lib_common::cli::EngineArg;
use lib_common::docker::{ApiError, ApiResult, Engine};
use tokio::sync::OnceCell;

use super::cli::NodeArg;

/// Another node that does not answer by then is called silent; the run does not hang on it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The manager that we talk to, and the engines of the nodes that the user named.
#[derive(Clone)]
pub struct Nodes {
    pub manager: Engine,
    /// The manager's own node.
    pub name: String,
    others: Arc<Vec<Other>>,
}

struct Other {
    name: String,
    arg: EngineArg,
    engine: OnceCell<Engine>,
}

/// A node as the manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub ready: bool,
}

impl Nodes {
    /// `name`: the manager's own node, whose engine needs no second connection.
    pub fn new(manager: &Engine, name: &str, given: &[NodeArg]) -> Self {
        let engine_timeout = manager.timeout().min(PATIENCE);
        let others = given.iter().filter(|node| !node.name.is_empty() && node.name != name);
        let others = others.map(|node| Other {
            name: node.name.clone(),
            arg: EngineArg { host: Some(node.host.clone()), engine_timeout },
            engine: OnceCell::new(),
        });
        Self { manager: manager.clone(), name: name.to_owned(), others: Arc::new(others.collect()) }
    }

    /// Names of the nodes whose engines can be asked.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.others.iter().map(|other| other.name.as_str()))
    }

    /// The other nodes with their engines, or why there is none.
    pub async fn others(&self) -> Vec<(String, ApiResult<Engine>)> {
        let mut found = Vec::new();
        for other in self.others.iter() {
            let engine = other.engine.get_or_try_init(|| Box::pin(Engine::connect(&other.arg))).await;
            let engine = engine.cloned().map_err(|e| ApiError { status: 0, message: e.cause().to_owned() });
            found.push((other.name.clone(), engine));
        }
        found
    }

    /// The engine that has an object: that of its node.
    pub async fn engine_of(&self, node: Option<&str>) -> ApiResult<Engine> {
        let Some(name) = node else { return Ok(self.manager.clone()) };
        let engine = self.others().await.into_iter().find(|(other, _)| other == name);
        engine.map_or_else(
            || Err(ApiError { status: 0, message: format!("no engine of node {name} was named") }),
            |(_, engine)| engine,
        )
    }

    /// The members of the swarm by id.
    pub async fn members(&self) -> ApiResult<BTreeMap<String, Member>> {
        let list = self.manager.get("/nodes").await?;
        let member = |node: &serde_json::Value| {
            let name = node["Description"]["Hostname"].as_str().unwrap_or_default().to_owned();
            let ready = node["Status"]["State"] == "ready";
            Some((node["ID"].as_str()?.to_owned(), Member { name, ready }))
        };
        Ok(list.as_array().into_iter().flatten().filter_map(member).collect())
    }
}
