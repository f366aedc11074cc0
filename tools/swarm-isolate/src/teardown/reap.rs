//! `swarm-isolate reap`: finishes what dead predecessors began. It tears down what they created, looks again for what
//! could not be proved gone (debts), and writes their records.

use std::path::Path;
use std::time::Duration;

use lib_common::diag::Diag;
use lib_common::docker::{ApiError, Engine};
use lib_common::{Error, Exit, Io, Result};

use super::begun::{self, Begun};
use super::cli::ReapArgs;
use super::objects::Target;
use super::reaper;
use super::remover::Remover;
use super::standing::{self, Why};
use crate::cli::Args;
use crate::signals::{self, Stop};
use crate::slot::{Board, Slots};

const DOING: &str = "reaping";

/// Reaps slots first, then debts, then records, so that the records say that things are gone which are gone by then.
pub async fn run(args: &ReapArgs, tool: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&tool.engine).await?;
    let remover = Remover::new(&engine, &engine.require_manager().await?, &tool.run);
    let held = Slots::open(&engine, tool.run.slot.slots).await?;
    let ledger = tool.ledger.ledger.as_deref();
    if args.dry_run || tool.run.dry_run {
        return dry_run(&remover, &held, ledger, io).await.map(|()| Exit::Done);
    }
    let stop = signals::listen()?;
    Box::pin(slots(&remover, &held, tool.run.slot_ttl, &stop, &io.diag)).await?;
    let paid = debts(&remover, io).await?;
    if let Some(ledger) = ledger {
        records(ledger, io).await?;
    }
    if let Some(signal) = *stop.borrow() {
        return Ok(Exit::Signal(signal));
    }
    if paid { Ok(Exit::Done) } else { Err(unfinished()) }
}

/// Finishes attempts that have no record in the ledger and that nobody works on: they were killed together with their
/// reapers.
pub async fn records(ledger: &Path, io: &mut Io<'_>) -> Result<()> {
    for begun in without_record(ledger, io)? {
        io.diag.warn(format_args!("a dead predecessor left attempt {}: finishing it", begun.attempt()));
        Box::pin(reaper::finish(&begun, io)).await?;
    }
    Ok(())
}

fn without_record(ledger: &Path, io: &Io) -> Result<Vec<Begun>> {
    let mut found = Vec::new();
    for begun in begun::of(ledger) {
        if !reaper::has_record(ledger, begun.attempt(), io)? && begun.take_over().is_some() {
            found.push(begun);
        }
    }
    Ok(found)
}

/// Settles the debts that can be settled now; warns of the others, which stay. Returns whether all are settled.
async fn debts(remover: &Remover, io: &Io<'_>) -> Result<bool> {
    let unpaid = remover.pay(remover.timeout).await.map_err(|e| e.into_error(DOING, "debts"))?;
    for (debt, outcome) in &unpaid {
        io.diag.warn(debt.unpaid(outcome));
    }
    Ok(unpaid.is_empty())
}

/// Tears down what dead holders of slots left, and frees their slots. Living holders are left alone.
async fn slots(remover: &Remover, slots: &Slots, ttl: Duration, stop: &Stop, diag: &Diag) -> Result<()> {
    let fail = |e: ApiError| e.into_error(DOING, "redfix-slot");
    for seen in slots.dead(ttl, stop).await.map_err(fail)? {
        if let Some(slot) = slots.take_over(&seen, "reap", ttl).await.map_err(fail)? {
            remover.inherit(&slot, diag).await?;
            slot.release().await?;
        }
    }
    Ok(())
}

/// Says what would be done.
async fn dry_run(remover: &Remover, slots: &Slots, ledger: Option<&Path>, io: &Io<'_>) -> Result<()> {
    let board = slots.board().await.map_err(|e| e.into_error(DOING, "redfix-slot"))?;
    for seen in board.iter().flat_map(Board::all) {
        let Some(held) = &seen.holding else { continue };
        let stacks = Target::of_remains(&held.stacks).stacks.join(", ");
        let whose = if slots.is_dead_here(seen) { "who is dead" } else { "unless it renews its slot" };
        if !stacks.is_empty() {
            io.diag.note(format_args!("would tear down {stacks} of {}, {whose}", held.holder));
        }
    }
    let owed = standing::list(&remover.nodes.manager, Why::Owed).await;
    for debt in owed.map_err(|e| e.into_error(DOING, "debts"))? {
        io.diag.note(format_args!("would look again for {}: {}", debt.stacks.join(", "), debt.about));
    }
    for begun in ledger.map(|path| without_record(path, io)).transpose()?.unwrap_or_default() {
        io.diag.note(format_args!("would finish attempt {} and record it", begun.attempt()));
    }
    Ok(())
}

/// The error of a reap that could not finish everything.
fn unfinished() -> Error {
    Error::cannot(DOING, "not everything is proved to be gone, see above")
        .hint("name every node of the swarm with --node NAME=HOST; a node that was down must be back")
}
