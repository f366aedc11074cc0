//! Leases a domain and stack namespace that collides with nothing on the swarm.
//!
//! `intake` passes standard input on. Then each recipe that failed gets a name (`name`, `grant`) that fits the engine's
//! limits (`limits`, `compose`) and collides with nothing that exists (`world`, `clash`, `router`). The lease is stored
//! (`lease`, `store`) before it is printed (`batch`). `audit` and `probe` examine what exists already; `route` computes
//! for them what Traefik and the engine's DNS make of it.

mod abra;
mod audit;
mod batch;
mod check;
mod clash;
mod cli;
mod compose;
mod grant;
mod intake;
mod interrupt;
mod lease;
mod limits;
mod manage;
mod name;
mod nodes;
mod probe;
mod route;
mod router;
mod store;
mod watch;
mod world;

use batch::Granted;
pub use cli::Args;
use cli::{Action, AllocArgs, GcArgs, SelectArgs};
use grant::{Grant, Granter, Terms};
use intake::Intake;
use interrupt::Interrupt;
use lib_common::cli::LedgerArg;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::{Error, Exit, Io, Result};
use manage::Selection;
use store::Store;
use watch::Watch;
use world::NameOf;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot("starting", e))?;
    runtime.block_on(async {
        match &args.action {
            None => Box::pin(alloc(args, &args.alloc, io)).await,
            Some(Action::Alloc(alloc_args)) => Box::pin(alloc(args, alloc_args, io)).await,
            Some(Action::Renew(select)) => {
                let mut emitter = emitter(args, &select.ledger, io)?;
                let (selection, _) = meant(args, select, io, &mut emitter)?;
                let engine = Engine::connect(&select.engine).await?;
                manage::renew(&engine, &selection, select.dry_run, io).await
            }
            Some(Action::Release(select)) => {
                let mut emitter = emitter(args, &select.ledger, io)?;
                let (selection, seen) = meant(args, select, io, &mut emitter)?;
                let engine = Engine::connect(&select.engine).await?;
                manage::release(&engine, &selection, select.dry_run, &seen, io, &mut emitter).await
            }
            Some(Action::List(select)) => {
                let mut emitter = emitter(args, &select.ledger, io)?;
                let engine = Engine::connect(&select.engine).await?;
                manage::list(&engine, &Selection::new(select), io, &mut emitter).await
            }
            Some(Action::Gc(GcArgs { select, nodes })) => {
                let mut emitter = emitter(args, &select.ledger, io)?;
                let engine = Engine::connect(&select.engine).await?;
                let nodes = nodes::connect(&nodes.nodes, &engine, &io.diag).await;
                manage::gc(&engine, &nodes, &Selection::new(select), select.dry_run, io, &mut emitter).await
            }
            Some(Action::Audit(audit)) => {
                let mut emitter = emitter(args, &audit.ledger, io)?;
                let engine = Engine::connect(&audit.engine).await?;
                let nodes = nodes::connect(&audit.nodes.nodes, &engine, &io.diag).await;
                let base = audit.base.as_ref().map(ToString::to_string);
                audit::run(&engine, &nodes, base.as_deref(), io, &mut emitter).await
            }
            Some(Action::Probe(probe)) => {
                let mut emitter = emitter(args, &probe.ledger, io)?;
                let seen = intake::read(&args.common, io, &mut emitter)?;
                probe::run(probe, &seen.domains(), io, &mut emitter).await
            }
        }
    })
}

async fn alloc(args: &Args, alloc: &AllocArgs, io: &mut Io<'_>) -> Result<Exit> {
    let Some(base) = alloc.base.clone() else {
        return Err(Error::cannot("reading the arguments", "--base (or REDFIX_BASE_DOMAIN) is missing")
            .hint("the domain whose wildcard certificate and DNS record point at this swarm"));
    };
    let objects = compose::read(&alloc.compose)?;
    for network in &objects.internal {
        io.diag.warn(format_args!(
            "network {network} is internal, so the engine resolves the recipe's own names on every shared network first"
        ));
    }
    let mut emitter = emitter(args, &alloc.ledger, io)?;
    let seen = intake::read(&args.common, io, &mut emitter)?;
    let recipes: Vec<String> = match &alloc.recipe[..] {
        [] => seen.cases.iter().map(|(recipe, _)| recipe.clone()).collect(),
        named => named.to_vec(),
    };
    if recipes.is_empty() {
        if io.stdin_is_terminal {
            return Err(Error::cannot(
                "reading the arguments",
                "there is neither a failed case on standard input nor a --recipe",
            ));
        }
        return Ok(Exit::Done);
    }
    let terms = terms(alloc, base, objects, emitter.investigation());
    let engine = Engine::connect(&alloc.engine).await?;
    let nodes = nodes::connect(&alloc.nodes.nodes, &engine, &io.diag).await;
    let scope = terms.scope(&recipes);
    // The swarm is read once. In a batch, events keep what was read up to date.
    let mut watch = if recipes.len() > 1 { Some(Watch::start(&engine, &nodes, &scope).await?) } else { None };
    let mut world = store::world(&engine, &nodes, &scope).await?;
    if let Some(dir) = &alloc.abra_dir {
        world.add_extra(abra::stacks(dir)?.into_iter().map(|stack| (stack, NameOf::App)).collect());
    }
    let interrupt = Interrupt::watch()?;
    let clock = io.clock;
    let granter = Granter { store: &engine, terms: &terms, clock, interrupt: &interrupt };
    let mut exit = Exit::Done;
    for chunk in recipes.chunks(BATCH) {
        io.diag.phase(format_args!("leasing domains for {}", chunk.join(", ")));
        let Granted { outcomes, stopped } = match &mut watch {
            Some(watch) => Box::pin(granter.grant_all(chunk, &mut world, watch)).await,
            None => Box::pin(granter.grant_all(chunk, &mut world, &mut ())).await,
        };
        let mut grants = Vec::new();
        for (recipe, outcome) in outcomes {
            match outcome {
                Ok(grant) => grants.push((recipe, grant)),
                // This recipe gets no name, but the others still may.
                Err(error) => {
                    io.diag.error(&error);
                    exit = Exit::No;
                }
            }
        }
        print(&granter, grants, &seen, io, &mut emitter).await?;
        if let Some(error) = stopped {
            let Some(number) = interrupt.signal() else { return Err(error) };
            io.diag.error(&error);
            return Ok(Exit::Signal(number));
        }
    }
    Ok(exit)
}

