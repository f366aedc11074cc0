//! One attempt from an empty namespace back to an empty namespace.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use lib_common::clock::{Clock, rfc3339};
use lib_common::diag::Diag;
use lib_common::docker::Engine;
use lib_common::ledger::make_private_dir;
use lib_common::record::Factors;
use lib_common::{Error, Result};
use tokio::process::Command;
use tokio::sync::watch;

use crate::cli::{Condition, RunArgs};
use crate::command::group::{self, Group, Stdout};
use crate::condition::{self, Before};
use crate::plan::{Namespace, Subject};
use crate::sampler::{self, Load, Own};
use crate::signals::Stop;
use crate::slot::{Ask, Budget, Gate, Slot, Want};
use crate::teardown::Outcome as Teardown;
use crate::teardown::begun::Begun;
use crate::teardown::objects::Target;
use crate::teardown::reaper::Reaper;
use crate::teardown::remover::Remover;
use crate::teardown::vigil::{Changes, Vigil};

/// What every attempt of this call shares.
pub struct Context<'c> {
    pub engine: &'c Engine,
    pub args: &'c RunArgs,
    pub command: &'c [String],
    pub subject: &'c Subject,
    /// The node whose turn it is, where there is a choice.
    pub turn: Option<&'c str>,
    pub investigation: &'c str,
    /// Evidence folders are made below it; records name them relative to it.
    pub base: &'c Path,
    /// Its folder is temporary: nobody keeps the evidence.
    pub temporary: bool,
    pub ledger: Option<&'c Path>,
    pub remover: &'c Remover,
    pub reaper: &'c Reaper,
    pub stop: Stop,
    pub budget: Budget,
    pub diag: &'c Diag,
    pub clock: &'c dyn Clock,
}

/// How the command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Exited(ExitStatus),
    Timeout,
    /// By this signal to us.
    Stopped(i32),
    /// Somebody else took the slot.
    SlotLost,
    /// What is left of the budget is for the teardown.
    Budget,
}

/// Everything that a record of the attempt is made of.
pub struct Finished {
    pub id: String,
    pub names: Namespace,
    pub factors: Factors,
    pub folder: PathBuf,
    pub started: String,
    pub took: Duration,
    pub end: End,
    pub before: Before,
    pub during: Option<Load>,
    pub teardown: Teardown,
    pub changes: Changes,
    /// Slots held, of how many.
    pub slots: (u32, u32),
    /// Records that the companion printed.
    pub companion: Vec<Vec<u8>>,
}

/// Runs the command once. `Ok(None)`: asked to stop before the command was started.
pub async fn run(context: &Context<'_>, factors: &Factors) -> Result<Option<Finished>> {
    let id = lib_common::new_id();
    let names = context.subject.namespace(&id);
    let want = match crate::plan::condition(factors)? {
        Condition::Isolated => Want::All,
        Condition::Loaded => Want::One,
    };
    let gate =
        Gate { args: &context.args.slot, diag: context.diag, clock: context.clock, stop: &context.stop };
    let ask = Ask {
        want,
        attempt: id.clone(),
        wait: context.budget.cap(context.args.wait, Instant::now().into()),
        ttl: context.args.slot_ttl,
    };
    let taken = take_slot(context.engine, context.remover, &gate, &ask).await?;
    let Some(slot) = taken else { return Ok(None) };
    let outcome = in_slot(context, factors, &id, &names, &slot).await;
    // What could not be torn down stays recorded in the slot: whoever takes it next tries again.
    if slot.intends_nothing().await
        && let Err(error) = slot.release().await
    {
        // The run has its record all the same.
        context.diag.warn(error);
    }
    outcome
}

/// Waits for leave to start and takes the slots, then tears down what a dead holder left. `Ok(None)`: asked to stop.
pub async fn take_slot(
    engine: &Engine,
    remover: &Remover,
    gate: &Gate<'_>,
    ask: &Ask,
) -> Result<Option<Slot>> {
    let Some(slot) = gate.admit(engine, ask).await? else { return Ok(None) };
    remover.inherit(&slot, gate.diag).await?;
    remover.pay_in_passing(gate.diag).await;
    Ok(Some(slot))
}

