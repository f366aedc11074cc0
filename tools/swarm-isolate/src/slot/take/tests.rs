//! Tests the semaphore with a store in memory and a paused clock: hours pass in milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::super::hold::Hold;
use super::super::store::fake::Fake;
use super::*;

const TTL: Duration = Duration::from_mins(1);

struct World {
    store: Fake,
    dir: tempfile::TempDir,
    // Kept alive: when the sender is dropped, waiters take it for a request to stop.
    _send: watch::Sender<Option<i32>>,
    stop: Stop,
}

impl World {
    async fn new(total: u32) -> Self {
        let (send, stop) = watch::channel(None);
        let world = Self { store: Fake::default(), dir: tempfile::tempdir().unwrap(), _send: send, stop };
        world.here().prepare(Some(total)).await.unwrap();
        world
    }

    /// A process on this host.
    fn here(&self) -> Slots<Fake> {
        Slots::new(self.store.clone(), Locks::below(self.dir.path(), "swarm"))
    }

    /// A process on another host, which does not see our locks.
    fn elsewhere(&self) -> Slots<Fake> {
        Slots::new(self.store.clone(), Locks::below(std::path::Path::new("/nonexistent"), "swarm"))
    }

    fn held(&self) -> Vec<Place> {
        self.store.now().iter().filter(|seen| seen.holding.is_some()).map(|seen| seen.place).collect()
    }
}

fn ask(want: Want, longest: Duration) -> Ask {
    Ask { want, attempt: "a".into(), wait: longest, ttl: TTL }
}

/// Runs with a paused clock, which jumps ahead whenever all tasks wait.
fn simulate<F: Future>(work: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap().block_on(work)
}

#[test]
fn a_differing_number_is_an_error_with_a_hint() {
    simulate(async {
        let world = World::new(3).await;
        assert_eq!(world.store.now().len(), 4, "three slots and the marker");
        world.here().prepare(Some(3)).await.unwrap();
        world.here().prepare(None).await.unwrap();
        let error = world.here().prepare(Some(2)).await.unwrap_err();
        assert_eq!(error.to_string(), "taking a slot: --slots: the swarm has 3 slots, not 2");
        assert!(error.hint_text().unwrap().contains("slots --resize 2"));
    });
}

