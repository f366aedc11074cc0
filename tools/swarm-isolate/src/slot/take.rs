//! Takes one slot, several or all: reads them, takes those that are free or whose holders are dead, waits, reads again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lib_common::clock::{Clock, SystemClock, rfc3339};
use lib_common::docker::{ApiError, ApiResult, Engine};
use lib_common::{Error, Result};
use tokio::time::Instant;

use super::choose::{Board, Step, Want, step};
use super::expiry::Ages;
use super::hold::Slot;
use super::labels::{Holding, Place, SlotRead, labels};
use super::lock::{Lock, Locks, Refusal};
use super::store::Store;
use crate::signals::Stop;

const DOING: &str = "taking a slot";
/// How long another process may need between locking a slot's file and taking the slot, which is one call of the engine.
const MOMENT: Duration = Duration::from_secs(3);

/// The swarm's semaphore.
pub struct Slots<S: Store = Engine> {
    store: S,
    locks: Locks,
    host: String,
}

/// A request for slots.
#[derive(Debug, Clone)]
pub struct Ask {
    pub want: Want,
    /// What the slot is for, as `swarm-isolate slots` shows it.
    pub attempt: String,
    /// Longest wait.
    pub wait: Duration,
    pub ttl: Duration,
}

/// The result of one round.
enum Round {
    Done,
    /// We changed something: read again at once.
    Again,
    Wait(String),
    /// More slots are wanted (the first number) than there are.
    Never(u32, u32),
}

impl Slots {
    /// Finds the slots of this engine's swarm, or makes `asked` of them, else 3. The swarm records the number, and
    /// asking for another one is an error.
    pub async fn open(engine: &Engine, asked: Option<u32>) -> Result<Self> {
        let info = engine.require_manager().await?;
        let swarm = info.swarm.and_then(|swarm| swarm.cluster?.id);
        let slots = Self::new(engine.clone(), Locks::of(swarm.as_deref().unwrap_or("unknown")));
        slots.prepare(asked).await?;
        Ok(slots)
    }
}

