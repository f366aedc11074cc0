//! Waits until a stack has converged, as long as it gets further, and gives up early on a wedge, naming its cause.
//!
//! The story: `watch` looks at the stack again and again. Each time `look` asks the engine, `facts` reduces what it says,
//! `judge` decides this one look, `history` what all of them mean, and `ready` asks the user's own command. `outcome` says
//! how it ended, as a record and as an exit code.

mod cli;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod judge;
mod look;
mod outcome;
mod ready;
mod watch;

pub use cli::Args;

use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::{Error, Exit, Io, Result};
use tokio::time::Instant;
use watch::Watch;

/// Prints one `stack.checked`. Exit 0: converged; the error of a wedge is exit 1, that of a deadline 75.
pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(wait(args, io))
}

async fn wait(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    engine.require_manager().await?;
    let start = Instant::now();
    let mut watch = Watch::new(args, &engine, &io.diag, start);
    let outcome = watch.until_the_end().await?;
    let services = watch.services();
    let record = outcome::record(&args.stack, &outcome, &services, start.elapsed(), attempt());
    Emitter::new(args.investigation.id.clone(), None).emit(io, &record)?;
    outcome::exit(&outcome, &record)
}

/// Within which attempt of `swarm-isolate` we were called, if any.
fn attempt() -> Option<String> {
    std::env::var("REDFIX_ATTEMPT").ok().filter(|id| !id.is_empty())
}
