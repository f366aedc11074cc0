//! A socket that speaks the engine's API for one owner, and lets it touch nothing but its own objects.
//!
//! What happens to a request (`serve` drives it): `request` brings its head into one normal form, `route` finds it in
//! the allow-list, `json` and `shape` parse its body so that it has only one reading. The `rule` of its kind decides;
//! `facts` holds what the rule has to know of objects, and `resolve` looks that up; `world` is what all objects and the
//! node have together (names, ports, ranges), and `survey` looks at it. `stage` gives the engine the very folders that
//! were looked at. What may pass is stamped with the owner's label and carried to the engine by `forward`; `bulk` carries
//! long answers, and `images` rewrites archives of images. What may not pass is refused, with the rule's name and a way
//! out, and recorded (`tell`). Rules are pure.
//! Meanwhile `watch` and `bypass` find in the engine's own events what went around the guard.

mod ask;
mod body;
mod bulk;
mod bypass;
mod child;
mod cli;
mod decision;
mod facts;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod images;
mod json;
mod labels;
mod listen;
mod peer;
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
mod stage;
mod stop;
mod subnet;
mod survey;
mod tell;
#[cfg(test)]
mod tests;
mod watch;
mod world;

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

/// Listens until the command ends (without one, until a signal), then reports what went around the guard.
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

/// Sets where records go: to `--records`, else to standard output, which with a command is the command's own.
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

/// Serves from the first connection to the last. Returns the command's exit and the record `guard.finished`.
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
    // When this returns nobody is connected any more, and the socket is gone: nothing can change behind `conclude`.
    let exit = listen::until(work, socket, shared).await?;
    let finished = watch::conclude(shared, watch).await;
    let _ = shared.teller.tell(Event::Finished(finished.clone())).await;
    Ok((exit, finished))
}
