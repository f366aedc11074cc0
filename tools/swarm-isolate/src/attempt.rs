//! One attempt, from an empty namespace back to an empty namespace.

use std::path::Path;
use std::time::Instant;

use lib_common::allow;
use lib_common::clock::rfc3339;
use lib_common::docker::Engine;
use lib_common::ledger::make_private_dir;
use lib_common::record::Factors;
use lib_common::{Error, Result};
use serde_json::Value;

use crate::admitted::{self, Admitted};
use crate::clean::{self, Taken};
use crate::command::{cgroup, run as beside, strays};
use crate::context::{Attempt, Context};
use crate::finished::{End, Finished, Ran};
use crate::load::cli::Condition;
use crate::load::condition::{self, Before};
use crate::load::makers;
use crate::load::watch::Watch;
use crate::records;
use crate::slot::{Ask, Gate, Slot, Want};
use crate::teardown::Teardown;
use crate::teardown::begun::Begun;
use crate::teardown::objects::Target;
use crate::teardown::remover::Remover;
use crate::teardown::vigil::{Changes, Vigil};

/// Runs the command once. `Ok(None)` when a signal asked to stop before the command was started.
pub async fn run(context: &Context<'_>, factors: &Factors) -> Result<Option<Finished>> {
    let attempt = Attempt::plan(context, factors)?;
    let mut watch = Watch::start();
    let want = match attempt.condition {
        Condition::Isolated => Want::All,
        // Each neighbour deploys too, and so needs a slot of its own.
        Condition::Loaded => Want::Some(1 + context.args.load.neighbours),
    };
    let gate =
        Gate { args: &context.args.slot, diag: context.diag, clock: context.clock, stop: &context.stop };
    let ask = Ask {
        want,
        attempt: attempt.id.clone(),
        wait: context.budget.cap(context.args.wait, Instant::now().into()),
        ttl: context.args.slot_ttl,
    };
    let taken = take_slot(context.engine, context.remover, &gate, &ask).await?;
    let Some(slot) = taken else { return Ok(None) };
    let outcome = Box::pin(in_slot(context, attempt, &slot, &mut watch)).await;
    // If something could not be torn down, the slot is not released: it keeps the stacks' names, and its next holder
    // tries again.
    if slot.intends_nothing().await
        && let Err(error) = slot.release().await
    {
        // Only a warning: the run is over and gets its record.
        context.diag.warn(error);
    }
    outcome
}

/// Waits until the run may start and takes the slots, then ends what their dead holder left: first its processes, which
/// could create more, then its stacks. `Ok(None)` when a signal asked to stop.
pub async fn take_slot(
    engine: &Engine,
    remover: &Remover,
    gate: &Gate<'_>,
    ask: &Ask,
) -> Result<Option<Slot>> {
    let Some(slot) = gate.admit(engine, ask).await? else { return Ok(None) };
    if !slot.inherited().await.is_empty() {
        cgroup::sweep(None);
    }
    remover.inherit(&slot, gate.diag).await?;
    remover.pay_in_passing(gate.diag).await;
    Ok(Some(slot))
}

async fn in_slot(
    context: &Context<'_>,
    attempt: Attempt,
    slot: &Slot,
    watch: &mut Watch,
) -> Result<Option<Finished>> {
    let (objects, services) = tokio::try_join!(admitted::look(context.engine), services(context.engine))?;
    make_private_dir(&attempt.folder)
        .map_err(|e| Error::cannot("making the evidence folder", e).on(attempt.folder.display()))?;
    let slots = slot.count().await;
    let patterns = &allow::stacks(&context.args.command.allow);
    if let Some(taken) = clean::taken(&attempt.names, patterns, &context.seen.stacks, &objects, &services) {
        return Ok(Some(refused(context, attempt, slots, taken)));
    }
    let stacks = attempt.stacks();
    let mut vigil = Vigil::begin(context.remover, &Target::of_run(&attempt.id, &stacks)).await?;
    // From here on the reaper writes the attempt's record if this process is killed. It must know of the attempt before
    // the slot does, and both before anything is created.
    context.reaper.begin(&begun(context, &attempt)).await?;
    if let Err(error) = slot.intend(&stacks).await {
        forget(context, &attempt).await;
        return Err(error);
    }
    let admitted = Admitted::new(patterns, objects);
    let outcome = Box::pin(loaded(context, &attempt, slot, &admitted, watch)).await;
    strays::kill().await;
    let admitted = admitted.found(context.engine).await;
    vigil.admit(&admitted);
    let mut torn = tear_down(context, slot, &vigil, &attempt, &admitted, keeps(context, &outcome)).await;
    let (before, ran) = match outcome {
        Ok(Some(ran)) => ran,
        other => {
            forget(context, &attempt).await;
            return other.map(|_| None);
        }
    };
    let changes = vigil.end(context.remover, &mut torn).await;
    Ok(Some(Finished { attempt, before, ran, teardown: torn, changes, slots }))
}

