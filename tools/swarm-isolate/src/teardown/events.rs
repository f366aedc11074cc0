//! The engines' events: as wake-ups while a teardown waits, and as the times at which things changed. They
//! may be missed; what counts is always looked up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lib_common::docker::{ApiResult, Engine, percent_encode};
use lib_common::swarm::nodes::Nodes;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::protect::Noted;

/// Only what says that something is gone: health checks make events all the time.
const GONE: &str =
    r#"{"type":["container","network","volume","service","config","secret"],"event":["destroy","remove"]}"#;
/// What may be a change of something protected.
const CHANGED: &str =
    r#"{"type":["container","service"],"event":["update","remove","die","destroy","restart","kill","stop"]}"#;
/// A stream that broke is opened again, in case the engine only restarted.
const REOPEN: Duration = Duration::from_secs(1);
/// The latest events are enough to date a change; memory stays bounded however long a run takes.
const KEPT: usize = 10_000;
/// Longer than any event; a stream without line ends is no event stream.
const LINE: usize = 1 << 20;

/// Wakes when anything went away on any node.
pub struct Wake {
    bell: Arc<Notify>,
    _listeners: Listeners,
}

impl Wake {
    /// Listens from now on: what happens before the first wait is not missed.
    pub async fn on(nodes: &Nodes) -> Self {
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let listeners = Listeners::start(nodes, GONE, move |_| ring.notify_one()).await;
        Self { bell, _listeners: listeners }
    }

    /// Until something went away, at most this long.
    pub async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }
}

/// When things changed, by id, from its start on.
pub struct Timeline {
    heard: Arc<Mutex<Vec<Noted>>>,
    _listeners: Listeners,
}

impl Timeline {
    pub async fn on(nodes: &Nodes) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&heard);
        let listeners = Listeners::start(nodes, CHANGED, move |line| {
            let event: Value = serde_json::from_slice(line).unwrap_or_default();
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

/// One reading task for each node's engine; they end with this.
struct Listeners(Vec<JoinHandle<()>>);

impl Listeners {
    async fn start(nodes: &Nodes, filter: &'static str, on: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        let on = Arc::new(on);
        let others = nodes.others().await.into_iter().filter_map(|(_, engine)| engine.ok());
        let engines = std::iter::once(nodes.manager.clone()).chain(others);
        let tasks = engines.map(|engine| {
            let on = Arc::clone(&on);
            tokio::spawn(async move {
                loop {
                    let _ = listen(&engine, filter, &*on).await;
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

async fn listen(engine: &Engine, filter: &str, on: &(impl Fn(&[u8]) + ?Sized)) -> ApiResult<()> {
    let mut stream = engine.stream(&format!("/events?filters={}", percent_encode(filter))).await?;
    let mut rest = Vec::new();
    while let Some(chunk) = Engine::chunk(&mut stream).await? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            on(&rest[..end]);
            rest.drain(..=end);
        }
        if rest.len() > LINE {
            rest.clear();
        }
    }
    Ok(())
}