/// How many leases are stored before one look at all leases that could conflict with them.
const BATCH: usize = 32;

/// Prints the granted leases. If one cannot be printed, it and all that follow are undone.
async fn print<S: Store>(
    granter: &Granter<'_, S>,
    grants: Vec<(String, Grant)>,
    seen: &Intake,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<()> {
    let mut failed: Option<Error> = None;
    for (recipe, Grant { lease, is_new, checked }) in grants {
        if granter.terms.dry_run {
            let what = if is_new { "would lease" } else { "is held already:" };
            io.diag.note(format_args!("dry run: {what} {}", lease.domain));
            continue;
        }
        if seen.leases.contains_key(&lease.id) {
            continue;
        }
        let case = seen.case_of(&recipe);
        if failed.is_none() {
            let Err(error) = emitter.emit(io, &lease.leased(case.clone(), checked)) else {
                granter.interrupt.remove_pending(&lease);
                continue;
            };
            failed = Some(Error::cannot("printing a lease", error.cause()));
        }
        let outcome = if is_new {
            let outcome = granter.undo(&lease).await;
            // The ledger may have got the record of the lease that standard output did not. Ignore an error: the
            // ledger may be gone, too.
            let _ = emitter.emit(io, &lease.released(case, "its record could not be written"));
            outcome
        } else {
            "it was held before and still is".to_owned()
        };
        failed = failed.map(|error| {
            let told = error
                .hint_text()
                .map_or_else(|| outcome.clone(), |told| format!("{told}; {lease}: {outcome}"));
            if error.hint_text().is_some() { error.hint(told) } else { error.on(&lease).hint(told) }
        });
    }
    failed.map_or(Ok(()), Err)
}

fn terms(alloc: &AllocArgs, base: name::Base, mut objects: compose::Objects, investigation: &str) -> Terms {
    let mut shared = std::mem::take(&mut objects.shared);
    shared.extend(alloc.shared_network.iter().cloned());
    let is_known = !alloc.compose.is_empty() || !alloc.shared_network.is_empty();
    Terms {
        base,
        class: alloc.class.clone(),
        purpose: alloc.purpose.clone().unwrap_or_else(|| alloc.class.0.clone()),
        holder: alloc.holder.clone().unwrap_or_else(|| investigation.to_owned()),
        investigation: investigation.to_owned(),
        ttl_ms: u64::try_from(alloc.ttl.as_millis()).unwrap_or(u64::MAX),
        pattern: alloc.pattern.clone(),
        avoid: alloc.avoid.clone(),
        objects,
        shared: is_known.then_some(shared),
        certificate: alloc.certificate.iter().map(|name| name.to_lowercase()).collect(),
        dry_run: alloc.dry_run,
    }
}

/// The leases that `renew` and `release` mean: without `--lease` and `--holder`, those of the investigation.
fn meant(args: &Args, select: &SelectArgs, io: &mut Io, emitter: &mut Emitter) -> Result<(Selection, Intake)> {
    let seen = intake::read(&args.common, io, emitter)?;
    let mut selection = Selection::new(select);
    if selection.lease.is_none() && selection.holder.is_none() {
        if seen.investigation.is_none() {
            return Err(Error::cannot("reading the arguments", "nothing says whose leases are meant")
            .hint("give --lease, --holder or --investigation, or records on standard input"));
        }
        selection.holder.clone_from(&seen.investigation);
    }
    Ok((selection, seen))
}

fn emitter(args: &Args, ledger: &LedgerArg, io: &Io) -> Result<Emitter> {
    let ledger = ledger.ledger.as_deref().map(|path| Ledger::open(path, &io.diag)).transpose()?;
    Ok(Emitter::new(args.common.investigation.clone(), ledger))
}

/// Entry points for the fuzz targets: everything that reads foreign bytes.
#[doc(hidden)]
pub mod fuzz {
    use std::collections::BTreeMap;

    pub use crate::abra::of_app as app;

    pub fn labels(labels: &BTreeMap<String, String>) {
        let _ = crate::route::labels::read(labels, "owner");
    }

    pub fn certificate(der: &[u8]) {
        let _ = crate::probe::certificate(der);
    }

    pub fn log_lines(bytes: &[u8]) {
        let _ = crate::probe::log_lines(bytes);
    }

    pub fn targets(text: &str) {
        let _ = crate::probe::target::list(text);
    }

    pub fn compose(text: &str) {
        let _ = crate::compose::parse(text, &|_| None);
    }
}