/// Whether the run's own stacks stay: with `--keep-on-success`, if the run is green.
fn keeps(context: &Context<'_>, outcome: &Result<Option<(Before, Ran)>>) -> bool {
    let green = |ran: &Ran| {
        records::outcome::of(&ran.end, ran.checked.as_ref()).0 == lib_common::record::run::Outcome::Pass
    };
    context.args.down.keep_on_success && matches!(outcome, Ok(Some((_, ran))) if green(ran))
}

/// Drops an attempt in which nothing ran: there is neither evidence to keep nor a run to record.
async fn forget(context: &Context<'_>, attempt: &Attempt) {
    context.reaper.end().await;
    let _ = std::fs::remove_dir_all(&attempt.folder);
}

/// The raw list of services, whose labels hold their routes.
async fn services(engine: &Engine) -> Result<Value> {
    let services = engine.get("/services").await;
    services.map_err(|e| e.into_error("looking for routes", &engine.endpoint().to_string()))
}

/// A run that ends before it starts, because its namespace is taken.
fn refused(context: &Context<'_>, attempt: Attempt, slots: (u32, u32), taken: Taken) -> Finished {
    Finished {
        attempt,
        before: Before::default(),
        ran: Ran::not(rfc3339(context.clock.now()), End::Taken(taken)),
        teardown: Teardown::default(),
        changes: Changes::default(),
        slots,
    }
}

/// Runs the command, for a loaded run within its load. `Ok(None)` when a signal asked to stop before it was started.
async fn loaded(
    context: &Context<'_>,
    attempt: &Attempt,
    slot: &Slot,
    admitted: &Admitted<'_>,
    watch: &mut Watch,
) -> Result<Option<(Before, Ran)>> {
    if !attempt.makers.is_empty() {
        context.diag.phase("loading the node");
        // Measure anew: what the node did before the load began does not count.
        *watch = Watch::start();
    }
    let load = makers::Running::start(context, attempt)?;
    let ran = match condition::wait(context, attempt, watch).await {
        Ok(Some(before)) => Ok(Some((before, command(context, attempt, slot, admitted, &load).await))),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    load.stop(context.args.command.grace).await;
    ran
}

/// Runs the command. One that cannot be started gives a run, too, whose record says so.
async fn command(
    context: &Context<'_>,
    attempt: &Attempt,
    slot: &Slot,
    admitted: &Admitted<'_>,
    load: &makers::Running,
) -> Ran {
    let started = (rfc3339(context.clock.now()), Instant::now());
    match Box::pin(beside::run(context, attempt, slot, admitted, load.cgroups())).await {
        Ok(ran) => ran,
        Err(error) => {
            Ran { took: started.1.elapsed(), ..Ran::not(started.0, End::NotStarted(error.to_string())) }
        }
    }
}

/// Tears down all stacks of the attempt, or, with `keep`, those of the load only. Once nothing of them is left the slot
/// no longer names them; kept stacks are registered as kept.
async fn tear_down(
    context: &Context<'_>,
    slot: &Slot,
    vigil: &Vigil,
    attempt: &Attempt,
    admitted: &[String],
    keep: bool,
) -> Teardown {
    let own: Vec<String> = std::iter::once(&attempt.names.stack).chain(admitted).cloned().collect();
    // The first one is the run's own stack.
    let load: Vec<String> = attempt.stacks().split_off(1);
    let all = [&own[..], &load[..]].concat();
    let going = if keep { &load } else { &all };
    context.diag.phase(format_args!("tearing down {}", going.join(", ")));
    // Kept stacks carry the run's label too, so with `keep` the label must not select what is torn down.
    let target = if keep { Target::of_stacks(going) } else { Target::of_run(&attempt.id, &all) };
    let mut torn = vigil.tear_down(context.remover, &target).await;
    let settled = if keep {
        torn.kept.clone_from(&own);
        let about = format!("{} {}", context.subject.recipe, context.subject.version);
        context.remover.keep(slot, &attempt.id, &own, about).await
    } else {
        match context.remover.settle(&attempt.id, &all, &torn).await {
            Ok(true) => slot.intend(&[]).await,
            Ok(false) => Ok(()),
            Err(e) => Err(e.into_error("settling what is left", &all.join(", "))),
        }
    };
    if let Err(error) = settled {
        context.diag.warn(error);
    }
    torn
}

/// What the reaper needs to finish the attempt if this process is killed.
fn begun(context: &Context<'_>, attempt: &Attempt) -> Begun {
    let (args, milliseconds) = (context.args, records::milliseconds);
    Begun {
        investigation: context.investigation.to_owned(),
        ledger: context.ledger.map(Path::to_owned),
        folder: attempt.folder.clone(),
        base: context.base.to_owned(),
        scratch: context.temporary.then(|| context.base.to_owned()),
        host: context.engine.endpoint().to_string(),
        engine_timeout_ms: milliseconds(context.engine.timeout()),
        nodes: args.down.nodes.clone(),
        protect: args.down.protect.clone(),
        stacks: attempt.stacks(),
        grace_ms: milliseconds(args.command.grace),
        teardown_timeout_ms: milliseconds(args.teardown_timeout),
        run: records::killed::of_killed(context, attempt),
    }
}
