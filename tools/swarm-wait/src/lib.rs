//! Waits until a stack has converged, for as long as it makes progress. When the stack is wedged, gives up early and
//! names the cause.
//!
//! `watch` looks at the stack again and again. Each time, `look` asks the engine, `facts` parses the answers, `judge`
//! judges this one look, `history` all looks so far, and `ready` runs the user's own command. `outcome` turns the end
//! of the wait into a record and an exit code.

mod cli;
mod facts;
mod fault;
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
use outcome::{Outcome, Seen};
use tokio::time::Instant;
use watch::Watch;

/// Prints one `stack.checked`. Exits 0 when the stack has converged; a wedge is an error with exit code 1, a passed
/// deadline one with 75.
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
    let seen = Seen { services: watch.services(), history: watch.history(), waited: start.elapsed() };
    let record = outcome::record(&args.stack, &outcome, &seen, attempt());
    io.diag.clear();
    if io.diag.verbosity() > 0 || outcome != Outcome::Converged {
        for line in outcome::table(&seen) {
            io.diag.note(line);
        }
    }
    if let Some(told) = outcome::stood(&outcome, &record) {
        io.diag.phase(told);
    }
    Emitter::new(args.investigation.id.clone(), None).emit(io, &record)?;
    outcome::exit(&outcome, &record)
}

/// The attempt of `swarm-isolate` that called this process, if one did.
fn attempt() -> Option<String> {
    std::env::var("REDFIX_ATTEMPT").ok().filter(|id| !id.is_empty())
}
