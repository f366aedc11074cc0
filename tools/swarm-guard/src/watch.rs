//! Watches the engine directly, for objects that look like the owner's but did not come through the guard.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lib_common::docker::ApiResult;
use lib_common::record::guard::GuardFinished;
use lib_common::swarm::event::{Events, Wanted};
use lib_common::swarm::{label, object};
use lib_common::{Error, Result};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bypass::{self, Seen, Verdict};
use crate::decision::Kind;
use crate::shared::Shared;

/// A watch in progress; [`conclude`] ends it.
pub struct Watch {
    /// When it began, in seconds since the epoch.
    since: u64,
    following: JoinHandle<()>,
}

/// Returns once the engine's event stream is open and all existing objects are noted.
pub async fn begin(shared: &Arc<Shared>) -> Result<Watch> {
    let (doing, object) = ("starting the guard", shared.engine.endpoint().to_string());
    let since = epoch();
    let (ready, is_ready) = oneshot::channel();
    let following = tokio::spawn(follow(Arc::clone(shared), ready));
    let watch = Watch { since, following };
    let told = tokio::time::timeout(shared.engine.timeout(), is_ready).await;
    if !matches!(told, Ok(Ok(()))) {
        return Err(Error::again(doing, "the engine does not open its event stream").on(object));
    }
    look(shared, false).await.map_err(|e| e.into_error(doing, &object))?;
    shared.state().sightings.begin();
    Ok(watch)
}

/// Waits until creations in progress are answered, then looks once more for what went around the guard.
pub async fn conclude(shared: &Shared, watch: Watch) -> GuardFinished {
    // Calls that create something hold this lock until the guard knows the new object's id. Wait for them, or their
    // objects would count as unseen.
    let settled = tokio::time::timeout(shared.engine.timeout(), shared.creating.write()).await.is_ok();
    let looked = last_look(shared, watch.since, epoch() + 1).await;
    watch.following.abort();
    let unproved = match looked {
        Ok(()) if settled => None,
        Ok(()) => Some(
            "the engine has not answered every call of the owner, so what those created is not known"
                .to_owned(),
        ),
        Err(e) => Some(format!("it is not known whether anything went around the guard: {}", e.message)),
    };
    let state = shared.state();
    let Verdict { unseen, beside } = state.sightings.judge(&shared.policy, &state.known);
    GuardFinished {
        owner: shared.policy.owner.clone(),
        requests: state.requests,
        refused: state.refused,
        unseen,
        beside,
        unproved,
    }
}

/// Follows the engine's events, reconnecting when the stream breaks; signals `ready` when it is open.
async fn follow(shared: Arc<Shared>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    loop {
        let told = events(&shared, None, ready.take()).await;
        if told.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Reads the events between the two times (seconds since the epoch) again, since some may not have arrived yet when
/// the guard ended, and then the objects that exist now.
async fn last_look(shared: &Shared, since: u64, until: u64) -> ApiResult<()> {
    // The stream may have missed events while it was reconnecting, so read all of them again.
    events(shared, Some((since, until)), None).await?;
    look(shared, true).await
}

/// Takes in every object that exists, and the specs of services: those from before the guard `began` are as they should be.
async fn look(shared: &Shared, began: bool) -> ApiResult<()> {
    for kind in object::Kind::ALL {
        let answer = shared.engine.get(kind.list_path()).await?;
        let mut state = shared.state();
        let state = &mut *state;
        for object in object::parse(kind, &answer) {
            let labels = json!(object.labels);
            let listed = answer.as_array().into_iter().flatten().find(|one| one["Id"] == object.id.as_str());
            let image = listed.and_then(|one| one["Image"].as_str()).unwrap_or_default();
            let (id, name) = (object.id.as_str(), object.name.as_str());
            state.sightings.see(
                &shared.policy,
                &state.known,
                &Seen { kind: kind.into(), id, name, labels: &labels, image },
            );
        }
        for service in answer.as_array().into_iter().flatten().filter(|_| kind == object::Kind::Service) {
            let id = service["ID"].as_str().unwrap_or_default();
            if began && state.known.has(Kind::Service, id) {
                state.sightings.spec(service);
            } else if !began && service["Spec"]["Labels"][label::RUN] == shared.policy.owner.as_str() {
                for spec in [&service["Spec"], &service["PreviousSpec"]] {
                    state.known.spec(id, spec);
                }
            }
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
    let wanted = Wanted { kinds: &object::Kind::ALL, actions: &bypass::ACTIONS, since, until };
    let mut events = Events::open(&shared.engine, &wanted).await?;
    if let Some(ready) = ready {
        let _ = ready.send(());
    }
    while let Some(event) = events.next().await? {
        let health = shared.state().sightings.wants_health(&event);
        if let Some(id) = health {
            let described = shared.engine.get(&format!("/containers/{id}/json")).await.ok();
            shared.state().sightings.health(id, described.as_ref());
        }
        if event["Type"] == "service" && event["Action"] == "update" {
            let id = event["Actor"]["ID"].as_str().unwrap_or_default();
            // One that is gone already says nothing.
            if let Ok(service) = shared.engine.get(&format!("/services/{id}")).await {
                shared.state().sightings.spec(&service);
            }
        }
        let mut state = shared.state();
        let state = &mut *state;
        state.sightings.event(&shared.policy, &state.known, &event);
    }
    Ok(())
}

fn epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
