//! Slots that are held: one, several, or all of them and the marker. A heartbeat renews them until they are released.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lib_common::Result;
use lib_common::docker::{ApiError, ApiResult, Engine};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::labels::{Holding, Place, SlotRead, labels};
use super::lock::Lock;
use super::store::Store;

/// How often a compare-and-swap that lost a race is tried while the slot is still ours.
const TRIES: usize = 5;

/// One slot, several, or all of them. Give them back with [`Slot::release`]. Slots that are only dropped stay held until
/// somebody takes them over: after the TTL, or at once on this host.
pub struct Slot<S: Store = Engine> {
    inner: Arc<Mutex<Inner<S>>>,
    beat: JoinHandle<()>,
    hold: watch::Receiver<Hold>,
}

/// What became of a slot, as far as its heartbeat knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Ours,
    /// Somebody else has it.
    Taken,
    /// The engine was away for too long to renew it: it may be somebody else's soon.
    NotRenewed,
}

impl Hold {
    #[allow(clippy::trivially_copy_pass_by_ref)] // as `watch::Receiver::wait_for` calls it
    pub fn is_lost(&self) -> bool {
        *self != Self::Ours
    }
}

struct Inner<S> {
    store: S,
    /// What the labels of every slot of ours say, apart from lock and stacks.
    me: Holding,
    held: BTreeMap<Place, Part>,
    /// How many slots the swarm had when ours were taken.
    total: u32,
}

struct Part {
    lock: Option<Lock>,
    stacks: Vec<String>,
}

impl<S: Store> Slot<S> {
    /// Holds no slot yet. `me.nonce` distinguishes this holder from every other.
    pub(super) fn new(store: S, me: Holding) -> Self {
        let ttl = Duration::from_millis(me.ttl_ms);
        let inner = Arc::new(Mutex::new(Inner { store, me, held: BTreeMap::new(), total: 0 }));
        let (tell, hold) = watch::channel(Hold::Ours);
        let beat = tokio::spawn(beat(Arc::clone(&inner), ttl, tell));
        Self { inner, beat, hold }
    }

    pub(super) async fn nonce(&self) -> String {
        self.inner.lock().await.me.nonce.clone()
    }

    /// Takes the slot that was read; `false` if somebody else was faster. Stacks that a dead holder left in it become
    /// ours to tear down.
    pub(super) async fn take(&self, read: &SlotRead, lock: Option<Lock>) -> ApiResult<bool> {
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

    /// Changes when somebody else has taken a slot of ours, or the engine was away for too long.
    pub fn hold(&self) -> watch::Receiver<Hold> {
        self.hold.clone()
    }

    /// Gives the marker back, so that others may take the slots that are left. If that fails the marker is not renewed
    /// any more, and expires.
    pub(super) async fn let_others_in(&self) {
        let mut inner = self.inner.lock().await;
        if inner.held.remove(&Place::Exclusive).is_none() {
            return;
        }
        let Ok(seen) = inner.store.list().await else { return };
        let marker = |seen: &&SlotRead| seen.place == Place::Exclusive && seen.is_held_by(&inner.me.nonce);
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

    /// Stacks of dead holders that came with the slots. Tear them down before anything else.
    pub async fn inherited(&self) -> Vec<String> {
        let inner = self.inner.lock().await;
        inner.held.values().flat_map(|part| part.stacks.clone()).collect()
    }

    /// Records the stacks that are about to be created; an empty list says that everything is torn down.
    pub async fn intend(&self, stacks: &[String]) -> Result<()> {
        let mut inner = self.inner.lock().await;
        for (at, part) in inner.held.values_mut().enumerate() {
            // One slot is enough to remember the stacks.
            part.stacks = if at == 0 { stacks.to_vec() } else { Vec::new() };
        }
        let outcome = inner.renew().await;
        outcome.map_err(|e| e.into_error("recording what will be created", "the slot"))
    }

    /// Whether no slot of ours names a stack that may still exist.
    pub async fn intends_nothing(&self) -> bool {
        self.inner.lock().await.held.values().all(|part| part.stacks.is_empty())
    }

    /// Sets how many slots the swarm has. Only for a holder of all slots.
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

    /// While `on`, children that are started inherit the locks. If we die, the locks stay held as long as the child lives.
    pub async fn inherit_locks(&self, on: bool) {
        for part in self.inner.lock().await.held.values() {
            // Ignore a failure: the slot then outlives us by its TTL only.
            let _ = part.lock.as_ref().is_some_and(|lock| lock.inherit(on));
        }
    }

    /// Stops the heartbeat, as if the process were stopped (SIGSTOP).
    #[cfg(test)]
    pub(super) fn sleep_for_ever(&self) {
        self.beat.abort();
    }

    /// Frees everything that carries our nonce. The marker goes last, so that newcomers and the next who wants all slots
    /// have the same chance. A slot that still names stacks is not freed: it expires, and whoever takes it over tears
    /// the stacks down.
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
        // The heartbeat is a task of its own and would renew a dropped slot for ever.
        self.beat.abort();
    }
}

impl<S: Store> Inner<S> {
    fn says(&self, part: &Part) -> Holding {
        let lock = part.lock.as_ref().map(|lock| lock.identity.clone()).unwrap_or_default();
        Holding { lock, stacks: part.stacks.clone(), ..self.me.clone() }
    }

    /// Writes the labels of everything held again, which changes their version: a sign of life. An error for which
    /// [`ApiError::is_out_of_sequence`] is true means that a slot is somebody else's now.
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

    /// Frees by nonce, not by what we believe to hold: a swap may have succeeded although its answer was lost.
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
                // Drop the lock first, so that whoever sees the slot free can lock it at once.
                drop(self.held.remove(&read.place));
                self.store.swap(&read, &labels(read.place, read.total, None)).await?;
            }
        }
        Err(taken())
    }
}

fn taken() -> ApiError {
    // The words of the engine's own error for a lost compare-and-swap: `is_out_of_sequence` looks for them.
    ApiError { status: 500, message: "update out of sequence: somebody else has the slot now".into() }
}

/// How long the last question may take, whether the slot is still ours.
const LAST: Duration = Duration::from_secs(1);

/// Renews the slots at a third of the TTL, and sooner after a failure. After two thirds without success they count as
/// lost: the last third is left for stopping what runs under them before somebody takes over.
async fn beat<S: Store>(inner: Arc<Mutex<Inner<S>>>, ttl: Duration, tell: watch::Sender<Hold>) {
    let mut last = Instant::now();
    let mut due = last + ttl / 3;
    let outcome = loop {
        tokio::time::sleep_until(due).await;
        let began = Instant::now();
        // Give up well before the TTL is over, so that the command has ended when somebody takes the slot.
        let end = last + ttl * 2 / 3;
        let renewal = async { inner.lock().await.renew().await };
        match tokio::time::timeout_at(end.min(began + ttl / 6), renewal).await {
            Ok(Ok(())) => (last, due) = (began, began + ttl / 3),
            Ok(Err(e)) if e.is_out_of_sequence() => break Hold::Taken,
            // A process that slept comes here without having asked: only the engine knows whose the slot is by now.
            _ if Instant::now() >= end => {
                let renewal = async { inner.lock().await.renew().await };
                match tokio::time::timeout(LAST.min(ttl / 6), renewal).await {
                    Ok(Err(e)) if e.is_out_of_sequence() => break Hold::Taken,
                    _ => break Hold::NotRenewed,
                }
            }
            _ => due = end.min(Instant::now() + ttl / 12),
        }
    };
    let _ = tell.send(outcome);
}