#[test]
fn never_more_than_the_number_and_an_exclusive_waiter_is_served_among_many() {
    simulate(async {
        let world = Arc::new(World::new(3).await);
        let [inside, most, exclusives, shared] = [(); 4].map(|()| Arc::new(AtomicU32::new(0)));
        let mut tasks = Vec::new();
        for number in 0..8u64 {
            let (world, inside, most) = (Arc::clone(&world), Arc::clone(&inside), Arc::clone(&most));
            let (exclusives, shared) = (Arc::clone(&exclusives), Arc::clone(&shared));
            tasks.push(tokio::spawn(async move {
                let all = number == 0;
                let many = number == 1;
                let slots = if number % 2 == 0 { world.here() } else { world.elsewhere() };
                let want = if all { Want::All } else { Want::Some(1 + u32::from(many)) };
                for round in 0..20 {
                    let slot = slots.take(&ask(want, TTL * 60), &world.stop, |_| {}).await.unwrap().unwrap();
                    let weight = if all { 3 } else { 1 + u32::from(many) };
                    let now = inside.fetch_add(weight, Ordering::SeqCst) + weight;
                    most.fetch_max(now, Ordering::SeqCst);
                    assert_eq!(slot.count().await, (weight, 3));
                    sleep(Duration::from_millis(700 * (number + 1) + 130 * round)).await;
                    assert!(!slot.hold().borrow().is_lost());
                    inside.fetch_sub(weight, Ordering::SeqCst);
                    slot.release().await.unwrap();
                    (if all { &exclusives } else { &shared }).fetch_add(1, Ordering::SeqCst);
                    if all && exclusives.load(Ordering::SeqCst) == 20 {
                        // The exclusive waiter was served before the crowd had finished.
                        assert!(shared.load(Ordering::SeqCst) < 140, "starved");
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(world.held(), []);
    });
}

#[test]
fn a_dead_holder_of_another_host_expires_and_leaves_its_stacks() {
    simulate(async {
        let world = World::new(1).await;
        let dead = world.elsewhere().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        dead.intend(&["left".into()]).await.unwrap();
        drop(dead);
        let start = Instant::now();
        let heir = world.here().take(&ask(Want::ONE, TTL * 2), &world.stop, |_| {}).await.unwrap().unwrap();
        assert!(start.elapsed() >= TTL, "not before its time: {:?}", start.elapsed());
        let remains = heir.inherited().await;
        assert_eq!(remains.len(), 2);
        assert!(remains[0].starts_with("run=") && remains[1] == "left", "{remains:?}");
        assert!(!heir.intends_nothing().await, "should the heir die too, they are still named");
        assert_eq!(world.store.now()[0].holding.as_ref().unwrap().stacks, remains);
        heir.intend(&[]).await.unwrap();
        heir.release().await.unwrap();
    });
}

#[test]
fn a_dead_holder_of_this_host_is_found_at_once() {
    simulate(async {
        let world = World::new(1).await;
        let dead = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let seen = world.store.now().remove(0);
        assert!(!world.here().is_dead_here(&seen), "alive");
        drop(dead);
        tokio::task::yield_now().await;
        assert!(world.here().is_dead_here(&seen));
        assert!(!world.elsewhere().is_dead_here(&seen), "another host cannot know");
        let start = Instant::now();
        let heir = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        assert!(start.elapsed() < TTL / 6);
        assert!(world.here().take_over(&seen, "reap", TTL).await.unwrap().is_none(), "it changed hands");
        heir.release().await.unwrap();
    });
}

#[test]
fn the_dead_are_told_from_the_living() {
    simulate(async {
        let world = World::new(3).await;
        let mut taken = Vec::new();
        for slots in [world.here(), world.elsewhere(), world.elsewhere()] {
            taken.push(slots.take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap());
        }
        let living = taken.pop().unwrap();
        assert_eq!(world.here().dead(TTL, &world.stop).await.unwrap(), [], "all three beat");
        drop(taken);
        let dead = world.here().dead(TTL, &world.stop).await.unwrap();
        assert_eq!(dead.iter().map(|seen| seen.place).collect::<Vec<_>>(), [Place::Slot(0), Place::Slot(1)]);
        living.release().await.unwrap();
    });
}

#[test]
fn the_holders_promise_counts_not_the_waiters_impatience() {
    simulate(async {
        let world = World::new(1).await;
        let holder =
            world.elsewhere().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let hasty = Ask { ttl: Duration::from_secs(1), ..ask(Want::ONE, TTL * 10) };
        let error = world.here().take(&hasty, &world.stop, |_| {}).await.err().unwrap();
        assert_eq!(error.exit(), lib_common::Exit::Again);
        assert!(error.cause().starts_with("held by "), "{error}");
        assert!(!holder.hold().borrow().is_lost());
        holder.release().await.unwrap();
    });
}

#[test]
fn a_lock_that_somebody_keeps_costs_time_only() {
    simulate(async {
        let world = World::new(1).await;
        // A holder that is stopped keeps its lock, but its heartbeat ends, and that counts.
        let short = Ask { ttl: Duration::from_secs(6), ..ask(Want::ONE, TTL) };
        let sleeper = world.here().take(&short, &world.stop, |_| {}).await.unwrap().unwrap();
        sleeper.sleep_for_ever();
        let start = Instant::now();
        let heir = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        assert!(start.elapsed() >= short.ttl && start.elapsed() < short.ttl * 2, "{:?}", start.elapsed());
        heir.release().await.unwrap();
        // The slot is free again, but its lock is still held.
        let start = Instant::now();
        let heir = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        assert!(start.elapsed() < MOMENT * 2, "{:?}", start.elapsed());
        heir.release().await.unwrap();
    });
}

#[test]
fn a_dead_exclusive_waiter_blocks_newcomers_no_longer_than_its_ttl() {
    simulate(async {
        let world = World::new(2).await;
        let one = world.elsewhere().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        {
            let slots = world.elsewhere();
            let ask = ask(Want::All, TTL * 9);
            let waiting = slots.take(&ask, &world.stop, |_| {});
            // Drop it while it waits, as when the process is killed.
            assert!(timeout(Duration::from_secs(5), waiting).await.is_err());
        }
        assert_eq!(world.held(), [Place::Slot(0), Place::Slot(1), Place::Exclusive]);
        let start = Instant::now();
        let two = world.here().take(&ask(Want::ONE, TTL * 3), &world.stop, |_| {}).await.unwrap().unwrap();
        assert!(start.elapsed() >= TTL && start.elapsed() < TTL * 2, "{:?}", start.elapsed());
        one.release().await.unwrap();
        two.release().await.unwrap();
        assert_eq!(world.held(), []);
    });
}

#[test]
fn a_slot_that_names_stacks_is_never_freed() {
    simulate(async {
        let world = World::new(2).await;
        let slot = world.here().take(&ask(Want::All, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        slot.intend(&["left".into()]).await.unwrap();
        slot.release().await.unwrap();
        assert_eq!(world.held(), [Place::Slot(0)], "all that names nothing is free");
        let heir = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        assert_eq!(heir.inherited().await.last().unwrap(), "left", "the dead one's slot is taken first");
    });
}

#[test]
fn who_stops_waiting_or_waits_in_vain_gives_everything_back() {
    simulate(async {
        let world = World::new(2).await;
        let other = world.elsewhere().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let mut told = String::new();
        let vain = world.here().take(&ask(Want::All, TTL / 10), &world.stop, |why| told = why.into()).await;
        assert_eq!(vain.err().unwrap().exit(), lib_common::Exit::Again);
        assert!(told.contains(" for a"), "{told}");
        assert_eq!(world.held(), [Place::Slot(0)], "its own share and its marker are free again");
        let (send, stop) = watch::channel(None);
        let slots = world.here();
        let ask = ask(Want::All, TTL * 9);
        let waiting = slots.take(&ask, &stop, |_| {});
        let (taken, ()) = tokio::join!(waiting, async {
            sleep(Duration::from_secs(3)).await;
            send.send(Some(2)).unwrap();
        });
        assert!(taken.unwrap().is_none());
        assert_eq!(world.held(), [Place::Slot(0)]);
        other.release().await.unwrap();
    });
}

#[test]
fn an_engine_that_is_away_while_waiting_is_waited_for() {
    simulate(async {
        let world = World::new(1).await;
        let away = Arc::clone(&world.store.away);
        *away.lock().unwrap() = true;
        tokio::spawn(async move {
            sleep(TTL * 4).await;
            *away.lock().unwrap() = false;
        });
        let slot = world.here().take(&ask(Want::ONE, TTL * 9), &world.stop, |_| {}).await.unwrap().unwrap();
        slot.release().await.unwrap();
    });
}

#[test]
fn a_holder_whose_heartbeat_fails_knows_before_anybody_takes_over() {
    simulate(async {
        let world = World::new(1).await;
        let slot = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let mut hold = slot.hold();
        sleep(TTL * 5).await;
        assert!(!hold.borrow().is_lost(), "it beats");
        let start = Instant::now();
        *world.store.away.lock().unwrap() = true;
        assert_eq!(*hold.wait_for(Hold::is_lost).await.unwrap(), Hold::NotRenewed);
        assert!(start.elapsed() <= TTL * 2 / 3 + Duration::from_secs(1), "{:?}", start.elapsed());
    });
}

#[test]
fn a_holder_whose_slot_was_taken_over_is_told() {
    simulate(async {
        let world = World::new(1).await;
        let slot = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let seen = world.store.now().remove(0);
        let thief = world.elsewhere().take_over(&seen, "reap", TTL).await.unwrap().unwrap();
        assert_eq!(*slot.hold().wait_for(Hold::is_lost).await.unwrap(), Hold::Taken);
        slot.release().await.unwrap();
        assert_eq!(world.held(), [Place::Slot(0)], "it does not free what is another's");
        thief.release().await.unwrap();
    });
}

#[test]
fn the_number_can_be_changed_while_nothing_runs() {
    simulate(async {
        let world = World::new(3).await;
        world.here().resize(2, &ask(Want::All, TTL), &world.stop, |_| {}).await.unwrap();
        world.here().prepare(Some(2)).await.unwrap();
        world.here().resize(5, &ask(Want::All, TTL), &world.stop, |_| {}).await.unwrap();
        assert_eq!(world.here().board().await.unwrap().unwrap().slots.len(), 5);
        assert_eq!(world.held(), []);
        let busy = world.here().take(&ask(Want::ONE, TTL), &world.stop, |_| {}).await.unwrap().unwrap();
        let error = world.here().resize(1, &ask(Want::All, TTL), &world.stop, |_| {}).await.unwrap_err();
        assert_eq!(error.exit(), lib_common::Exit::Again, "not under a run");
        busy.release().await.unwrap();
    });
}
