//! Runs a command alone, or under measured load, on the swarm, and leaves nothing behind.
//!
//! The story: read what is known, take the exclusive slot, wait until the node is as the run claims, run the
//! command in a namespace of its own, tear everything down and prove it, write the records; again until
//! `--runs` or `--until` is satisfied.

mod attempt;
mod cli;
mod command;
mod condition;
mod converge;
#[doc(hidden)]
pub mod fuzzing;
mod plan;
mod proc;
mod records;
mod sampler;
mod sequence;
mod signals;
mod slot;
mod teardown;
mod until;

pub use cli::Args;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use attempt::{Context, End, Finished};
use cli::Action;
use converge::ConvergeArgs;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::record::Known;
use lib_common::record::run::RunFinished;
use lib_common::stream::{Line, Reader, Torn, is_object};
use lib_common::{Error, Exit, Io, Result};
use plan::{Seen, Subject};
use sequence::{Leases, Turns, spacing};
use slot::{Ask, Budget, Gate, ShowArgs};
use tokio::time::Instant;
use until::Spool;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(async {
        match &args.action {
            Some(Action::Reap) => reap(args, io).await,
            Some(Action::Wait(converge)) => wait(args, converge, io).await,
            Some(Action::Slots(show)) => slots(args, show, io).await,
            None if args.run.slot.slot_only.is_some() => slot_only(args, io).await,
            None => isolate(args, io).await,
        }
    })
}

/// Finishes what dead holders of slots had begun.
async fn reap(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let stop = signals::listen()?;
    attempt::reap(&engine, &args.run, &io.diag, &stop).await?;
    Ok((*stop.borrow()).map_or(Exit::Done, Exit::Signal))
}

/// Waits until a stack has converged, or never will.
async fn wait(args: &Args, converge: &ConvergeArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    engine.require_manager().await?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    converge::wait(converge, &engine, io, &mut emitter).await
}

/// Prints the slots; may change how many there are.
async fn slots(args: &Args, show: &ShowArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    slot::show::slots(show, &args.run, &engine, &signals::listen()?, io, &mut emitter).await
}

/// A slot for a command whose streams are its own: no records, nothing read.
async fn slot_only(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let Some(many) = args.run.slot.slot_only.filter(|_| !args.command.is_empty()) else {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    };
    // Not its arguments: what stands in the swarm is for everybody to read.
    let what_for = args.command[0].clone();
    if args.run.dry_run {
        io.diag.note(format_args!("would run {what_for} in a slot"));
        return Ok(Exit::Done);
    }
    let engine = Engine::connect(&args.engine).await?;
    let stop = signals::listen()?;
    // There is no teardown of ours to be reserved for.
    let budget = Budget::new(args.run.slot.budget, args.run.grace, Instant::now());
    let gate = Gate { args: &args.run.slot, diag: &io.diag, clock: io.clock, stop: &stop };
    let wait = budget.cap(args.run.wait, Instant::now());
    let ask = Ask { want: many.into(), attempt: what_for, wait, ttl: args.run.slot_ttl };
    let Some(slot) = attempt::take_slot(&engine, &args.run, &gate, &ask).await? else {
        return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
    };
    slot::only::run(&args.command, slot, &budget, args.run.grace, &stop).await
}

