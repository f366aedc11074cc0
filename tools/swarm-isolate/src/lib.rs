//! Runs a command alone, or under measured load, on the swarm, and leaves nothing behind.
//!
//! One call reads the records there are, then for each run takes one slot or all of them, waits until the node's load is
//! as the run claims, runs the command in a namespace of its own, tears everything down, proves that, and writes the
//! records; until `--runs` or `--until` is satisfied.

mod admitted;
mod attempt;
mod check;
mod clean;
mod cli;
mod command;
mod context;
mod disk;
mod finished;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod load;
mod plan;
mod proc;
mod records;
mod sequence;
mod series;
mod signals;
mod slot;
mod teardown;
mod tell;
mod until;

pub use cli::Args;
#[doc(hidden)] // for fuzzing
pub use command::env::Mapping;
pub use command::launch::called;
#[doc(hidden)] // for fuzzing
pub use records::report::parse as parse_report;

use std::time::Duration;

use jiff::Timestamp;

use cli::Action;
use command::strays;
use command::vocabulary::Vocabulary;
use context::Context;
use finished::End;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::{Error, Exit, Io, Result};
use plan::Subject;
use sequence::{Leases, Turn, Turns, spacing};
use series::Series;
use slot::{Ask, Budget, Gate, ShowArgs};
use teardown::reaper::Reaper;
use teardown::remover::Remover;
use tokio::time::Instant;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    if let Some(Action::Reaper { detached }) = args.action {
        return teardown::reaper::run(detached, io);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(async {
        match &args.action {
            Some(Action::Reap(reap)) => teardown::reap::run(reap, args, io).await,
            Some(Action::Kept(kept)) => teardown::kept::run(kept, args, io).await,
            Some(Action::Slots(show)) => slots(args, show, io).await,
            None if args.run.slot.slot_only.is_some() => slot_only(args, io).await,
            Some(Action::Reaper { .. }) | None => Box::pin(isolate(args, io)).await,
        }
    })
}

/// `slots`: prints the slots; with `--resize` changes how many there are.
async fn slots(args: &Args, show: &ShowArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    slot::show::slots(show, &args.run, &engine, &signals::listen()?, io, &mut emitter).await
}

/// `--slot-only`: takes a slot for a command whose streams are its own; reads and writes no records.
async fn slot_only(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let Some(many) = args.run.slot.slot_only.filter(|_| !args.command.is_empty()) else {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    };
    // Without its arguments, which may hold secrets: everybody on the swarm can read the slot's labels.
    let what_for = args.command[0].clone();
    if args.run.dry_run {
        io.diag.note(format_args!("would run {what_for} in a slot"));
        return Ok(Exit::Done);
    }
    let engine = Engine::connect(&args.engine).await?;
    let remover = Remover::new(&engine, &engine.require_manager().await?, &args.run);
    let stop = signals::listen()?;
    let grace = args.run.command.grace;
    // Nothing is torn down here, so only the command's grace is kept in reserve.
    let budget = Budget::new(args.run.slot.budget, grace, Instant::now());
    let gate = Gate { args: &args.run.slot, diag: &io.diag, clock: io.clock, stop: &stop };
    let wait = budget.cap(args.run.wait, Instant::now());
    let ask = Ask { want: many.into(), attempt: what_for, wait, ttl: args.run.slot_ttl };
    let Some(slot) = attempt::take_slot(&engine, &remover, &gate, &ask).await? else {
        return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
    };
    slot::only::run(&args.command, slot, &budget, grace, &stop).await
}

