//! Runs a command alone, or under measured load, on the swarm, and leaves nothing behind.
//!
//! The story: read what is known, take the exclusive slot, wait until the node is as the run claims, run the
//! command in a namespace of its own, tear everything down and prove it, write the records; again until
//! `--runs` or `--until` is satisfied.

mod admitted;
mod attempt;
mod clean;
mod cli;
mod command;
mod disk;
mod load;
mod plan;
mod proc;
mod records;
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
pub use command::pattern::Pattern;
#[doc(hidden)] // for fuzzing
pub use records::report::parse as parse_report;

use attempt::Context;
use cli::Action;
use command::{output, strays};
use lib_common::docker::Engine;
use lib_common::{Error, Exit, Io, Result};
use plan::Subject;
use series::Series;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(async {
        match args.action {
            Some(Action::Reap) => reap(args, io).await,
            None => Box::pin(isolate(args, io)).await,
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
    let Some(program) = args.command.first() else {
        return Err(Error::cannot("planning a run", "no command").hint("put it behind --, see --help"));
    };
    let mut series = Series::open(args, io)?;
    series.read(io)?;
    let subject = Subject::choose(&args.run, &series.seen)?;
    if args.run.dry_run {
        tell::plan(args, io, &subject, &series.seen);
        return Ok(Exit::Done);
    }
    if let Err(cause) = which::which(program) {
        io.diag.error(&Error::cannot("starting the command", cause).on(program));
        return Ok(Exit::Child(command::launch::NOT_FOUND));
    }
    let engine = Engine::connect(&args.engine).await?;
    let info = engine.require_manager().await?;
    let node = info["Name"].as_str().unwrap_or_default().to_owned();
    strays::adopt();
    let stop = signals::listen()?;
    let (investigation, ledger, redactor) = (series.investigation(), series.ledger(), output::redactor());
    series.bury(io, &engine, args.run.teardown_timeout).await?;

    while let Some(factors) = series.next().await? {
        let folders: Vec<_> =
            disk::engine_folder(&engine, &info).into_iter().chain([series.base()]).collect();
        disk::check(&folders, args.run.command.min_free)?;
        let context = Context {
            engine: &engine,
            node: &node,
            args: &args.run,
            command: &args.command,
            subject: &subject,
            seen: &series.seen,
            investigation: &investigation,
            base: series.base(),
            ledger: ledger.as_deref(),
            redactor: &redactor,
            stop: stop.clone(),
            diag: &io.diag,
            clock: io.clock,
        };
        let finished = Box::pin(attempt::run(&context, &factors)).await?;
        let signal = *stop.borrow();
        let Some(finished) = finished else { return Ok(Exit::Signal(signal.unwrap_or_default())) };
        let records = records::of(&context, &finished, series.keeps_evidence());
        series.write(io, &records, &finished.ran.companion, signal)?;
        tell::run(io, &records.run);
        if !records.run.cleanup.left.is_empty() {
            return Err(Error::cannot("tearing down", "still there")
                .on(records.run.cleanup.left.join(", "))
                .hint("the next run, or 'swarm-isolate reap', tries again"));
        }
        if let Some(signal) = signal {
            return Ok(Exit::Signal(signal));
        }
        series.last = Some((records.run.outcome, finished.ran.end));
    }
    Ok(series.exit())
}
