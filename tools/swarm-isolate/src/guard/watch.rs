//! Looks at the engine itself, past the guard: which objects of the run come into being?

use std::sync::Arc;
use std::time::Duration;

use lib_common::docker::{ApiResult, Engine, percent_encode};
use serde_json::Value;
use tokio::sync::oneshot;

use super::serve::Shared;
use super::verdict::Kind;

/// Longest event that is read.
const MAX_EVENT: usize = 1024 * 1024;

const LISTS: [(Kind, &str); 6] = [
    (Kind::Service, "/services"),
    (Kind::Container, "/containers/json?all=1"),
    (Kind::Network, "/networks"),
    (Kind::Volume, "/volumes"),
    (Kind::Config, "/configs"),
    (Kind::Secret, "/secrets"),
];

/// Follows the engine's events until the runtime ends; `ready` once the engine has begun to tell them.
pub async fn follow(shared: Arc<Shared>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    loop {
        let told = events(&shared, "", ready.take()).await;
        if told.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What there is now, and what the engine still remembers since `started` (seconds since the epoch): events
/// that were on their way when the run ended.
pub async fn last_look(shared: &Shared, started: u64, now: u64) -> ApiResult<()> {
    events(shared, &format!("since={started}&until={now}&"), None).await?;
    for (kind, path) in LISTS {
        let answer = shared.engine.get(path).await?;
        let list = if kind == Kind::Volume { &answer["Volumes"] } else { &answer };
        let mut state = shared.state();
        let state = &mut *state;
        for value in list.as_array().into_iter().flatten() {
            let (id, name, labels) = match kind {
                Kind::Container => (&value["Id"], &value["Names"][0], &value["Labels"]),
                Kind::Network => (&value["Id"], &value["Name"], &value["Labels"]),
                Kind::Volume => (&value["Name"], &value["Name"], &value["Labels"]),
                _ => (&value["ID"], &value["Spec"]["Name"], &value["Spec"]["Labels"]),
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().trim_start_matches('/').to_owned();
            state.sightings.see(&shared.policy, &state.known, kind, &text(id), &text(name), labels);
        }
    }
    Ok(())
}

async fn events(shared: &Shared, span: &str, ready: Option<oneshot::Sender<()>>) -> ApiResult<()> {
    let filter =
        r#"{"event":["create"],"type":["container","service","network","volume","config","secret"]}"#;
    let mut stream =
        shared.engine.stream(&format!("/events?{span}filters={}", percent_encode(filter))).await?;
    if let Some(ready) = ready {
        let _ = ready.send(());
    }
    let mut rest: Vec<u8> = Vec::new();
    while let Some(chunk) = Engine::chunk(&mut stream).await? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Ok(event) = serde_json::from_slice::<Value>(&line) {
                let mut state = shared.state();
                let state = &mut *state;
                state.sightings.event(&shared.policy, &state.known, &event);
            }
        }
        if rest.len() > MAX_EVENT {
            rest.clear();
        }
    }
    Ok(())
}