async fn in_slot(
    context: &Context<'_>,
    factors: &Factors,
    id: &str,
    names: &Namespace,
    slot: &Slot,
) -> Result<Option<Finished>> {
    let condition = crate::plan::condition(factors)?;
    let folder = context.base.join(id);
    make_private_dir(&folder)
        .map_err(|e| Error::cannot("making the evidence folder", e).on(folder.display()))?;
    let load_stack = format!("{}-load", names.stack);
    let stacks = vec![names.stack.clone(), load_stack.clone()];
    let target = Target::of_run(id, &stacks);
    let vigil = Vigil::begin(context.remover, &target).await?;
    if let Some(object) = vigil.before().of_stacks(&stacks).next() {
        return Err(Error::cannot("starting clean", "the namespace is taken").on(object));
    }
    context.reaper.begin(&begun(context, factors, id, names, &folder, &stacks)).await?;
    slot.intend(&stacks).await?;
    let load = match (condition, &context.args.load_with) {
        (Condition::Isolated, _) => None,
        (Condition::Loaded, None) => {
            return Err(
                Error::cannot("planning a run", "a loaded run without a load").hint("give --load-with CMD")
            );
        }
        (Condition::Loaded, Some(command)) => {
            let mut shell = shell(command);
            environment(context, &mut shell, factors, id, names, &folder);
            shell.env("REDFIX_STACK", &load_stack);
            context.diag.phase("loading the node");
            Some(Group::start(shell, &folder.join("load.log"), Stdout::Log, false)?)
        }
    };
    let before = tokio::select! {
        before = condition::wait(context, condition, &stacks) => before,
        () = context.budget.spent() => Err(Error::again("waiting for a calm node", "the budget is spent")),
    };
    let before = match before {
        Ok(Some(before)) => before,
        other => {
            if let Some(load) = load {
                load.stop(context.args.grace).await;
            }
            tear_down(context, slot, &vigil, id, &stacks, &stacks).await;
            // Nothing ran, so there is no evidence to keep.
            let _ = std::fs::remove_dir_all(&folder);
            return other.map(|_| None);
        }
    };
    let started = (rfc3339(context.clock.now()), Instant::now());
    let ran = run_command(context, factors, id, names, &folder, slot, load.as_ref().map(Group::id)).await;
    if let Some(load) = load {
        load.stop(context.args.grace).await;
    }
    group::kill_orphans(&[]).await;
    let took = started.1.elapsed();
    let keep = context.args.down.keep_on_success
        && matches!(&ran, Ok((End::Exited(status), ..)) if status.success());
    let going = if keep { &stacks[1..] } else { &stacks[..] };
    context.diag.phase(format_args!("tearing down {}", going.join(", ")));
    let mut torn = tear_down(context, slot, &vigil, id, &stacks, going).await;
    let (end, during, companion) = ran?;
    let changes = vigil.end(context.remover, &mut torn).await;
    Ok(Some(Finished {
        id: id.to_owned(),
        names: names.clone(),
        factors: factors.clone(),
        folder,
        started: started.0,
        took,
        end,
        before,
        during,
        teardown: torn,
        changes,
        slots: slot.count().await,
        companion,
    }))
}

/// Tears down the stacks that go; once nothing is left of them, nothing is intended any more, and what does
/// not go is kept.
async fn tear_down(
    context: &Context<'_>,
    slot: &Slot,
    vigil: &Vigil,
    id: &str,
    stacks: &[String],
    going: &[String],
) -> Teardown {
    let (remover, kept) = (context.remover, &stacks[..stacks.len() - going.len()]);
    // What stays carries the run's label too.
    let target = if kept.is_empty() { Target::of_run(id, stacks) } else { Target::of_stacks(going) };
    let mut torn = vigil.tear_down(remover, &target).await;
    let settled = if kept.is_empty() {
        match remover.settle(id, stacks, &torn).await {
            Ok(true) => slot.intend(&[]).await,
            Ok(false) => Ok(()),
            Err(e) => Err(e.into_error("settling what is left", &stacks.join(", "))),
        }
    } else {
        torn.kept = kept.to_vec();
        let about = format!("{} {}", context.subject.recipe, context.subject.version);
        remover.keep(slot, id, kept, about).await
    };
    if let Err(error) = settled {
        context.diag.warn(error);
    }
    torn
}

