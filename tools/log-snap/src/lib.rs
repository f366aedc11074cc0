//! Capture the evidence of a run, redacted, bounded, content-addressed.
//!
//! Raw text lives in memory only, compressed: [`recorder`] opens the log of every container as it appears and
//! holds it; when all secrets of the stack are known, [`assemble`] redacts and writes the bundle in one go.

pub mod api;
pub mod assemble;
pub mod bundle;
pub mod capture;
pub mod clean;
mod cli;
pub mod death;
#[cfg(test)]
mod fake;
pub mod look;
pub mod names;
pub mod node;
pub mod plan;
pub mod recorder;
pub mod secrets;
pub mod seen;
pub mod stream;

use std::io::BufWriter;
use std::path::PathBuf;

use bundle::read::Bundle;
use capture::take;
pub use cli::Args;
use cli::{Attach, Capture, Cat, Command};
use lib_common::emit::{Emitter, copy_records};
use lib_common::record::Known;
use lib_common::{Error, Exit, Io, Result};

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    match &args.command {
        None => snap(args, &args.capture, io),
        Some(Command::Snap(capture)) => snap(args, capture, io),
        Some(Command::Attach(arguments)) => attach(args, arguments, io),
        Some(Command::Verify(arguments)) => verify(&arguments.bundles, io),
        Some(Command::Cat(arguments)) => cat(arguments, io),
    }
}

/// Records are passed on; then the named stack is captured, or that of each run as it passes.
fn snap(args: &Args, capture: &Capture, io: &mut Io) -> Result<Exit> {
    let named = plan::named(capture)?;
    if named.is_none() && io.stdin_is_terminal {
        return Err(Error::cannot("reading arguments", "no stack and no records")
            .hint("give --stack NAME, or pipe run.finished records in"));
    }
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    let mut exit = Exit::Done;
    copy_records(&args.common, io, &mut emitter, |io, emitter, known| {
        if let (None, Known::RunFinished(run)) = (&named, known) {
            let target = plan::of_run(capture, &run.stack, &run.attempt_id)?;
            exit = worse(exit, each(capture, &target, io, emitter)?);
        }
        Ok(())
    })?;
    if let Some(target) = &named {
        let snapped = take(capture, target, None, io)?;
        emitter.emit(io, &snapped)?;
        exit = worse(exit, exit_of(snapped.complete));
    }
    Ok(exit)
}

/// One run of many: that nothing is left of one does not keep the others from being captured.
fn each(capture: &Capture, target: &plan::Target, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    if target.out.join(bundle::INDEX).exists() {
        io.diag.warn(format_args!("{}: captured already", target.out.display()));
        return Ok(Exit::Done);
    }
    match take(capture, target, None, io) {
        Ok(snapped) => {
            emitter.emit(io, &snapped)?;
            Ok(exit_of(snapped.complete))
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
    let snapped = take(&arguments.capture, &target, Some(arguments.until_gone), io)?;
    Emitter::new(args.common.investigation.clone(), None).emit(io, &snapped)?;
    Ok(exit_of(snapped.complete))
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
    bundle::cat::cat(&bundle, arguments.service.as_deref(), &mut out)?;
    Ok(Exit::Done)
}

fn exit_of(complete: bool) -> Exit {
    if complete { Exit::Done } else { Exit::No }
}

fn worse(one: Exit, other: Exit) -> Exit {
    if other.code() > one.code() { other } else { one }
}
