//! Looks at the engine itself, past the guard: which objects of the owner come into being, and are there?

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lib_common::docker::{ApiResult, Engine, percent_encode};
use lib_common::record::guard::GuardFinished;
use lib_common::{Error, Result};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::shared::Shared;
use crate::verdict::Kind;

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

/// A watch that goes on until it is concluded.
pub struct Watch {
    /// Seconds since the epoch.
    since: u64,
    following: JoinHandle<()>,
}

/// Returns once the engine tells its events, and what is there already is known.
pub async fn begin(shared: &Arc<Shared>) -> Result<Watch> {
    let (doing, object) = ("starting the guard", shared.engine.endpoint().to_string());
    let since = epoch();
    let (ready, is_ready) = oneshot::channel();
    let following = tokio::spawn(follow(Arc::clone(shared), ready));
    let watch = Watch { since, following };
    let told = tokio::time::timeout(shared.engine.timeout(), is_ready).await;
    if !matches!(told, Ok(Ok(()))) {
        return Err(Error::again(doing, "the engine does not tell its events").on(object));
    }
    look(shared).await.map_err(|e| e.into_error(doing, &object))?;
    shared.state().sightings.begin();
    Ok(watch)
}

/// Waits for creations on their way, then looks once more for what went around the guard.
pub async fn conclude(shared: &Shared, watch: Watch) -> GuardFinished {
    let settled = tokio::time::timeout(shared.engine.timeout(), shared.creating.write()).await.is_ok();
    let looked = last_look(shared, watch.since, epoch() + 1).await;
    watch.following.abort();
    let unproved = match looked {
        Ok(()) if settled => None,
        Ok(()) => Some("the engine had not answered every call of the owner".to_owned()),
        Err(e) => Some(format!("what went around the guard is not known: {}", e.message)),
    };
    let state = shared.state();
    GuardFinished {
        owner: shared.policy.owner.clone(),
        requests: state.requests,
        refused: state.refused,
        unseen: state.sightings.judge(&shared.policy, &state.known),
        unproved,
    }
}

/// Follows the engine's events; `ready` once the engine has begun to tell them.
async fn follow(shared: Arc<Shared>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    loop {
        let told = events(&shared, "", ready.take()).await;
        if told.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What there is now, and what the engine still remembers between the two (seconds since the epoch): events
/// that were on their way when the guard ended.
async fn last_look(shared: &Shared, since: u64, until: u64) -> ApiResult<()> {
    events(shared, &format!("since={since}&until={until}&"), None).await?;
    look(shared).await
}

/// Every object that there is.
async fn look(shared: &Shared) -> ApiResult<()> {
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

fn epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
