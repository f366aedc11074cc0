//! Wakes a waiter when a config object changes on the swarm. This is a hint only: waiters also poll.

use std::sync::Arc;
use std::time::Duration;

use lib_common::docker::Engine;
use lib_common::swarm::event::{Events, Wanted};
use lib_common::swarm::object::Kind;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Longest time between two polls, in case an event is missed.
const POLL: Duration = Duration::from_secs(1);

/// A waiter's wake-up. It listens until it is dropped.
pub struct Wake {
    notify: Arc<Notify>,
    listener: Option<JoinHandle<()>>,
}

impl Wake {
    /// Never hears an event, so waiters only poll.
    pub fn never() -> Self {
        Self { notify: Arc::default(), listener: None }
    }

    pub fn on_config_events(engine: Engine) -> Self {
        let notify = Arc::<Notify>::default();
        let listener = tokio::spawn(listen(engine, Arc::clone(&notify)));
        Self { notify, listener: Some(listener) }
    }

    /// Returns after an event, when the next poll is due, or after `at_most`.
    pub async fn next(&self, at_most: Duration) {
        // Without jitter many waiters would poll at the same time; the process id spreads them.
        let jitter = Duration::from_millis(u64::from(std::process::id() % 128));
        let _ = tokio::time::timeout(at_most.min(POLL + jitter), self.notify.notified()).await;
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

async fn listen(engine: Engine, notify: Arc<Notify>) {
    let wanted = Wanted { kinds: &[Kind::Config], ..Wanted::default() };
    loop {
        if let Ok(mut events) = Events::open(&engine, &wanted).await {
            // Something may have changed before the stream began, so have the waiter look now.
            notify.notify_one();
            while let Ok(Some(_)) = events.next().await {
                notify.notify_one();
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
