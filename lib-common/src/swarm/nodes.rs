//! The swarm's nodes and connections to their engines: a manager's engine does not show the containers and volumes of
//! other nodes.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::cli::EngineArg;
use crate::docker::{ApiError, ApiResult, Endpoint, Engine};
use crate::error::Error;

/// How long another node's engine may take to answer. A node that is down must not hold up everything else.
const PATIENCE: Duration = Duration::from_secs(5);

/// `NAME=HOST`: a node of the swarm, and where its engine listens. An empty text, from an empty environment variable,
/// is accepted and names no node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeArg {
    pub name: String,
    pub host: String,
}

impl FromStr for NodeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        match text.split_once('=') {
            Some((name, host)) if !name.is_empty() && host.contains("://") => {
                Ok(Self { name: name.into(), host: host.into() })
            }
            _ => Err("not of the form NAME=HOST, e.g. n2=tcp://10.0.0.2:2375".into()),
        }
    }
}

impl NodeArg {
    /// Whether it names a node.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.name.is_empty()
    }

    /// Connects to the node's engine; `engine_timeout` is the deadline of calls to the manager.
    pub async fn connect(&self, engine_timeout: Duration) -> Result<Engine, Error> {
        let engine_timeout = engine_timeout.min(PATIENCE);
        Box::pin(Engine::connect(&EngineArg { host: Some(self.host.clone()), engine_timeout })).await
    }

    fn is_of(&self, engine: &Engine) -> bool {
        Endpoint::resolve(Some(&self.host)).is_ok_and(|endpoint| endpoint == *engine.endpoint())
    }
}

/// The manager that we talk to, and the engines of the nodes that the user named.
#[derive(Clone)]
pub struct Nodes {
    pub manager: Engine,
    /// The manager's own node.
    pub name: String,
    others: Arc<Vec<Other>>,
}

struct Other {
    node: NodeArg,
    engine: OnceCell<Engine>,
}

/// A node as the manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub ready: bool,
}

impl Nodes {
    /// `name` is the manager's own node. If `given` has it too, it is left out: its engine needs no second connection.
    #[must_use]
    pub fn new(manager: &Engine, name: &str, given: &[NodeArg]) -> Self {
        let others = given.iter().filter(|node| node.is_given() && node.name != name && !node.is_of(manager));
        let others = others.map(|node| Other { node: node.clone(), engine: OnceCell::new() });
        Self { manager: manager.clone(), name: name.to_owned(), others: Arc::new(others.collect()) }
    }

    /// Leaves out the nodes that do not answer now, and returns their errors by name.
    pub async fn answering(self) -> (Self, BTreeMap<String, ApiError>) {
        let (mut others, mut silent) = (Vec::new(), BTreeMap::new());
        for other in self.others.iter() {
            match other.connected(&self.manager).await {
                Ok(engine) => {
                    let engine = OnceCell::new_with(Some(engine));
                    others.push(Other { node: other.node.clone(), engine });
                }
                Err(e) => drop(silent.insert(other.node.name.clone(), e)),
            }
        }
        (Self { others: Arc::new(others), ..self }, silent)
    }

    /// Names of the nodes whose engines can be asked.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.others.iter().map(|other| other.node.name.as_str()))
    }

    /// The other nodes with their engines, or the error of connecting.
    pub async fn others(&self) -> Vec<(String, ApiResult<Engine>)> {
        let mut found = Vec::new();
        for other in self.others.iter() {
            found.push((other.node.name.clone(), other.connected(&self.manager).await));
        }
        found
    }

    /// The engine of an object's node; `None` stands for the manager's own.
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
        let member = |node: &Value| {
            let name = node["Description"]["Hostname"].as_str().unwrap_or_default().to_owned();
            let ready = node["Status"]["State"] == "ready";
            Some((node["ID"].as_str()?.to_owned(), Member { name, ready }))
        };
        Ok(list.as_array().into_iter().flatten().filter_map(member).collect())
    }
}

impl Other {
    /// The node's engine. If it cannot be reached, the next call tries again.
    async fn connected(&self, manager: &Engine) -> ApiResult<Engine> {
        let engine = self.engine.get_or_try_init(|| self.node.connect(manager.timeout())).await;
        engine.cloned().map_err(|e| ApiError { status: 0, message: e.cause().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_as_the_engine_script_prints_them() {
        let given: NodeArg = "n2=unix:///run/x/n2/docker.sock".parse().unwrap();
        assert_eq!((given.name.as_str(), given.host.as_str()), ("n2", "unix:///run/x/n2/docker.sock"));
        assert_eq!(" ".parse(), Ok(NodeArg::default()));
        assert!(given.is_given() && !NodeArg::default().is_given());
        for bad in ["n2", "=unix:///x", "n2=", "n2=host"] {
            assert!(bad.parse::<NodeArg>().is_err(), "{bad}");
        }
    }
}