async fn isolate(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    if args.command.is_empty() {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    }
    // A dry run changes nothing, the ledger included.
    let path = args.ledger.ledger.as_deref().filter(|_| !args.run.dry_run);
    let ledger = path.map(|path| Ledger::open(path, &io.diag)).transpose()?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), ledger);
    let (mut seen, mut spool) = read(args, io, &mut emitter)?;
    let (subjects, without) = Subject::all(&args.run, &seen)?;
    for recipe in without {
        io.diag.warn(format_args!("{recipe} has no lease on standard input: not run"));
    }
    if args.run.dry_run {
        tell_plan(args, io, &subjects, &seen);
        return Ok(Exit::Done);
    }
    let engine = Engine::connect(&args.engine).await?;
    let info = engine.require_manager().await?;
    let node = info["Name"].as_str().unwrap_or_default().to_owned();
    command::group::adopt_orphans();
    let stop = signals::listen()?;
    let kept = args.run.evidence.clone().or_else(|| Some(args.ledger.ledger.as_ref()?.parent()?.to_owned()));
    let scratch = tempfile::tempdir().map_err(|e| Error::cannot("making a scratch folder", e))?;
    let base = absolute(kept.as_deref().unwrap_or(scratch.path()))?;
    let investigation = emitter.investigation().to_owned();

    let budget = budget(args);
    let mut longest = Duration::ZERO;

    let mut leases = Leases::new(engine.endpoint().to_string(), investigation.clone());
    let nodes = node_names();

    let mut last = None;
    let mut turns = Turns::new(args, subjects, &seen);
    while let Some((subject, factors)) = turns.next(args, &mut spool).await? {
        if let Some(why) = budget.forbids(longest, Instant::now()) {
            return Err(Error::again("starting another run", why)
                .on("--budget")
                .hint("what is done is on record"));
        }
        if !apart(args, io, &seen, &budget, stop.clone()).await? {
            return Ok(Exit::Signal(stop.borrow().unwrap_or_default()));
        }
        subject.lease.iter().for_each(|lease| leases.keep(lease));
        let (diag, clock) = (&io.diag, io.clock);
        let context = Context {
            engine: &engine,
            args: &args.run,
            command: &args.command,
            subject: &subject,
            turn: spacing::node(&nodes, seen.attempts()),
            investigation: &investigation,
            base: &base,
            stop: stop.clone(),
            budget,
            diag,
            clock,
        };
        let finished = attempt::run(&context, &factors).await?;
        let signal = *stop.borrow();
        let Some(finished) = finished else { return Ok(Exit::Signal(signal.unwrap_or_default())) };
        let (mut record, tests) = records::of(&context, &node, &finished, kept.is_some())?;
        record.notes.extend(leases.notes());
        if !record.cleanup.kept.is_empty() {
            subject.lease.iter().for_each(|lease| leases.leave(&lease.lease_id));
        }
        seen.note(&Known::RunFinished(Box::new(record.clone())));
        let (mut lines, other): (Vec<_>, Vec<_>) =
            finished.companion.iter().cloned().partition(|line| is_object(line));
        if !other.is_empty() {
            io.diag.warn(format_args!("{} lines of the companion are no records: left out", other.len()));
        }
        lines.push(emitter.line(io, &record)?);
        for test in &tests {
            lines.push(emitter.line(io, test)?);
        }
        for line in &lines {
            spool.add(line)?;
            match emitter.put(io, line) {
                // Ctrl-C ends the rest of the pipe too; the ledger has the record.
                Err(error) if error.is_closed_pipe() && signal.is_some() && emitter.is_durable() => {}
                other => other?,
            }
        }
        if !finished.teardown.left.is_empty() {
            return Err(Error::cannot("tearing down", "still there")
                .on(finished.teardown.left.join(", "))
                .hint("the next run, or 'swarm-isolate reap', tries again"));
        }
        if let Some(signal) = signal {
            return Ok(Exit::Signal(signal));
        }
        tell_run(io, &record);
        longest = longest.max(finished.took);
        if finished.end == End::Budget {
            return Err(
                Error::again("running the command", "the budget is spent").hint("what is done is on record")
            );
        }
        last = Some(finished);
    }
    give_back(leases, io, &mut emitter).await?;
    Ok(exit(args, last.as_ref()))
}

fn budget(args: &Args) -> Budget {
    // A companion has half a minute to finish its records, after the command and before the teardown.
    let companion = args.run.companion.as_ref().map_or(Duration::ZERO, |_| Duration::from_secs(30));
    let reserve = args.run.teardown_timeout + args.run.grace * 2 + companion;
    Budget::new(args.run.slot.budget, reserve, Instant::now())
}

/// Releases the leases that the runs used; the records of it join the stream.
async fn give_back(leases: Leases, io: &mut Io<'_>, emitter: &mut Emitter) -> Result<()> {
    let (lines, wrong) = leases.release().await;
    for line in lines {
        emitter.put(io, &line)?;
    }
    for cause in &wrong {
        io.diag.warn(cause);
    }
    Ok(())
}

