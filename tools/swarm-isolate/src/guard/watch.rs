//! Looks at the engine itself, past the guard: which objects of the run come into being?

use std::sync::Arc;
use std::time::Duration;

use lib_common::docker::ApiResult;
use lib_common::swarm::event::{Events, Wanted};
use lib_common::swarm::object;
use serde_json::json;
use tokio::sync::oneshot;

use super::serve::Shared;

/// Follows the engine's events until the runtime ends; `ready` once the engine has begun to tell them.
pub async fn follow(shared: Arc<Shared>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    loop {
        let told = events(&shared, None, ready.take()).await;
        if told.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What there is now, and what the engine still remembers since `started` (seconds since the epoch): events
/// that were on their way when the run ended.
pub async fn last_look(shared: &Shared, started: u64, now: u64) -> ApiResult<()> {
    events(shared, Some((started, now)), None).await?;
    for kind in object::Kind::ALL {
        let answer = shared.engine.get(kind.list_path()).await?;
        let mut state = shared.state();
        let state = &mut *state;
        for object in object::parse(kind, &answer) {
            let labels = json!(object.labels);
            state.sightings.see(&shared.policy, &state.known, kind.into(), &object.id, &object.name, &labels);
        }
    }
    Ok(())
}

async fn events(
    shared: &Shared,
    span: Option<(u64, u64)>,
    ready: Option<oneshot::Sender<()>>,
) -> ApiResult<()> {
    let at = |seconds: u64| i64::try_from(seconds.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
    let (since, until) = span.map(|(since, until)| (at(since), at(until))).unzip();
    let wanted = Wanted { kinds: &object::Kind::ALL, actions: &["create"], since, until };
    let mut events = Events::open(&shared.engine, &wanted).await?;
    if let Some(ready) = ready {
        let _ = ready.send(());
    }
    while let Some(event) = events.next().await? {
        let mut state = shared.state();
        let state = &mut *state;
        state.sightings.event(&shared.policy, &state.known, &event);
    }
    Ok(())
}