/// What finishes the attempt should we be killed.
fn begun(
    context: &Context<'_>,
    factors: &Factors,
    id: &str,
    names: &Namespace,
    folder: &Path,
    stacks: &[String],
) -> Begun {
    let (args, milliseconds) = (context.args, crate::records::milliseconds);
    Begun {
        investigation: context.investigation.to_owned(),
        ledger: context.ledger.map(Path::to_owned),
        folder: folder.to_owned(),
        base: context.base.to_owned(),
        scratch: context.temporary.then(|| context.base.to_owned()),
        host: context.engine.endpoint().to_string(),
        engine_timeout_ms: milliseconds(context.engine.timeout()),
        nodes: args.down.nodes.clone(),
        protect: args.down.protect.clone(),
        stacks: stacks.to_vec(),
        grace_ms: milliseconds(args.grace),
        teardown_timeout_ms: milliseconds(args.teardown_timeout),
        run: crate::records::of_killed(context, factors, id, names),
    }
}

/// The command with its companion and the sampler beside it; all of them have ended when this returns.
async fn run_command(
    context: &Context<'_>,
    factors: &Factors,
    id: &str,
    names: &Namespace,
    folder: &Path,
    slot: &Slot,
    load: Option<i32>,
) -> Result<(End, Option<Load>, Vec<Vec<u8>>)> {
    let scratch = tempfile::tempdir().map_err(|e| Error::cannot("making a scratch folder", e))?;
    let companion = match &context.args.companion {
        None => None,
        Some(line) => {
            let mut shell = shell(line);
            environment(context, &mut shell, factors, id, names, folder);
            Some(Group::start(
                shell,
                &folder.join("companion.log"),
                Stdout::Keep,
                context.diag.verbosity() > 1,
            )?)
        }
    };
    let mut command = Command::new(&context.command[0]);
    command
        .args(&context.command[1..])
        .env("REDFIX_SCRATCH", scratch.path())
        .env("ABRA_DIR", scratch.path().join("abra"));
    environment(context, &mut command, factors, id, names, folder);
    let mut command =
        Group::start(command, &folder.join("command.log"), Stdout::Log, context.diag.verbosity() > 1)?;
    context.diag.phase(format_args!(
        "running {} {}",
        factors.get("load").map_or("", String::as_str),
        names.stack
    ));

    let mut groups = vec![command.id()];
    groups.extend(companion.as_ref().map(Group::id));
    let (_own, own) = watch::channel(Own { stack: names.stack.clone(), groups });
    let (halt, halted) = watch::channel(false);
    let sampling = tokio::spawn(sampler::sample(context.engine.clone(), own, halted));

    let (mut stop, mut lost) = (context.stop.clone(), slot.lost());
    let end = tokio::select! {
        status = command.wait() => status.map_or(End::Timeout, End::Exited),
        () = tokio::time::sleep(context.args.timeout) => End::Timeout,
        _ = stop.wait_for(Option::is_some) => End::Stopped(context.stop.borrow().unwrap_or_default()),
        _ = lost.wait_for(|lost| *lost) => End::SlotLost,
        () = context.budget.spent() => End::Budget,
    };
    command.stop(context.args.grace).await;
    let keep: Vec<i32> = companion.iter().map(Group::id).chain(load).collect();
    group::kill_orphans(&keep).await;
    let _ = halt.send(true);
    let during = sampling.await.ok().flatten();
    let records = match companion {
        Some(companion) => companion.stop(Duration::from_secs(30)).await.1,
        None => Vec::new(),
    };
    Ok((end, during, records))
}

fn shell(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]);
    shell
}

/// What the command, its companion and the load learn of the attempt.
fn environment(
    context: &Context<'_>,
    command: &mut Command,
    factors: &Factors,
    id: &str,
    names: &Namespace,
    folder: &Path,
) {
    let subject = context.subject;
    command
        .env("REDFIX_INVESTIGATION", context.investigation)
        .env("REDFIX_ATTEMPT", id)
        .env("REDFIX_STACK", &names.stack)
        .env("REDFIX_DOMAIN", &names.domain)
        .env("REDFIX_CONDITION", factors.get("load").map_or("isolated", String::as_str))
        .env("REDFIX_EVIDENCE", folder)
        .env("REDFIX_LEDGER_DIR", context.base)
        .env("DOCKER_HOST", context.engine.endpoint().to_string())
        .env("RECIPE", &subject.recipe)
        .env("VERSION", factors.get("version").unwrap_or(&subject.version))
        .env("REF", subject.reference.as_deref().unwrap_or_default())
        // Records of children go through their parent, who alone writes the ledger.
        .env_remove("REDFIX_LEDGER");
    if let Some(node) = context.turn {
        command.env("REDFIX_NODE", node);
    }
    for (name, level) in factors {
        command.env(format!("REDFIX_FACTOR_{}", name.to_ascii_uppercase()), level);
    }
}