async fn isolate(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let Some(program) = args.command.first() else {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    };
    let mut series = Series::open(args, io)?;
    series.read(io)?;
    let (subjects, without) = Subject::all(&args.run, &series.seen)?;
    for recipe in without {
        io.diag.warn(format_args!("{recipe} is not run: it has no lease on standard input"));
    }
    if args.run.dry_run {
        tell::plan(args, io, &subjects, &series.seen);
        return Ok(Exit::Done);
    }
    if let Err(cause) = which::which(program) {
        io.diag.error(&Error::cannot("starting the command", cause).on(program));
        return Ok(Exit::Child(command::launch::NOT_FOUND));
    }
    let engine = Engine::connect(&args.engine).await?;
    let info = engine.require_manager().await?;
    let guard = guard::find()?;
    let remover = Remover::new(&engine, &info, &args.run);
    // The reaper detaches before this process adopts orphans; otherwise it would become our child again, and would be
    // killed as a stray.
    let reaper = Reaper::start().await?;
    strays::adopt();
    let stop = signals::listen()?;
    let (investigation, ledger) = (series.investigation(), series.ledger());
    let vocabulary = Vocabulary::of_environment();
    if let Some(ledger) = &ledger {
        // Records of killed attempts go to the ledger only; `catch_up` then copies them from there to the stream.
        let stdout = std::mem::replace(&mut io.stdout, Box::new(std::io::sink()));
        let finished = teardown::reap::records(ledger, io).await;
        io.stdout = stdout;
        finished?;
        series.catch_up(io)?;
    }
    let budget = reserve(args);
    let mut longest = Duration::ZERO;
    let mut leases = Leases::new(engine.endpoint().to_string(), investigation.clone());
    let nodes: Vec<String> =
        args.run.down.nodes.iter().map(|node| node.name.clone()).filter(|n| !n.is_empty()).collect();
    let mut turns = Turns::new(args, subjects, &series.seen);

    while let Some(Turn { subject, factors, not_before }) = series.next(&mut turns).await? {
        if let Some(why) = budget.forbids(longest, Instant::now()) {
            return Err(Error::again("starting another run", why)
                .on("--budget")
                .hint("what is done is on record"));
        }
        if !apart(args, io, &series, not_before, &budget, stop.clone()).await? {
            return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
        }
        let folders: Vec<_> =
            disk::engine_folder(&engine, &info).into_iter().chain([series.base()]).collect();
        disk::check(&folders, args.run.command.min_free)?;
        subject.lease.iter().for_each(|lease| leases.keep(lease));
        let context = Context {
            engine: &engine,
            guard: &guard,
            args: &args.run,
            command: &args.command,
            subject: &subject,
            seen: &series.seen,
            turn: spacing::node(&nodes, series.seen.attempts()),
            investigation: &investigation,
            base: series.base(),
            temporary: !series.keeps_evidence(),
            ledger: ledger.as_deref(),
            remover: &remover,
            reaper: &reaper,
            vocabulary: &vocabulary,
            stop: stop.clone(),
            budget,
            diag: &io.diag,
            clock: io.clock,
        };
        let finished = Box::pin(attempt::run(&context, &factors)).await?;
        let signal = *stop.borrow();
        let Some(finished) = finished else { return Ok(Exit::Signal(signal.unwrap_or_default())) };
        let mut records = records::of(&context, &finished, series.keeps_evidence());
        records.run.notes.extend(leases.notes());
        if !records.run.cleanup.kept.is_empty() {
            subject.lease.iter().for_each(|lease| leases.leave(&lease.lease_id));
        }
        // A dead predecessor's reaper wrote its records before its slot was free, so they are in the ledger now and
        // come before ours.
        series.catch_up(io)?;
        series.write(io, &records, &finished.ran.companion, signal)?;
        tell::run(io, &records.run);
        reaper.end().await;
        teardown::verdict(&records.run)?;
        if let Some(signal) = signal {
            return Ok(Exit::Signal(signal));
        }
        longest = longest.max(finished.ran.took);
        if finished.ran.end == End::Budget {
            return Err(
                Error::again("running the command", "the budget is spent").hint("what is done is on record")
            );
        }
        series.last = Some((records.run.outcome, finished.ran.end));
    }
    series.give_back(io, leases).await?;
    Ok(series.exit())
}

/// The budget, with the time that must be left of it when the command ends.
fn reserve(args: &Args) -> Budget {
    // A companion has half a minute to finish its records, after the command and before the teardown.
    let companion = args.run.companion.as_ref().map_or(Duration::ZERO, |_| Duration::from_secs(30));
    let reserve = args.run.teardown_timeout + args.run.command.grace * 2 + companion;
    Budget::new(args.run.slot.budget, reserve, Instant::now())
}

/// Waits, without holding a slot, until the next run is far enough from those before it. `false` when a signal asked to
/// stop.
async fn apart(
    args: &Args,
    io: &Io<'_>,
    series: &Series<'_>,
    not_before: Option<Timestamp>,
    budget: &Budget,
    mut stop: signals::Stop,
) -> Result<bool> {
    let now = io.clock.now();
    let pause = spacing::wait(args.run.sequence.apart, series.seen.last_start, not_before, now);
    if pause.is_zero() {
        return Ok(true);
    }
    io.diag.phase(format_args!(
        "the next run starts in {} s: an earlier one would add no independent evidence",
        pause.as_secs()
    ));
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(true),
        () = budget.spent() => Err(Error::again("waiting between runs", "the budget is spent")),
        _ = stop.wait_for(Option::is_some) => Ok(false),
    }
}