impl<S: Store> Slots<S> {
    pub fn new(store: S, locks: Locks) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { store, locks, host: host.trim().to_owned() }
    }

    /// Makes the slots that are missing, and checks their number.
    pub async fn prepare(&self, asked: Option<u32>) -> Result<()> {
        let fail = |e: ApiError| e.into_error("looking for the slots", "redfix-slot");
        let total = match self.board().await.map_err(fail)? {
            Some(board) => board.total,
            None => asked.unwrap_or(super::DEFAULT),
        };
        self.make(total).await.map_err(fail)?;
        // Another process may have made them first, with a number of its own.
        let total = self.board().await.map_err(fail)?.map_or(total, |board| board.total);
        match asked.filter(|asked| *asked != total) {
            None => Ok(()),
            Some(asked) => Err(Error::cannot(DOING, format!("the swarm has {total} slots, not {asked}"))
                .on("--slots")
                .hint(format!(
                    "leave the option out, or change the number for everybody: swarm-isolate slots --resize {asked}"
                ))),
        }
    }

    async fn make(&self, total: u32) -> ApiResult<()> {
        let there: BTreeSet<Place> = self.store.list().await?.into_iter().map(|seen| seen.place).collect();
        for place in (0..total).map(Place::Slot).chain([Place::Exclusive]).filter(|p| !there.contains(p)) {
            // Slot 0 is made first and carries the number, so whoever loses this race reads the winner's number.
            let total = (place == Place::Slot(0)).then_some(total);
            self.store.create(place, &labels(place, total, None)).await?;
        }
        Ok(())
    }

    /// The slots and the marker as they are now; `None` if they were never made.
    pub async fn board(&self) -> ApiResult<Option<Board>> {
        Ok(Board::new(self.store.list().await?))
    }

    /// Whether a slot's holder is known to be dead without waiting: it was a process on this host, and the kernel has
    /// dropped its lock.
    pub fn is_dead_here(&self, seen: &SlotRead) -> bool {
        self.lock_of_dead(seen).is_some()
    }

    fn lock_of_dead(&self, seen: &SlotRead) -> Option<Lock> {
        let held = seen.holding.as_ref()?;
        if held.boot_id != self.locks.boot_id() || held.lock.is_empty() {
            return None;
        }
        // The kernel drops a lock when its holder dies. If we can lock the very file that the holder names, it is dead.
        self.locks.grab(seen.place).ok().filter(|lock| lock.identity == held.lock)
    }

    fn somebody(&self, attempt: &str, ttl: Duration) -> Holding {
        Holding {
            holder: format!("{}@{}", std::process::id(), self.host),
            boot_id: self.locks.boot_id().to_owned(),
            nonce: lib_common::new_id(),
            attempt: attempt.to_owned(),
            since: rfc3339(SystemClock.now()),
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            ..Holding::default()
        }
    }

    /// Takes over the slot of a holder that the caller knows to be dead; `None` if the slot has changed meanwhile. The
    /// dead holder's stacks are in [`Slot::inherited`].
    pub async fn take_over(
        &self,
        seen: &SlotRead,
        attempt: &str,
        ttl: Duration,
    ) -> ApiResult<Option<Slot<S>>> {
        let slot = Slot::new(self.store.clone(), self.somebody(attempt, ttl));
        let lock = self.locks.grab(seen.place).ok();
        Ok(slot.take(seen, lock).await?.then_some(slot))
    }

    /// The slots whose holders are dead. The kernel knows it at once of processes on this host; every other holder is
    /// watched until it renews its slot or its TTL has passed. When a signal asks to stop, returns those known so far.
    pub async fn dead(&self, ttl: Duration, stop: &Stop) -> ApiResult<Vec<SlotRead>> {
        // A holder that renews its slot after the first look is alive; only those that have not done so are waited for.
        let mut first: Option<BTreeMap<Place, u64>> = None;
        let mut ages = Ages::default();
        let wake = self.store.wake();
        loop {
            let Some(board) = self.board().await? else { return Ok(Vec::new()) };
            let held: Vec<&SlotRead> = board.all().filter(|seen| seen.holding.is_some()).collect();
            let versions = || held.iter().map(|seen| (seen.place, seen.version)).collect();
            let first = first.get_or_insert_with(versions);
            let (mut dead, mut doubtful) = (Vec::new(), Duration::ZERO);
            for seen in held {
                let limit = seen.holding.as_ref().map_or(ttl, |held| held.ttl(ttl));
                let still = ages.still_for(seen, Instant::now());
                if self.is_dead_here(seen) || still >= limit {
                    dead.push(seen.clone());
                } else if first.get(&seen.place) == Some(&seen.version) {
                    doubtful = doubtful.max(limit.saturating_sub(still));
                }
            }
            if doubtful.is_zero() || stop.borrow().is_some() {
                return Ok(dead);
            }
            let mut stop = stop.clone();
            tokio::select! {
                () = wake.next(doubtful) => {}
                _ = stop.wait_for(Option::is_some) => {}
            }
        }
    }

    /// Waits until the wanted slots are held. `Ok(None)` when a signal asked to stop. `tell` is called with the obstacle
    /// whenever it has to wait.
    pub async fn take(&self, ask: &Ask, stop: &Stop, mut tell: impl FnMut(&str)) -> Result<Option<Slot<S>>> {
        let until = Instant::now() + ask.wait;
        let mut ages = Ages::default();
        let mut slot = Slot::new(self.store.clone(), self.somebody(&ask.attempt, ask.ttl));
        let mut wake = None;
        loop {
            if slot.hold().borrow().is_lost() {
                // Somebody took over one of our slots while we waited for the rest: begin again.
                self.give_back(slot).await;
                slot = Slot::new(self.store.clone(), self.somebody(&ask.attempt, ask.ttl));
            }
            let obstacle = match self.round(ask, &slot, &mut ages).await {
                Ok(Round::Done) => {
                    if ask.want != Want::All {
                        slot.let_others_in().await;
                    }
                    return Ok(Some(slot));
                }
                Ok(Round::Again) => continue,
                Ok(Round::Wait(holders)) => format!("held by {holders}"),
                Ok(Round::Never(wanted, total)) => {
                    let cause = format!("{wanted} deploys at once, and the swarm has {total} slots");
                    return Err(Error::cannot(DOING, cause).hint(
                        "ask for fewer --neighbours, or add slots with 'swarm-isolate slots --resize N'",
                    ));
                }
                // The engine is away (0) or the swarm has no leader (5xx). Both pass; `ask.wait` bounds the wait.
                Err(e) if e.status == 0 || e.status >= 500 => e.message,
                Err(e) => {
                    self.give_back(slot).await;
                    return Err(e.into_error(DOING, "redfix-slot"));
                }
            };
            tell(&obstacle);
            if Instant::now() >= until {
                self.give_back(slot).await;
                return Err(Error::again(DOING, obstacle).on("redfix-slot").hint("wait longer with --wait"));
            }
            let wake = wake.get_or_insert_with(|| self.store.wake());
            let mut stop = stop.clone();
            let stopped = tokio::select! {
                () = wake.next(until.duration_since(Instant::now())) => false,
                _ = stop.wait_for(Option::is_some) => true,
            };
            if stopped {
                self.give_back(slot).await;
                return Ok(None);
            }
        }
    }

    /// Changes the swarm's number of slots, once all are ours. `false` when a signal asked to stop.
    pub async fn resize(&self, total: u32, ask: &Ask, stop: &Stop, tell: impl FnMut(&str)) -> Result<bool> {
        let fail = |e: ApiError| e.into_error("changing the number of slots", "redfix-slot-0");
        let Some(slot) = self.take(&Ask { want: Want::All, ..ask.clone() }, stop, tell).await? else {
            return Ok(false);
        };
        let outcome = match self.make(total).await {
            Ok(()) => slot.set_total(total).await,
            Err(e) => Err(e),
        };
        slot.release().await?;
        outcome.map(|()| true).map_err(fail)
    }

    /// Releases slots. Errors are ignored: what cannot be released expires.
    async fn give_back(&self, slot: Slot<S>) {
        let _ = slot.release().await;
    }

    async fn round(&self, ask: &Ask, slot: &Slot<S>, ages: &mut Ages) -> ApiResult<Round> {
        let Some(board) = self.board().await? else {
            self.make(super::DEFAULT).await?;
            return Ok(Round::Again);
        };
        if let Want::Some(wanted) = ask.want
            && wanted > board.total
        {
            return Ok(Round::Never(wanted, board.total));
        }
        let nonce = slot.nonce().await;
        let now = Instant::now();
        let mut locks: BTreeMap<Place, Lock> = BTreeMap::new();
        let mut dead = BTreeSet::new();
        for seen in board.all().filter(|seen| !seen.is_held_by(&nonce)) {
            let still = ages.still_for(seen, now);
            let Some(held) = &seen.holding else { continue };
            if let Some(lock) = self.lock_of_dead(seen) {
                locks.insert(seen.place, lock);
                dead.insert(seen.place);
            } else if still >= held.ttl(ask.ttl) {
                dead.insert(seen.place);
            }
        }
        match step(&board, ask.want, &nonce, &dead) {
            Step::Done => {
                slot.note_total(board.total).await;
                Ok(Round::Done)
            }
            Step::Wait(holders) => Ok(Round::Wait(holders)),
            Step::Repair => self.make(board.total).await.map(|()| Round::Again),
            Step::Clear(marker) => {
                self.store.swap(marker, &labels(marker.place, None, None)).await?;
                Ok(Round::Again)
            }
            Step::Take(open) => {
                let mut tried = false;
                for seen in open {
                    let lock = locks.remove(&seen.place).map_or_else(|| self.locks.grab(seen.place), Ok);
                    let fresh = seen.holding.is_none() && ages.still_for(seen, now) < MOMENT;
                    if fresh && lock.as_ref().is_err_and(|refusal| *refusal == Refusal::Busy) {
                        // Another process on this host has the lock and is about to take the slot. If that lasts longer
                        // than a moment, a dead holder's command has inherited the lock, and the slot may be taken.
                        continue;
                    }
                    tried = true;
                    // If this race is lost, somebody else has made progress, so reading again at once is no busy loop.
                    let taken = slot.take(seen, lock.ok()).await?;
                    if taken && ask.want.is_met_by(slot.count().await.0) {
                        break;
                    }
                }
                Ok(if tried { Round::Again } else { Round::Wait("a process that is just taking it".into()) })
            }
        }
    }
}

#[cfg(test)]
mod tests;
