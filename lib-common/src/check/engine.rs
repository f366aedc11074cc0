//! What several tools try: the engine.

use bollard::models::SystemInfo;

use super::finding::Finding;
use crate::cli::EngineArg;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::swarm::nodes::NodeArg;

const NAME: &str = "DOCKER_HOST";

/// An engine that manages a swarm.
pub struct Manager {
    pub engine: Engine,
    pub info: SystemInfo,
}

/// Whether an engine answers.
#[must_use]
pub fn answers(arg: &EngineArg) -> Vec<Finding> {
    run(async {
        vec![match Engine::connect(arg).await {
            Ok(engine) => Finding::ok(NAME, format!("{}: engine {}", engine.endpoint(), engine.version())),
            Err(error) => Finding::failed(NAME, &error),
        }]
    })
}

/// Whether the engine answers and manages a swarm; then `more`, with it if it does.
#[must_use]
pub fn manages(arg: &EngineArg, more: impl AsyncFnOnce(Option<Manager>) -> Vec<Finding>) -> Vec<Finding> {
    run(async {
        let (first, manager) = match connect(arg).await {
            Ok(manager) => {
                let said = format!("{}: a swarm manager", manager.engine.endpoint());
                (Finding::ok(NAME, said), Some(manager))
            }
            Err(error) => (Finding::failed(NAME, &error), None),
        };
        let mut found = vec![first];
        found.extend(more(manager).await);
        found
    })
}

/// Whether each of these nodes' engines answers.
pub async fn nodes(name: &str, nodes: &[NodeArg], arg: &EngineArg) -> Vec<Finding> {
    let mut found = Vec::new();
    for node in nodes.iter().filter(|node| node.is_given()) {
        let said = format!("{}={}", node.name, node.host);
        found.push(match node.connect(arg.engine_timeout).await {
            Ok(_) => Finding::ok(name, said),
            Err(error) => Finding::failed(name, &error),
        });
    }
    found
}

async fn connect(arg: &EngineArg) -> Result<Manager> {
    let engine = Engine::connect(arg).await?;
    let info = engine.require_manager().await?;
    Ok(Manager { engine, info })
}

fn run(work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(cause) => vec![Finding::failed(NAME, &Error::cannot("starting", cause))],
    }
}
