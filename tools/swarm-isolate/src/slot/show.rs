//! `swarm-isolate slots`: prints one record for each slot; with `--resize` changes their number.

use lib_common::clock::Clock;
use lib_common::docker::{ApiResult, Engine};
use lib_common::emit::Emitter;
use lib_common::record::slot::{SlotSeen, SlotState};
use lib_common::{Exit, Io, Result};

use super::cli::ShowArgs;
use super::store::Store as _;
use super::{Ask, Board, SlotRead, Slots, Want};
use crate::cli::RunArgs;
use crate::signals::Stop;
use crate::teardown::objects::RUN;

pub async fn slots(
    show: &ShowArgs,
    args: &RunArgs,
    engine: &Engine,
    stop: &Stop,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    let slots = Slots::open(engine, args.slot.slots).await?;
    if let Some(total) = show.resize {
        let ask = Ask {
            want: Want::All,
            attempt: format!("resize to {total}"),
            wait: args.wait,
            ttl: args.slot_ttl,
        };
        if args.dry_run {
            io.diag.note(format_args!("would give the swarm {total} slots"));
        } else {
            let told = |obstacle: &str| io.diag.phase(format_args!("waiting for all slots, {obstacle}"));
            if !slots.resize(total, &ask, stop, told).await? {
                return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
            }
        }
    }
    let board = slots.board().await.map_err(|e| e.into_error("listing the slots", "redfix-slot"))?;
    for record in board.iter().flat_map(|board| records(board, io.clock, |seen| slots.is_dead_here(seen))) {
        io.diag.phase(line(&record));
        emitter.emit(io, &record)?;
    }
    Ok(Exit::Done)
}

/// How many slots the swarm has; none where they were never made. Makes none.
pub async fn on_record(engine: &Engine) -> ApiResult<Option<u32>> {
    Ok(Board::new(engine.list().await?).map(|board| board.total))
}

fn records(board: &Board, clock: &dyn Clock, dead: impl Fn(&SlotRead) -> bool) -> Vec<SlotSeen> {
    let waiter = board.marker.as_ref().and_then(|marker| marker.holding.as_ref());
    let age = |since: &str| {
        let since: jiff::Timestamp = since.parse().ok()?;
        u64::try_from(clock.now().duration_since(since).as_millis()).ok()
    };
    let record = |seen: &SlotRead| {
        let held = seen.holding.clone();
        let Some(held) = held else {
            return SlotSeen { slot: number(seen), total: board.total, ..SlotSeen::default() };
        };
        let whole = waiter.is_some_and(|waiter| waiter.nonce == held.nonce);
        SlotSeen {
            slot: number(seen),
            total: board.total,
            state: SlotState::Held,
            dead: dead(seen),
            age_ms: age(&held.since),
            holder: Some(held.holder),
            boot_id: Some(held.boot_id),
            what_for: Some(held.attempt),
            stacks: held.stacks.into_iter().filter(|entry| !entry.starts_with(RUN)).collect(),
            since: Some(held.since),
            awaited_by: waiter.filter(|_| !whole).map(|waiter| waiter.holder.clone()),
        }
    };
    board.slots.iter().map(record).collect()
}

fn number(seen: &SlotRead) -> u32 {
    match seen.place {
        super::Place::Slot(number) => number,
        super::Place::Exclusive => u32::MAX,
    }
}

/// A line for people, shown with `-v`.
fn line(seen: &SlotSeen) -> String {
    let Some(holder) = &seen.holder else { return format!("slot {} of {}: free", seen.slot, seen.total) };
    let dead = if seen.dead { ", who is dead" } else { "" };
    let minutes = seen.age_ms.unwrap_or_default() / 60_000;
    let stacks = if seen.stacks.is_empty() { "no stacks".into() } else { seen.stacks.join(", ") };
    let what_for = seen.what_for.as_deref().unwrap_or_default();
    format!("slot {} of {}: {holder}{dead} for {what_for}, {minutes} min, {stacks}", seen.slot, seen.total)
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::super::labels::Holding;
    use super::*;
    use lib_common::clock::FixedClock;

    #[test]
    fn who_what_since_and_who_waits() {
        let held = |holder: &str| Holding {
            holder: holder.into(),
            nonce: holder.into(),
            attempt: "A".into(),
            stacks: vec![format!("{RUN}A"), "s".into()],
            since: "1970-01-01T00:00:00.000Z".into(),
            ..Holding::default()
        };
        let seen = |place, holding| SlotRead {
            place,
            config_id: String::new(),
            version: 1,
            total: Some(2),
            holding,
        };
        let clock = FixedClock(jiff::Timestamp::from_second(120).unwrap());
        let slots = vec![seen(Place::Slot(0), Some(held("1@h"))), seen(Place::Slot(1), None)];
        let marker = |holder| Some(seen(Place::Exclusive, Some(held(holder))));
        let board = Board { total: 2, slots, marker: marker("2@h") };
        let all = records(&board, &clock, |_| false);
        assert_eq!(line(&all[0]), "slot 0 of 2: 1@h for A, 2 min, s");
        assert_eq!(all[0].awaited_by.as_deref(), Some("2@h"));
        assert_eq!(line(&all[1]), "slot 1 of 2: free");
        let board = Board { marker: marker("1@h"), ..board };
        let all = records(&board, &clock, |_| true);
        assert_eq!(all[0].awaited_by, None, "it does not wait for itself");
        assert!(line(&all[0]).contains("1@h, who is dead for A"));
    }
}
