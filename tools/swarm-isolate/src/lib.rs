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

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use cli::{Action, HoldArgs, RunArgs};
use command::children::Children;
use command::strays;
use command::vocabulary::Vocabulary;
use context::{Attempt, Context, Ending, Swarm};
use finished::End;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::{Error, Exit, Io, Result};
use plan::Subject;
use sequence::{Leases, Turns, spacing};
use series::Series;
use slot::{Ask, Budget, Gate, ShowArgs, Want};
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
            Some(Action::Hold(args)) => hold(args, io).await,
            Some(Action::Reap(args)) => teardown::reap::run(args, io).await,
            Some(Action::Kept(args)) => teardown::kept::run(args, io).await,
            Some(Action::Slots(args)) => slots(args, io).await,
            Some(Action::Reaper { .. }) | None => Box::pin(isolate(&args.run, io)).await,
        }
    })
}

/// Prints the slots; may change how many there are.
async fn slots(args: &ShowArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let mut emitter = Emitter::new(args.investigation.id.clone(), None);
    slot::show::slots(args, &engine, &signals::listen()?, io, &mut emitter).await
}

/// A slot for a command whose streams are its own: no records, nothing read.
async fn hold(args: &HoldArgs, io: &mut Io<'_>) -> Result<Exit> {
    // Not its arguments: what stands in the swarm is for everybody to read.
    let what_for = args.program[0].clone();
    if args.dry_run {
        io.diag.note(format_args!("would run {what_for} in a slot"));
        return Ok(Exit::Done);
    }
    let engine = Engine::connect(&args.engine).await?;
    let remover = Remover::new(&engine, &engine.require_manager().await?, &args.down);
    let stop = signals::listen()?;
    let grace = args.grace;
    // There is no teardown of ours to be reserved for.
    let budget = Budget::new(args.slot.budget, grace, Instant::now());
    let gate = Gate { args: &args.slot, diag: &io.diag, clock: io.clock, stop: &stop };
    let want = if args.all { Want::All } else { Want::ONE };
    let patience = budget.cap(args.slot.wait, Instant::now());
    let ask = Ask { want, attempt: what_for, wait: patience, ttl: args.slot.ttl.slot_ttl };
    let Some(slot) = attempt::take_slot(&engine, &remover, &gate, &ask).await? else {
        return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
    };
    slot::only::run(&args.program, slot, &budget, grace, &stop).await
}

/// Writes the records of attempts that were killed. They go to the ledger only; `catch_up` then copies them from there to
/// the stream.
async fn finish_killed(ledger: &Path, io: &mut Io<'_>) -> Result<()> {
    let stdout = std::mem::replace(&mut io.stdout, Box::new(std::io::sink()));
    let finished = teardown::reap::records(ledger, io).await;
    io.stdout = stdout;
    finished
}

async fn isolate(args: &RunArgs, io: &mut Io<'_>) -> Result<Exit> {
    let Some(program) = args.program.first() else {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    };
    let mut series = Series::open(args, io)?;
    series.read(io)?;
    let (subjects, without) = Subject::all(args, &series.seen)?;
    for recipe in without {
        io.diag.warn(format_args!("{recipe} is not run: it has no lease on standard input"));
    }
    if args.dry_run {
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
    let remover = Remover::new(&engine, &info, &args.down);
    // Before this process adopts orphans: the reaper must not become its child again.
    let reaper = Reaper::start().await?;
    strays::adopt();
    let stop = signals::listen()?;
    let (investigation, ledger) = (series.investigation(), series.ledger());
    let vocabulary = Vocabulary::of_environment();
    if let Some(ledger) = &ledger {
        finish_killed(ledger, io).await?;
        series.catch_up(io)?;
    }
    let ending = Ending { budget: reserve(args), stop };
    let swarm = Swarm { engine: &engine, remover: &remover, reaper: &reaper };
    let children = Children {
        command: &args.program,
        companion: args.companion.as_deref(),
        args: &args.command,
        vocabulary: &vocabulary,
        guard: &guard,
        show: io.diag.verbosity() > 0,
    };
    let mut longest = Duration::ZERO;
    let mut leases = Leases::new(engine.endpoint().to_string(), investigation.clone());
    let nodes: Vec<String> =
        args.down.nodes.iter().map(|node| node.name.clone()).filter(|n| !n.is_empty()).collect();
    let mut turns = Turns::new(args, subjects, &series.seen);

    while let Some(turn) = series.next(&mut turns).await? {
        if let Some(why) = ending.budget.forbids(longest, Instant::now()) {
            return Err(Error::again("starting another run", why)
                .on("--budget")
                .hint("what is done is on record"));
        }
        if !apart(args, io, &series, turn.not_before, &ending).await? {
            return Ok(Exit::Signal(ending.stop.borrow().unwrap_or_default()));
        }
        let folders: Vec<_> =
            disk::engine_folder(&engine, &info).into_iter().chain([series.base()]).collect();
        disk::check(&folders, args.command.min_free)?;
        turn.subject.lease.iter().for_each(|lease| leases.keep(lease));
        let context = Context {
            args,
            swarm,
            children,
            ending: &ending,
            ledger: ledger.as_deref(),
            keeps_evidence: series.keeps_evidence(),
            diag: &io.diag,
            clock: io.clock,
        };
        let node = spacing::node(&nodes, series.seen.attempts());
        let attempt = Attempt::plan(args, &investigation, turn, node, series.base())?;
        let finished = Box::pin(attempt::run(&context, attempt, &series.seen.stacks)).await?;
        let signal = *ending.stop.borrow();
        let Some(finished) = finished else { return Ok(Exit::Signal(signal.unwrap_or_default())) };
        let keep = series.keeps_evidence();
        let mut records = records::of(&swarm, &args.load, &vocabulary, &series.seen, &finished, keep);
        records.run.notes.extend(leases.notes());
        if !records.run.cleanup.kept.is_empty() {
            finished.attempt.subject.lease.iter().for_each(|lease| leases.leave(&lease.lease_id));
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

/// What must be left of the budget when the command ends.
fn reserve(args: &RunArgs) -> Budget {
    // A companion has half a minute to finish its records, after the command and before the teardown.
    let companion = args.companion.as_ref().map_or(Duration::ZERO, |_| Duration::from_secs(30));
    let reserve = args.down.teardown_timeout + args.command.grace * 2 + companion;
    Budget::new(args.slot.budget, reserve, Instant::now())
}

/// Waits, without holding a slot, until the next run is far enough from those before it. `false` when a signal asked to
/// stop.
async fn apart(
    args: &RunArgs,
    io: &Io<'_>,
    series: &Series<'_>,
    not_before: Option<Timestamp>,
    ending: &Ending,
) -> Result<bool> {
    let now = io.clock.now();
    let pause = spacing::wait(args.sequence.apart, series.seen.last_start, not_before, now);
    if pause.is_zero() {
        return Ok(true);
    }
    io.diag.phase(format_args!(
        "the next run starts in {} s: an earlier one would add no independent evidence",
        pause.as_secs()
    ));
    let mut stop = ending.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(true),
        () = ending.budget.spent() => Err(Error::again("waiting between runs", "the budget is spent")),
        _ = stop.wait_for(Option::is_some) => Ok(false),
    }
}
