//! What is held: one slot or several, or all of them and the marker, kept alive by a heartbeat until released.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lib_common::Result;
use lib_common::docker::{ApiError, ApiResult, Engine};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::labels::{Holding, Place, Seen, labels};
use super::lock::Lock;
use super::store::Store;

/// How often a lost compare-and-swap is tried again while the slot is still ours.
const TRIES: usize = 5;

/// One slot or several, or all of them. Give it back with [`Slot::release`]; one that is dropped is taken over after the
/// TTL, or at once on this host.
pub struct Slot<S: Store = Engine> {
    inner: Arc<Mutex<Inner<S>>>,
    beat: JoinHandle<()>,
    lost: watch::Receiver<bool>,
}

struct Inner<S> {
    store: S,
    /// What every slot of ours says, but for lock and stacks.
    me: Holding,
    held: BTreeMap<Place, Part>,
    /// How many the swarm had when ours were taken.
    total: u32,
}

struct Part {
    lock: Option<Lock>,
    stacks: Vec<String>,
}

impl<S: Store> Slot<S> {
    /// Holds nothing yet. `me.nonce` tells it from every other.
    pub(super) fn new(store: S, me: Holding) -> Self {
        let ttl = Duration::from_millis(me.ttl_ms);
        let inner = Arc::new(Mutex::new(Inner { store, me, held: BTreeMap::new(), total: 0 }));
        let (tell, lost) = watch::channel(false);
        let beat = tokio::spawn(beat(Arc::clone(&inner), ttl, tell));
        Self { inner, beat, lost }
    }

    pub(super) async fn nonce(&self) -> String {
        self.inner.lock().await.me.nonce.clone()
    }

    /// Takes what was read; false: somebody else was faster. What a dead holder left in it is ours now.
    pub(super) async fn take(&self, read: &Seen, lock: Option<Lock>) -> ApiResult<bool> {
        let mut inner = self.inner.lock().await;
        let stacks = read.holding.as_ref().map(Holding::remains).unwrap_or_default();
        let part = Part { lock, stacks };
        let said = inner.says(&part);
        let taken = inner.store.swap(read, &labels(read.place, read.total, Some(&said))).await?;
        if taken {
            inner.held.insert(read.place, part);
        }
        Ok(taken)
    }

    /// Turns true when somebody else took a slot of ours, or the engine was away for too long.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Gives the marker back: what was wanted is had, and others may take what is left. Where that fails it goes
    /// unrenewed, and its time runs out.
    pub(super) async fn let_others_in(&self) {
        let mut inner = self.inner.lock().await;
        if inner.held.remove(&Place::Exclusive).is_none() {
            return;
        }
        let Ok(seen) = inner.store.list().await else { return };
        let marker = |seen: &&Seen| seen.place == Place::Exclusive && seen.is_held_by(&inner.me.nonce);
        if let Some(marker) = seen.iter().find(marker) {
            let _ = inner.store.swap(marker, &labels(marker.place, None, None)).await;
        }
    }

    /// How many slots are held, and how many the swarm has.
    pub async fn count(&self) -> (u32, u32) {
        let inner = self.inner.lock().await;
        let slots = inner.held.keys().filter(|place| **place != Place::Exclusive).count();
        (u32::try_from(slots).unwrap_or(u32::MAX), inner.total)
    }

    pub(super) async fn note_total(&self, total: u32) {
        self.inner.lock().await.total = total;
    }

    /// Stacks of dead holders that came with the slots: tear them down before anything else.
    pub async fn inherited(&self) -> Vec<String> {
        let inner = self.inner.lock().await;
        inner.held.values().flat_map(|part| part.stacks.clone()).collect()
    }

    /// Records the stacks that are about to exist; none: everything is torn down.
    pub async fn intend(&self, stacks: &[String]) -> Result<()> {
        let mut inner = self.inner.lock().await;
        for (at, part) in inner.held.values_mut().enumerate() {
            part.stacks = if at == 0 { stacks.to_vec() } else { Vec::new() };
        }
        let outcome = inner.renew().await;
        outcome.map_err(|e| e.into_error("recording what will be created", "the slot"))
    }

    /// Whether everything that was intended is torn down.
    pub async fn intends_nothing(&self) -> bool {
        self.inner.lock().await.held.values().all(|part| part.stacks.is_empty())
    }

