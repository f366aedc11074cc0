//! A socket that speaks the engine's API for one owner, and lets it touch nothing but its own.
//!
//! The story of a request: its head is brought into one normal form (`request`), found in the allow-list
//! (`route`), its body parsed so that it can be read in one way only (`json`, `shape`); the `rule` of its
//! kind decides, asking for what it does not know (`facts`, `resolve`); then it is stamped with the owner's
//! label and carried to the engine (`serve`, `forward`; a long answer by `bulk`; an archive of images is read
//! and written anew by `load`). Deciding is pure; what is not allowed is refused, with the rule's name and a way
//! out, and told (`tell`). Beside it, the engine's own events show what went around the guard (`watch`,
//! `bypass`).

mod ask;
mod bulk;
mod bypass;
mod child;
mod cli;
mod facts;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod json;
mod labels;
mod listen;
mod load;
mod policy;
mod refusal;
mod request;
mod resolve;
mod route;
mod rule;
mod secrets;
mod serve;
mod shape;
mod shared;
mod socket;
mod stop;
mod tell;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

pub use cli::Args;

use std::io;
use std::sync::Arc;

use child::Child;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::record::guard::{GuardFinished, GuardStarted};
use lib_common::{Error, Exit, Io, Result, cover};
use policy::Policy;
use rustix::process::Signal;
use secrets::Secrets;
use shared::Shared;
use socket::Socket;
use stop::Stop;
use tell::Event;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(guard(args, io))
}

/// Listens, lets the command (or whoever comes, until a signal) work, and says what went around it.
async fn guard(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let bounds = args.bounds(io)?;
    let stop = Stop::listen()?;
    records_to(args, io)?;
    if !args.command.is_empty() && !cover::is_possible() {
        io.diag.warn("without the right to mount, the guard does not cover the engine's own socket");
    }
    let engine = Engine::connect(&args.engine).await?;
    let secrets = Secrets::open(args.secrets)?;
    let (teller, told) = tell::channel();
    let shared = Shared::new(engine, Policy::new(&bounds), secrets, teller);
    let socket = Socket::bind(args.socket.as_deref())?;
    let mut emitter = Emitter::new(args.investigation.id.clone(), None);
    let work = stand(&shared, socket, &args.command, stop);
    let (exit, finished) = tell::written(told, io, &mut emitter, work).await??;
    for object in &finished.unseen {
        io.diag.warn(format_args!("somebody went around the guard: {object}"));
    }
    if let Some(why) = &finished.unproved {
        io.diag.warn(why);
    }
    Ok(match exit {
        Exit::Done if !finished.unseen.is_empty() => Exit::No,
        Exit::Done if finished.unproved.is_some() => Exit::Again,
        other => other,
    })
}

/// Standard output is the command's, if there is one.
fn records_to(args: &Args, io: &mut Io) -> Result<()> {
    if let Some(place) = &args.records {
        let file = place.take();
        let file =
            file.map_err(|e| Error::cannot("opening the file for records", e).on(place.path().display()))?;
        io.stdout = Box::new(file);
    } else if !args.command.is_empty() {
        io.stdout = Box::new(io::sink());
    }
    Ok(())
}

/// From the first connection to the last: with the command's exit, and what the guard can say of it all.
async fn stand(
    shared: &Arc<Shared>,
    socket: Socket,
    command: &[String],
    mut stop: Stop,
) -> Result<(Exit, GuardFinished)> {
    let watch = watch::begin(shared).await?;
    let path = socket.path().to_owned();
    let started =
        GuardStarted { owner: shared.policy.owner.clone(), socket: path.to_string_lossy().into_owned() };
    let _ = shared.teller.tell(Event::Started(started)).await;
    let work = async {
        if command.is_empty() {
            stop.wait().await;
            return Ok(Exit::Done);
        }
        let engine = shared.engine.endpoint().socket().map(ToOwned::to_owned);
        let mut child = Child::start(command, &path, engine).await?;
        loop {
            tokio::select! {
                exit = child.wait() => return exit,
                signal = stop.wait() => if signal == Signal::TERM { child.terminate() },
            }
        }
    };
    // When it returns nobody is connected any more, and the socket is gone.
    let exit = listen::until(work, socket, shared).await?;
    let finished = watch::conclude(shared, watch).await;
    let _ = shared.teller.tell(Event::Finished(finished.clone())).await;
    Ok((exit, finished))
}
