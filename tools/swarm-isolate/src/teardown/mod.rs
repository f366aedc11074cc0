//! Takes stacks away in the order that does not leak addresses, waits until the engine is really empty, and
//! says what is left.
//!
//! Services first, then their containers must be gone, then networks, configs and secrets, then volumes: a
//! private network that goes before its containers makes the task's address on the shared network leak.

pub mod objects;

use std::time::{Duration, Instant};

use lib_common::Result;
use lib_common::docker::{ApiResult, Engine};

use self::objects::{Kind, Object, Snapshot, parse};

/// What became of the stacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub created: Vec<String>,
    pub left: Vec<String>,
    pub took: Duration,
}

/// Everything on the swarm now.
pub async fn snapshot(engine: &Engine) -> Result<Snapshot> {
    look(engine)
        .await
        .map_err(|e| e.into_error("listing what is on the swarm", &engine.endpoint().to_string()))
}

async fn look(engine: &Engine) -> ApiResult<Snapshot> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.extend(parse(kind, &engine.get(kind.list_path()).await?));
    }
    Ok(all.into_iter().collect())
}

/// Removes every object of `stacks`, retrying what is still in use, until nothing is left or `timeout`.
pub async fn tear_down(engine: &Engine, stacks: &[String], timeout: Duration) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome::default();
    // A moment for the swarm to remove containers by itself, as their grace period allows.
    let patience = timeout / 2;
    loop {
        match look(engine).await {
            Ok(now) => {
                let objects: Vec<&Object> = now.of_stacks(stacks).collect();
                outcome.left = objects.iter().map(ToString::to_string).collect();
                note(&mut outcome.created, &outcome.left);
                if objects.is_empty() && no_tasks(engine, stacks).await {
                    break;
                }
                let force = start.elapsed() > patience;
                remove_first_kind(engine, &objects, force).await;
            }
            Err(e) => outcome.left = vec![format!("unknown: {}", e.message)],
        }
        if start.elapsed() >= timeout {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    outcome.took = start.elapsed();
    outcome
}

/// Removes the objects of the first kind that still has any; later kinds wait for it. Containers are the
/// swarm's to stop, until patience ends.
async fn remove_first_kind(engine: &Engine, objects: &[&Object], force: bool) {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| objects.iter().any(|object| object.kind == *kind))
    else {
        return;
    };
    if kind == Kind::Container && !force && objects.iter().any(|object| object.stack.is_some()) {
        return;
    }
    for object in objects.iter().filter(|object| object.kind == kind) {
        // What is still in use answers with an error and is tried again in the next round.
        let _ = engine.delete(&kind.delete_path(&object.id)).await;
    }
}

/// Task records go last, after their containers.
async fn no_tasks(engine: &Engine, stacks: &[String]) -> bool {
    for stack in stacks {
        let label = format!("com.docker.stack.namespace={stack}");
        let path = format!("/tasks?{}", lib_common::docker::filters(&[("label", &label)]));
        if engine.get(&path).await.is_ok_and(|tasks| tasks.as_array().is_some_and(|list| !list.is_empty())) {
            return false;
        }
    }
    true
}

fn note(all: &mut Vec<String>, now: &[String]) {
    for object in now {
        if !all.contains(object) {
            all.push(object.clone());
        }
    }
}

/// Services of others with tasks on their way up that were changed in the last ten minutes: a deploy in
/// flight. What is broken for longer does not block an isolated run for ever.
pub async fn other_deploys(engine: &Engine, stacks: &[String], now: jiff::Timestamp) -> ApiResult<u32> {
    let services = engine.get("/services").await?;
    let tasks = engine.get("/tasks").await?;
    let recent = |at: &serde_json::Value| {
        let at: Option<jiff::Timestamp> = at.as_str().and_then(|text| text.parse().ok());
        at.is_some_and(|at| now.duration_since(at).as_secs() < 600)
    };
    let converging = |service: &&serde_json::Value| {
        recent(&service["UpdatedAt"])
            && tasks.as_array().into_iter().flatten().any(|task| {
                task["ServiceID"] == service["ID"]
                    && task["DesiredState"] == "running"
                    && task["Status"]["State"] != "running"
            })
    };
    let strange = |service: &&serde_json::Value| {
        let found = parse(Kind::Service, &serde_json::json!([service]));
        found.iter().all(|object| !stacks.iter().any(|stack| object.is_of(stack)))
    };
    let list = services.as_array().into_iter().flatten();
    Ok(u32::try_from(list.filter(strange).filter(converging).count()).unwrap_or(u32::MAX))
}
