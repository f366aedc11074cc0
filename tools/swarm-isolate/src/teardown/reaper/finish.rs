//! Finishes an attempt whose process was killed: ends its processes, removes its objects, frees its slot, and writes
//! its record.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lib_common::cli::{Common, EngineArg};
use lib_common::docker::{ApiError, ApiResult, Engine};
use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::record::Known;
use lib_common::record::run::{Evidence, RunFinished};
use lib_common::stream::{Reader, Torn};
use lib_common::swarm::nodes::Nodes;
use lib_common::{Error, Io, Result, evidence};

use super::super::begun::{Begun, Hold};
use super::super::objects::Target;
use super::super::remover::Remover;
use super::super::standing::{self, Why};
use super::super::{Teardown, calls::Calls};
use super::processes;
use crate::command::cgroup;
use crate::proc;
use crate::slot::{Board, Slot, SlotRead, Slots};

/// TTL of a reaper's slot: how long the slot stays held if the reaper is killed, too.
const SLOT_TTL: Duration = Duration::from_mins(1);
const RETRY: Duration = Duration::from_millis(200);
/// How long to wait for the dead process's lock: the kernel closes its files one after the other.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Finishes the attempt. It may be called again: each step finds what is done already.
pub async fn finish(begun: &Begun, io: &mut Io<'_>) -> Result<()> {
    let Some(_hold) = take_over(begun).await else { return Ok(()) };
    if begun.run.boot_id == proc::boot_id() {
        processes::end(begun.attempt(), begun.grace()).await;
        // Kill whatever is still in its control groups, and remove those.
        cgroup::sweep(Some(begun.attempt()));
    }
    let torn = tear_down(begun, io).await;
    let outcome = torn.as_ref().map_or_else(
        |error| Teardown { left: vec![format!("unknown: {error}")], ..Teardown::default() },
        Clone::clone,
    );
    record(begun, &outcome, io)?;
    torn.map(drop)
}

async fn take_over(begun: &Begun) -> Option<Hold> {
    let start = Instant::now();
    loop {
        match begun.take_over() {
            None if start.elapsed() < LOCK_PATIENCE => tokio::time::sleep(RETRY).await,
            hold => return hold,
        }
    }
}

async fn tear_down(begun: &Begun, io: &Io<'_>) -> Result<Teardown> {
    let timeout = Duration::from_millis(begun.teardown_timeout_ms);
    let engine = connect(begun, timeout).await?;
    let fail = |e: ApiError| e.into_error("finishing a killed run", begun.attempt());
    let nodes = Nodes::new(&engine, &begun.run.node, &begun.nodes);
    let remover = Remover { nodes, protect: begun.protect.clone(), timeout, calls: Calls::default() };
    let held = take_over_slots(&engine, begun).await?;
    let mut remains = Target::of_run(begun.attempt(), &begun.stacks);
    for slot in &held {
        // Add stacks that the command named itself: only the slot knows them.
        remains.stacks.extend(Target::of_remains(&slot.inherited().await).stacks);
    }
    remains.stacks.sort();
    remains.stacks.dedup();
    if held.is_empty() && is_kept(&engine, begun).await.map_err(fail)? {
        // The tool was killed after it had registered the stack as kept and freed the slot.
        return Ok(Teardown { kept: begun.stacks.clone(), ..Teardown::default() });
    }
    let outcome = remover.remove_remains(&remains).await.map_err(fail)?;
    if remover.settle(begun.attempt(), &remains.stacks, &outcome).await.map_err(fail)? {
        for slot in &held {
            slot.intend(&[]).await?;
        }
    }
    for slot in held {
        slot.release().await?;
    }
    for left in outcome.left.iter().chain(&outcome.unproved) {
        io.diag.warn(left);
    }
    Ok(outcome)
}

/// Takes over the slots that the dead attempt held, unless somebody else has. Those that name no stacks are freed.
async fn take_over_slots(engine: &Engine, begun: &Begun) -> Result<Vec<Slot>> {
    let fail = |e: ApiError| e.into_error("finishing a killed run", begun.attempt());
    let slots = Slots::open(engine, None).await?;
    let board = slots.board().await.map_err(fail)?;
    let mut held = Vec::new();
    let dead = |seen: &&SlotRead| seen.holding.as_ref().is_some_and(|held| held.attempt == begun.attempt());
    for seen in board.iter().flat_map(Board::all).filter(dead) {
        let what_for = format!("the reaper of {}", begun.attempt());
        let Some(slot) = slots.take_over(seen, &what_for, SLOT_TTL).await.map_err(fail)? else { continue };
        if slot.intends_nothing().await { slot.release().await? } else { held.push(slot) }
    }
    Ok(held)
}

