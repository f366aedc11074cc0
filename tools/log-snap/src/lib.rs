//! Capture the evidence of a run, redacted, bounded, content-addressed.
//!
//! Raw text lives in memory only, compressed: [`recorder`] opens the log of every container as it appears and
//! holds it; when all secrets of the stack are known, [`assemble`] redacts and writes the bundle in one go, and
//! looks at what was written once more before it gets its name.

mod again;
pub mod api;
pub mod assemble;
pub mod bundle;
pub mod capture;
mod cause;
mod check;
pub mod clean;
mod cli;
mod compare;
mod connect;
pub mod death;
#[cfg(test)]
mod fake;
mod gc;
pub mod handed;
pub mod look;
pub mod names;
pub mod node;
pub mod peer;
pub mod plan;
pub mod recorder;
pub mod secrecy;
pub mod secrets;
pub mod seen;
pub mod stream;
mod usage;

use std::io::BufWriter;
use std::path::PathBuf;

use bundle::read::Bundle;
use capture::take;
pub use cli::Args;
use cli::{Attach, Capture, Cat, Command};
use lib_common::emit::{Emitter, copy_records};
use lib_common::record::Known;
use lib_common::record::log::LogSnapped;
use lib_common::{Error, Exit, Io, Result};
use secrecy::Secrecy;
use serde::Serialize;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    match &args.command {
        None => snap(args, &args.capture, io),
        Some(Command::Snap(capture)) => snap(args, capture, io),
        Some(Command::Attach(arguments)) => attach(args, arguments, io),
        Some(Command::Verify(arguments)) => verify(&arguments.bundles, io),
        Some(Command::Cat(arguments)) => cat(arguments, io),
        Some(Command::Redact(arguments)) => redact(args, arguments, io),
        Some(Command::Diff(arguments)) => diff(arguments, io),
        Some(Command::FirstError(arguments)) => first_error(arguments, io),
        Some(Command::Gc(arguments)) => collect(args, arguments, io),
    }
}

/// Records are passed on; then the named stack is captured, or that of each run as it passes.
fn snap(args: &Args, capture: &Capture, io: &mut Io) -> Result<Exit> {
    let named = plan::named(capture)?;
    if named.is_none() && io.stdin_is_terminal {
        return Err(Error::cannot("reading arguments", "no stack and no records")
            .hint("give --stack NAME, or pipe run.finished records in"));
    }
    let mut secrecy = Secrecy::new(&capture.secrecy)?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    let mut exit = Exit::Done;
    copy_records(&args.common, io, &mut emitter, |io, emitter, known| {
        if let (None, Known::RunFinished(run)) = (&named, known) {
            let target = plan::of_run(capture, &run.stack, &run.attempt_id)?;
            exit = worse(exit, each(capture, &target, &mut secrecy, io, emitter)?);
        }
        Ok(())
    })?;
    if let Some(target) = &named {
        let snapped = take(capture, target, None, &mut secrecy, io)?;
        emitter.emit(io, &snapped)?;
        exit = worse(exit, exit_of(&snapped));
    }
    Ok(exit)
}

/// One run of many: that nothing is left of one does not keep the others from being captured.
fn each(
    capture: &Capture,
    target: &plan::Target,
    secrecy: &mut Secrecy,
    io: &mut Io,
    emitter: &mut Emitter,
) -> Result<Exit> {
    if target.out.join(bundle::INDEX).exists() {
        io.diag.warn(format_args!("{}: captured already", target.out.display()));
        return Ok(Exit::Done);
    }
    match take(capture, target, None, secrecy, io) {
        Ok(snapped) => {
            emitter.emit(io, &snapped)?;
            Ok(exit_of(&snapped))
        }
        Err(e) if e.exit() == Exit::Cannot => {
            io.diag.error(&e);
            Ok(Exit::Cannot)
        }
        Err(e) => Err(e),
    }
}

fn attach(args: &Args, arguments: &Attach, io: &mut Io) -> Result<Exit> {
    let target = plan::named(&arguments.capture)?.ok_or_else(|| {
        Error::cannot("reading arguments", "no stack to record")
            .hint("give --stack NAME, or set REDFIX_STACK")
    })?;
    let mut secrecy = Secrecy::new(&arguments.capture.secrecy)?;
    let snapped = take(&arguments.capture, &target, Some(arguments.until_gone), &mut secrecy, io)?;
    Emitter::new(args.common.investigation.clone(), None).emit(io, &snapped)?;
    Ok(exit_of(&snapped))
}

fn verify(bundles: &[PathBuf], io: &mut Io) -> Result<Exit> {
    let mut exit = Exit::Done;
    for folder in bundles {
        for wrong in bundle::verify::verify(folder)? {
            io.diag.error(&Error::no("verifying", wrong).on(folder.display()));
            exit = Exit::No;
        }
    }
    Ok(exit)
}

fn cat(arguments: &Cat, io: &mut Io) -> Result<Exit> {
    let bundle = Bundle::open(&arguments.bundle)?;
    let mut out = BufWriter::with_capacity(64 * 1024, &mut io.stdout);
    bundle::cat::cat(&bundle, arguments, &mut out)?;
    Ok(Exit::Done)
}

fn redact(args: &Args, arguments: &cli::Redact, io: &mut Io) -> Result<Exit> {
    let mut secrecy = Secrecy::new(&arguments.secrecy)?;
    secrecy.listener.take();
    if let Some(wrong) = secrecy.listener.wrong.first() {
        return Err(Error::cannot("taking over secrets", wrong));
    }
    let values: Vec<Vec<u8>> = secrecy.listener.handed.iter().map(|(_, value)| value.clone()).collect();
    let snapped = again::redact(&arguments.bundle, &arguments.out, secrecy.cleaner(&values))?;
    let path = plan::printed(&arguments.out, arguments.secrecy.relative_to.as_deref());
    Emitter::new(args.common.investigation.clone(), None).emit(io, &LogSnapped { path, ..snapped })?;
    Ok(Exit::Done)
}

fn diff(arguments: &cli::Diff, io: &mut Io) -> Result<Exit> {
    let (good, bad) = (Bundle::open(&arguments.good)?, Bundle::open(&arguments.bad)?);
    let found = compare::compare(&good, &bad)?;
    for divergence in &found {
        print(io, divergence)?;
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::No })
}

fn first_error(arguments: &cli::FirstError, io: &mut Io) -> Result<Exit> {
    match cause::find(&Bundle::open(&arguments.bundle)?)? {
        Some(found) => print(io, &found).map(|()| Exit::Done),
        None => Ok(Exit::No),
    }
}

fn collect(args: &Args, arguments: &cli::Gc, io: &mut Io) -> Result<Exit> {
    let now = i64::try_from(io.clock.now().as_nanosecond()).unwrap_or_default();
    let Io { stdout, diag, .. } = io;
    gc::run(arguments, &args.common, now, diag, |fate| line(stdout, &fate)).map(|()| Exit::Done)
}

/// A JSON line of our own.
fn print(io: &mut Io, value: &impl Serialize) -> Result<()> {
    line(&mut io.stdout, value)
}

fn line(out: &mut dyn std::io::Write, value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value).map_err(|e| Error::cannot("writing a line", e))?;
    line.push(b'\n');
    out.write_all(&line).and_then(|()| out.flush()).map_err(|e| Error::write("standard output", &e))
}

fn exit_of(snapped: &LogSnapped) -> Exit {
    if snapped.complete { Exit::Done } else { Exit::No }
}

fn worse(one: Exit, other: Exit) -> Exit {
    if other.code() > one.code() { other } else { one }
}