/// Waits until the next run is far enough from the one before it. False: asked to stop.
async fn apart(
    args: &Args,
    io: &Io<'_>,
    seen: &Seen,
    budget: &Budget,
    mut stop: signals::Stop,
) -> Result<bool> {
    let pause = spacing::wait(args.run.sequence.spacing, seen.last_start, io.clock.now());
    if pause.is_zero() {
        return Ok(true);
    }
    io.diag.phase(format_args!("waiting {} s between runs", pause.as_secs()));
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(true),
        () = budget.spent() => Err(Error::again("waiting between runs", "the budget is spent")),
        _ = stop.wait_for(Option::is_some) => Ok(false),
    }
}

/// The nodes that runs take in turn.
fn node_names() -> Vec<String> {
    let nodes = std::env::var("REDFIX_NODES").unwrap_or_default();
    nodes.split_whitespace().filter_map(|node| Some(node.split_once('=')?.0.to_owned())).collect()
}

/// A single wrapped command's own code passes through; a sequence of runs is done when it is settled.
fn exit(args: &Args, last: Option<&Finished>) -> Exit {
    let single = args.run.until.is_none() && args.run.runs == 1;
    match last.filter(|_| single).map(|finished| finished.end) {
        Some(End::Exited(status)) => {
            use std::os::unix::process::ExitStatusExt;
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            if code == 0 { Exit::Done } else { Exit::Child(u8::try_from(code).unwrap_or(u8::MAX)) }
        }
        Some(End::Timeout) => Exit::No,
        Some(End::SlotLost | End::Budget) => Exit::Again,
        _ => Exit::Done,
    }
}

/// Passes standard input on, then what the ledger holds beyond it, and keeps both for `--until`.
fn read(args: &Args, io: &mut Io, emitter: &mut Emitter) -> Result<(Seen, Spool)> {
    let (mut seen, mut spool) = (Seen::default(), Spool::new()?);
    if !io.stdin_is_terminal {
        let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
        let mut reader = Reader::new(input, "standard input", &args.common, Torn::Error);
        while let Some(line) = reader.next_line(&io.diag)? {
            emitter.pass(io, &line)?;
            note(&mut reader, &line, io, &mut seen, &mut spool)?;
        }
    }
    if let Some(path) = args.ledger.ledger.as_ref().filter(|path| path.exists()) {
        let file = File::open(path).map_err(|e| Error::cannot("reading the ledger", e).on(path.display()))?;
        let mut reader =
            Reader::new(BufReader::new(file), path.display().to_string(), &args.common, Torn::SetAside);
        while let Some(line) = reader.next_line(&io.diag)? {
            if emitter.pass_unseen(io, &line)? {
                note(&mut reader, &line, io, &mut seen, &mut spool)?;
            }
        }
    }
    Ok((seen, spool))
}

fn note<R: BufRead>(
    reader: &mut Reader<R>,
    line: &Line,
    io: &Io,
    seen: &mut Seen,
    spool: &mut Spool,
) -> Result<()> {
    spool.add(&line.raw)?;
    if let Some(known) = reader.known(line, &io.diag)? {
        seen.note(&known);
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::cannot("finding the evidence folder", e).on(path.display()))
}

/// With `-v`, one line for each run.
fn tell_run(io: &Io, run: &RunFinished) {
    let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f32();
    let factors: Vec<String> =
        run.factors.iter().map(|(name, level)| format!("{name}={level:.12}")).collect();
    let doubt = run.isolation.why.as_ref().map(|why| format!("; not proved: {why}")).unwrap_or_default();
    io.diag.phase(format_args!(
        "{}: {} after {:.1} s, empty after {:.1} s more{doubt}",
        factors.join(" "),
        run.outcome.word(),
        seconds(run.duration_ms),
        seconds(run.cleanup.duration_ms)
    ));
}

fn tell_plan(args: &Args, io: &Io, subjects: &[Subject], seen: &Seen) {
    let how = args.run.until.as_ref().map_or_else(
        || format!("{} run(s), {}", args.run.runs, args.run.condition.name()),
        |until| format!("runs until '{until}' is settled"),
    );
    for subject in subjects {
        io.diag.note(format_args!(
            "would do {how}, of {}, in stacks like {}; {} attempts are on record",
            args.command.join(" "),
            subject.namespace("000000").stack,
            seen.attempts()
        ));
    }
}
