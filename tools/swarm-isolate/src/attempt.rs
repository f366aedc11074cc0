//! One attempt, from an empty namespace back to an empty namespace.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use lib_common::allow;
use lib_common::clock::{Clock, rfc3339};
use lib_common::docker::Engine;
use lib_common::ledger::make_private_dir;
use lib_common::{Error, Result};
use serde_json::Value;

use crate::admitted::{self, Admitted};
use crate::clean::{self, Taken};
use crate::command::{cgroup, run as beside, strays};
use crate::context::{Attempt, Context, Ending, Swarm};
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
use crate::teardown::reaper::Reaper;
use crate::teardown::remover::Remover;
use crate::teardown::vigil::{Changes, Vigil};

/// Runs the command once. `former`: the stacks of runs on record. `Ok(None)`: asked to stop before the command was
/// started.
pub async fn run(
    context: &Context<'_>,
    attempt: Attempt,
    former: &HashSet<String>,
) -> Result<Option<Finished>> {
    let mut watch = Watch::start();
    let want = match attempt.condition {
        Condition::Isolated => Want::All,
        // Each neighbour deploys too, and so needs a slot of its own.
        Condition::Loaded => Want::Some(1 + context.args.load.neighbours),
    };
    let (args, Ending { budget, stop }) = (&context.args.slot, context.ending);
    let gate = Gate { args, diag: context.diag, clock: context.clock, stop };
    let ask = Ask {
        want,
        attempt: attempt.id.clone(),
        wait: budget.cap(args.wait, Instant::now().into()),
        ttl: args.ttl.slot_ttl,
    };
    let Swarm { engine, remover, .. } = context.swarm;
    let Some(slot) = take_slot(engine, remover, &gate, &ask).await? else { return Ok(None) };
    let outcome = Box::pin(in_slot(context, attempt, former, &slot, &mut watch)).await;
    // What could not be torn down stays recorded in the slot: whoever takes it next tries again.
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
    former: &HashSet<String>,
    slot: &Slot,
    watch: &mut Watch,
) -> Result<Option<Finished>> {
    let Swarm { engine, remover, reaper } = context.swarm;
    let (objects, services) = tokio::try_join!(admitted::look(engine), services(engine))?;
    make_private_dir(&attempt.folder)
        .map_err(|e| Error::cannot("making the evidence folder", e).on(attempt.folder.display()))?;
    let slots = slot.count().await;
    let patterns = &allow::stacks(&context.args.command.allow);
    if let Some(taken) = clean::taken(&attempt.names, patterns, former, &objects, &services) {
        return Ok(Some(refused(context.clock, attempt, slots, taken)));
    }
    let stacks = attempt.stacks();
    let mut vigil = Vigil::begin(remover, &Target::of_run(&attempt.id, &stacks)).await?;
    // From here on the attempt has a record, whatever becomes of this process.
    reaper.begin(&begun(context, &attempt)).await?;
    if let Err(error) = slot.intend(&stacks).await {
        forget(reaper, &attempt).await;
        return Err(error);
    }
    let admitted = Admitted::new(patterns, objects);
    let outcome = Box::pin(loaded(context, &attempt, slot, &admitted, watch)).await;
    strays::kill().await;
    let admitted = admitted.found(engine).await;
    vigil.admit(&admitted);
    let keep = context.args.keep_on_success && is_green(&outcome);
    let mut torn = tear_down(context, slot, &vigil, &attempt, &admitted, keep).await;
    let (before, ran) = match outcome {
        Ok(Some(ran)) => ran,
        other => {
            forget(reaper, &attempt).await;
            return other.map(|_| None);
        }
    };
    let changes = vigil.end(remover, &mut torn).await;
    Ok(Some(Finished { attempt, before, ran, teardown: torn, changes, slots }))
}

fn is_green(outcome: &Result<Option<(Before, Ran)>>) -> bool {
    let green = |ran: &Ran| {
        records::outcome::of(&ran.end, ran.checked.as_ref()).0 == lib_common::record::run::Outcome::Pass
    };
    matches!(outcome, Ok(Some((_, ran))) if green(ran))
}

/// Nothing ran, so there is neither evidence to keep nor a run to record.
async fn forget(reaper: &Reaper, attempt: &Attempt) {
    reaper.end().await;
    let _ = std::fs::remove_dir_all(&attempt.folder);
}

/// The raw list of services, whose labels hold their routes.
async fn services(engine: &Engine) -> Result<Value> {
    let services = engine.get("/services").await;
    services.map_err(|e| e.into_error("looking for routes", &engine.endpoint().to_string()))
}

/// A run that ends before it starts: a live service's collision is red, a leftover is nothing about the case.
fn refused(clock: &dyn Clock, attempt: Attempt, slots: (u32, u32), taken: Taken) -> Finished {
    Finished {
        attempt,
        before: Before::default(),
        ran: Ran::not(rfc3339(clock.now()), End::Taken(taken)),
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
    let Context { args, swarm, ending, diag, clock, .. } = context;
    let load = makers::Running::start(&context.children, attempt, swarm.engine.endpoint())?;
    let waiting =
        condition::Waiting { args: &args.load, longest: args.slot.wait, ending, diag, clock: *clock };
    let ran = match waiting.until_so(swarm.engine, attempt, watch).await {
        Ok(Some(before)) => Ok(Some((before, command(context, attempt, slot, admitted, &load).await))),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    load.stop(args.command.grace).await;
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
    let remover = context.swarm.remover;
    let going = if keep { &load } else { &all };
    context.diag.phase(format_args!("tearing down {}", going.join(", ")));
    // Kept stacks carry the run's label too, so with `keep` the label must not select what is torn down.
    let target = if keep { Target::of_stacks(going) } else { Target::of_run(&attempt.id, &all) };
    let mut torn = vigil.tear_down(remover, &target).await;
    let settled = if keep {
        torn.kept.clone_from(&own);
        let about = format!("{} {}", attempt.subject.recipe, attempt.subject.version);
        remover.keep(slot, &attempt.id, &own, about).await
    } else {
        match remover.settle(&attempt.id, &all, &torn).await {
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
    let (args, engine, milliseconds) = (context.args, context.swarm.engine, records::milliseconds);
    Begun {
        investigation: attempt.investigation.clone(),
        ledger: context.ledger.map(Path::to_owned),
        folder: attempt.folder.clone(),
        base: attempt.base.clone(),
        scratch: (!context.keeps_evidence).then(|| attempt.base.clone()),
        host: engine.endpoint().to_string(),
        engine_timeout_ms: milliseconds(engine.timeout()),
        nodes: args.down.nodes.clone(),
        protect: args.down.protect.clone(),
        stacks: attempt.stacks(),
        grace_ms: milliseconds(args.command.grace),
        teardown_timeout_ms: milliseconds(args.down.teardown_timeout),
        run: records::killed::of_killed(&context.swarm, attempt, context.clock.now()),
    }
}
