//! Runs a command alone, or under measured load, on the swarm, and leaves nothing behind.
//!
//! The story: read what is known, take the exclusive slot, wait until the node is as the run claims, run the
//! command in a namespace of its own, tear everything down and prove it, write the records; again until
//! `--runs` or `--until` is satisfied.

mod attempt;
mod cli;
mod command;
mod condition;
mod guard;
mod plan;
mod proc;
mod records;
mod sampler;
mod signals;
mod slot;
mod teardown;
mod until;

pub use cli::Args;
#[doc(hidden)]
pub use guard::fuzz as guard_fuzz;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use attempt::{Context, End, Finished};
use cli::Action;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::record::Factors;
use lib_common::record::run::RunFinished;
use lib_common::stream::{Line, Reader, Torn, is_object};
use lib_common::{Error, Exit, Io, Result};
use plan::{Seen, Subject};
use until::{Answer, Spool};

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    if let Some(Action::Launch(launch)) = &args.action {
        return Ok(command::launch::launch(launch, &io.diag));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(async {
        match args.action {
            Some(Action::Reap) => reap(args, io).await,
            _ => isolate(args, io).await,
        }
    })
}

/// Taking the slot tears down what its dead holder had begun.
async fn reap(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let reaped = attempt::reap(&engine, &args.run, &io.diag, signals::listen()?).await?;
    io.diag.phase(if reaped { "done" } else { "interrupted" });
    Ok(Exit::Done)
}

async fn isolate(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    if args.command.is_empty() {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    }
    // A dry run changes nothing, the ledger included.
    let path = args.ledger.ledger.as_deref().filter(|_| !args.run.dry_run);
    let ledger = path.map(|path| Ledger::open(path, &io.diag)).transpose()?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), ledger);
    let (seen, mut spool) = read(args, io, &mut emitter)?;
    let subject = Subject::choose(&args.run, &seen)?;
    if args.run.dry_run {
        tell_plan(args, io, &subject, &seen);
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

    let mut last = None;
    let mut done = 0;
    while let Some(factors) = next(args, &mut spool, done).await? {
        let (diag, clock) = (&io.diag, io.clock);
        let context = Context {
            engine: &engine,
            args: &args.run,
            command: &args.command,
            subject: &subject,
            investigation: &investigation,
            base: &base,
            stop: stop.clone(),
            diag,
            clock,
        };
        let finished = attempt::run(&context, &factors).await?;
        let signal = *stop.borrow();
        let Some(finished) = finished else { return Ok(Exit::Signal(signal.unwrap_or_default())) };
        let (record, tests) = records::of(&context, &node, &finished, kept.is_some())?;
        done += 1;
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
        last = Some(finished);
    }
    Ok(exit(args, last.as_ref()))
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
        Some(End::SlotLost) => Exit::Again,
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

/// The factors of the next run, or `None` when there is nothing more to run.
async fn next(args: &Args, spool: &mut Spool, done: u32) -> Result<Option<Factors>> {
    match &args.run.until {
        None => Ok((done < args.run.runs).then(|| plan::asked(&args.run))),
        Some(command) => match until::ask(command, spool).await? {
            Answer::Settled => Ok(None),
            Answer::Run(factors) => Ok(Some(factors)),
        },
    }
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

fn tell_plan(args: &Args, io: &Io, subject: &Subject, seen: &Seen) {
    let how = args.run.until.as_ref().map_or_else(
        || format!("{} run(s), {}", args.run.runs, args.run.condition.name()),
        |until| format!("runs until '{until}' is settled"),
    );
    io.diag.note(format_args!(
        "would do {how}, of {}, in stacks like {}; {} attempts are on record",
        args.command.join(" "),
        subject.namespace("000000").stack,
        seen.attempts()
    ));
}