    /// Sets how many slots the swarm has; only for whoever holds them all.
    pub(super) async fn set_total(&self, total: u32) -> ApiResult<()> {
        let inner = self.inner.lock().await;
        for _ in 0..TRIES {
            let seen = inner.store.list().await?;
            let first =
                seen.iter().find(|seen| seen.place == Place::Slot(0) && seen.is_held_by(&inner.me.nonce));
            let Some(first) = first else { return Err(taken()) };
            let said = labels(first.place, Some(total), first.holding.as_ref());
            if inner.store.swap(first, &said).await? {
                return Ok(());
            }
        }
        Err(taken())
    }

    /// While true, a child that is started inherits the locks: should we die, they stay held as long as it lives.
    pub async fn inherit_locks(&self, on: bool) {
        for part in self.inner.lock().await.held.values() {
            // Without it the slot outlives us by its TTL only.
            let _ = part.lock.as_ref().is_some_and(|lock| lock.inherit(on));
        }
    }

    /// As a stopped process does.
    #[cfg(test)]
    pub(super) fn sleep_for_ever(&self) {
        self.beat.abort();
    }

    /// Frees everything that carries our nonce, the marker last, so that newcomers and the next who wants all
    /// start even. A slot that still names stacks stays held, by nobody: who takes it over tears them down.
    pub async fn release(self) -> Result<()> {
        self.beat.abort();
        let mut inner = self.inner.lock().await;
        let outcome = inner.free().await;
        inner.held.clear();
        outcome.map_err(|e| e.into_error("freeing the slot", "redfix-slot"))
    }
}

impl<S> Drop for Slot<S>
where
    S: Store,
{
    fn drop(&mut self) {
        // Without this the beat of a forgotten slot would keep it alive.
        self.beat.abort();
    }
}

impl<S: Store> Inner<S> {
    fn says(&self, part: &Part) -> Holding {
        let lock = part.lock.as_ref().map(|lock| lock.identity.clone()).unwrap_or_default();
        Holding { lock, stacks: part.stacks.clone(), ..self.me.clone() }
    }

    /// Writes the labels of everything held again: a sign of life. An error that
    /// [`ApiError::is_out_of_sequence`] says: it is somebody else's now.
    async fn renew(&self) -> ApiResult<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut due: Vec<Place> = self.held.keys().copied().collect();
        for _ in 0..TRIES {
            let seen = self.store.list().await?;
            let mut missed = Vec::new();
            for place in due {
                let ours = seen.iter().find(|seen| seen.place == place && seen.is_held_by(&self.me.nonce));
                let (Some(read), Some(part)) = (ours, self.held.get(&place)) else { return Err(taken()) };
                if !self.store.swap(read, &labels(place, read.total, Some(&self.says(part)))).await? {
                    missed.push(place);
                }
            }
            if missed.is_empty() {
                return Ok(());
            }
            due = missed;
        }
        Err(taken())
    }

    /// By nonce, not by what we believe to hold: a swap whose answer was lost is given back too.
    async fn free(&mut self) -> ApiResult<()> {
        for _ in 0..TRIES {
            let mut seen = self.store.list().await?;
            seen.retain(|seen| {
                seen.holding
                    .as_ref()
                    .is_some_and(|held| held.nonce == self.me.nonce && held.stacks.is_empty())
            });
            seen.sort_by_key(|seen| seen.place);
            if seen.is_empty() {
                return Ok(());
            }
            for read in seen {
                // The lock goes first: whoever sees the slot free can take it at once.
                drop(self.held.remove(&read.place));
                self.store.swap(&read, &labels(read.place, read.total, None)).await?;
            }
        }
        Err(taken())
    }
}

fn taken() -> ApiError {
    ApiError { status: 500, message: "update out of sequence: the slot is somebody else's now".into() }
}

/// Renews at a third of the TTL; after a failure sooner. At two thirds without success it is lost: the rest
/// of the TTL is for stopping what runs under it.
async fn beat<S: Store>(inner: Arc<Mutex<Inner<S>>>, ttl: Duration, tell: watch::Sender<bool>) {
    let mut last = Instant::now();
    let mut due = last + ttl / 3;
    loop {
        tokio::time::sleep_until(due).await;
        let began = Instant::now();
        let end = last + ttl * 2 / 3;
        let renewal = async { inner.lock().await.renew().await };
        match tokio::time::timeout_at(end.min(began + ttl / 6), renewal).await {
            Ok(Ok(())) => (last, due) = (began, began + ttl / 3),
            Ok(Err(e)) if e.is_out_of_sequence() => break,
            _ if Instant::now() >= end => break,
            _ => due = end.min(Instant::now() + ttl / 12),
        }
    }
    let _ = tell.send(true);
}
