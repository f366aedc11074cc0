//! Uses the engines' events to wake a teardown that waits, and to date changes. Events may be missed, so the state
//! itself is always looked up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lib_common::docker::{ApiResult, Engine};
use lib_common::swarm::event::{Events, Wanted};
use lib_common::swarm::nodes::Nodes;
use lib_common::swarm::object::Kind;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::protect::Noted;

/// The events that something is gone. Others are left out, since health checks make events all the time.
const GONE: Wanted = Wanted { kinds: &Kind::ALL, actions: &["destroy", "remove"], since: None, until: None };
/// The events that may be a change of something protected.
const CHANGED: Wanted = Wanted {
    kinds: &[Kind::Container, Kind::Service],
    actions: &["update", "remove", "die", "destroy", "restart", "kill", "stop"],
    since: None,
    until: None,
};
/// Pause before a broken stream is opened again; the engine may only have restarted.
const REOPEN: Duration = Duration::from_secs(1);
/// Most events that are kept, which bounds memory however long a run takes.
const KEPT: usize = 10_000;

/// Wakes when anything has gone on any node.
pub struct Wake {
    bell: Arc<Notify>,
    _listeners: Listeners,
}

impl Wake {
    /// Listens from now on, so that nothing is missed between now and the first wait.
    pub async fn on(nodes: &Nodes) -> Self {
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let listeners = Listeners::start(nodes, GONE, move |_| ring.notify_one()).await;
        Self { bell, _listeners: listeners }
    }

    /// Waits until something has gone, but not longer than this.
    pub async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }
}

/// The times at which objects changed, since the start of the timeline.
pub struct Timeline {
    heard: Arc<Mutex<Vec<Noted>>>,
    _listeners: Listeners,
}

impl Timeline {
    pub async fn on(nodes: &Nodes) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&heard);
        let listeners = Listeners::start(nodes, CHANGED, move |event| {
            let Some(id) = event["Actor"]["ID"].as_str() else { return };
            let mut heard = note.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() < KEPT {
                heard.push(Noted { at: Instant::now(), id: id.to_owned() });
            }
        });
        Self { heard, _listeners: listeners.await }
    }

    pub fn heard(&self) -> Vec<Noted> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The tasks that read events, one for each node's engine. Dropping this ends them.
struct Listeners(Vec<JoinHandle<()>>);

impl Listeners {
    async fn start(
        nodes: &Nodes,
        wanted: Wanted<'static>,
        on: impl Fn(&Value) + Send + Sync + 'static,
    ) -> Self {
        let on = Arc::new(on);
        let others = nodes.others().await.into_iter().filter_map(|(_, engine)| engine.ok());
        let engines = std::iter::once(nodes.manager.clone()).chain(others);
        let tasks = engines.map(|engine| {
            let on = Arc::clone(&on);
            tokio::spawn(async move {
                loop {
                    let _ = listen(&engine, &wanted, &*on).await;
                    tokio::time::sleep(REOPEN).await;
                }
            })
        });
        Self(tasks.collect())
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(engine: &Engine, wanted: &Wanted<'_>, on: &(impl Fn(&Value) + ?Sized)) -> ApiResult<()> {
    let mut events = Events::open(engine, wanted).await?;
    while let Some(event) = events.next().await? {
        on(&event);
    }
    Ok(())
}