async fn is_kept(engine: &Engine, begun: &Begun) -> ApiResult<bool> {
    Ok(standing::list(engine, Why::Kept).await?.iter().any(|kept| kept.attempt == begun.attempt()))
}

/// Connects to the engine, trying for up to `patience`: it may just be restarting.
async fn connect(begun: &Begun, patience: Duration) -> Result<Engine> {
    let start = Instant::now();
    let arg = EngineArg {
        host: Some(begun.host.clone()),
        engine_timeout: Duration::from_millis(begun.engine_timeout_ms),
    };
    loop {
        match Engine::connect(&arg).await {
            Err(_) if start.elapsed() < patience => tokio::time::sleep(RETRY).await,
            engine => return engine,
        }
    }
}

/// Writes the record that the killed process could not write.
fn record(begun: &Begun, outcome: &Teardown, io: &mut Io) -> Result<()> {
    let Some(path) = &begun.ledger else { return Ok(()) };
    if has_record(path, begun.attempt(), io)? {
        return Ok(());
    }
    let ledger = Ledger::open(path, &io.diag)?;
    let mut run = complete(&begun.run, outcome, io.clock.now());
    let folder = begun.folder.strip_prefix(&begun.base).unwrap_or(&begun.folder);
    run.evidence =
        Some(Evidence { path: folder.display().to_string(), blake3: evidence::root_hash(&begun.folder)? });
    Emitter::new(Some(begun.investigation.clone()), Some(ledger)).emit(io, &run)
}

/// Fills in what is known only at the end. No I/O.
fn complete(run: &RunFinished, outcome: &Teardown, now: Timestamp) -> RunFinished {
    let mut run = run.clone();
    let took = run.started.parse::<Timestamp>().map(|started| now.duration_since(started).as_millis());
    run.duration_ms = took.ok().and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
    run.cleanup.created.clone_from(&outcome.created);
    run.cleanup.left.clone_from(&outcome.left);
    run.cleanup.kept.clone_from(&outcome.kept);
    run.cleanup.unproved.clone_from(&outcome.unproved);
    run.cleanup.duration_ms = u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX);
    run
}

/// Whether the ledger has the attempt's `run.finished`.
pub fn has_record(ledger: &Path, attempt: &str, io: &Io) -> Result<bool> {
    let file = match File::open(ledger) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(|e| Error::cannot("reading the ledger", e).on(ledger.display()))?,
    };
    let common = Common { lenient: true, max_line: 16 << 20, ..Common::default() };
    let mut reader = Reader::new(BufReader::new(file), ledger.display().to_string(), &common, Torn::SetAside);
    while let Some(line) = reader.next_line(&io.diag)? {
        if let Some(Known::RunFinished(run)) = reader.known(&line, &io.diag)?
            && run.attempt_id == attempt
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::super::begun::tests::example;
    use super::*;
    use lib_common::diag::Diag;

    #[test]
    fn the_record_says_how_long_and_what_is_left() {
        let begun = example(Path::new("/x"));
        let outcome = Teardown {
            left: vec!["volume/x x".into()],
            unproved: vec!["node n2 does not answer".into()],
            ..Teardown::default()
        };
        let run = complete(&begun.run, &outcome, "2026-06-17T23:17:03.500Z".parse().unwrap());
        assert_eq!((run.duration_ms, run.outcome), (2500, lib_common::record::run::Outcome::Aborted));
        assert_eq!((run.cleanup.left, run.cleanup.unproved), (outcome.left, outcome.unproved));
    }

    #[test]
    fn a_record_is_written_once_even_if_nothing_could_be_torn_down() {
        let dir = tempfile::tempdir().unwrap();
        let mut begun = example(dir.path());
        begun.ledger = Some(dir.path().join("ledger.jsonl"));
        std::fs::create_dir(&begun.folder).unwrap();
        drop(begun.begin().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let finish = || {
            let mut io = Io {
                stdin: Box::new(std::io::empty()),
                stdin_is_terminal: false,
                stdout: Box::new(std::io::sink()),
                diag: Diag::to_writer("t", Box::new(std::io::sink())),
                clock: &lib_common::clock::SystemClock,
            };
            runtime.block_on(super::finish(&begun, &mut io))
        };
        assert!(finish().is_err() && finish().is_err(), "there is no engine");
        let ledger = std::fs::read_to_string(begun.ledger.as_ref().unwrap()).unwrap();
        assert_eq!(ledger.lines().count(), 1, "{ledger}");
        assert!(ledger.contains("unknown: connecting to the engine"), "{ledger}");
    }
}
