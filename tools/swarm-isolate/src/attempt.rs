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
use crate::guard::{self, Guard};
use crate::plan::{Namespace, Subject};
use crate::sampler::{self, Load, Own};
use crate::signals::Stop;
use crate::slot::{Slot, Taken};
use crate::teardown::objects::Snapshot;
use crate::teardown::{self, Outcome as Teardown};

/// What every attempt of this call shares.
pub struct Context<'c> {
    pub engine: &'c Engine,
    pub args: &'c RunArgs,
    pub command: &'c [String],
    pub subject: &'c Subject,
    pub investigation: &'c str,
    /// Evidence folders are made below it; records name them relative to it.
    pub base: &'c Path,
    pub stop: Stop,
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
    pub others_changed: Vec<String>,
    /// What the guard refused, and what went around it.
    pub guard: guard::Report,
    /// Records that the companion printed.
    pub companion: Vec<Vec<u8>>,
}

/// Runs the command once. `Ok(None)`: asked to stop before the command was started.
pub async fn run(context: &Context<'_>, factors: &Factors) -> Result<Option<Finished>> {
    let id = lib_common::new_id();
    let names = context.subject.namespace(&id);
    let taken = take_slot(context.engine, context.args, context.diag, context.stop.clone(), &id).await?;
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

async fn take_slot(
    engine: &Engine,
    args: &RunArgs,
    diag: &Diag,
    mut stop: Stop,
    id: &str,
) -> Result<Option<Slot>> {
    let mut told = false;
    let tell = |holder: &str| {
        if !std::mem::replace(&mut told, true) {
            diag.phase(format_args!("waiting for the slot, held by {holder}"));
        }
    };
    let Taken { slot, inherited } = tokio::select! {
        taken = Slot::take(engine, id, args.wait, args.slot_ttl, tell) => taken?,
        _ = stop.wait_for(Option::is_some) => return Ok(None),
    };
    if !inherited.is_empty() {
        diag.warn(format_args!("a dead predecessor left {}: tearing down", inherited.join(", ")));
        let outcome = teardown::tear_down(engine, &inherited, args.teardown_timeout).await;
        if !outcome.left.is_empty() {
            return Err(Error::cannot("tearing down what a dead predecessor left", "still there")
                .on(outcome.left.join(", "))
                .hint("remove it by hand, then run again"));
        }
        slot.intend(&[]).await?;
    }
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
    let snapshot = teardown::snapshot(context.engine).await?;
    if let Some(object) = snapshot.of_stacks(&stacks).next() {
        return Err(Error::cannot("starting clean", "the namespace is taken").on(object));
    }
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
    let before = condition::wait(context, condition, &stacks).await;
    let before = match before {
        Ok(Some(before)) => before,
        other => {
            if let Some(load) = load {
                load.stop(context.args.grace).await;
            }
            tear_down(context, slot, &stacks).await;
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
    context.diag.phase(format_args!("tearing down {}", names.stack));
    let torn = tear_down(context, slot, &stacks).await;
    let (end, during, companion, guard) = ran?;
    let others_changed = changes(context, &snapshot, &stacks).await;
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
        others_changed,
        guard,
        companion,
    }))
}

/// Tears down; once nothing is left, nothing is intended any more.
async fn tear_down(context: &Context<'_>, slot: &Slot, stacks: &[String]) -> Teardown {
    let torn = teardown::tear_down(context.engine, stacks, context.args.teardown_timeout).await;
    if torn.left.is_empty()
        && let Err(error) = slot.intend(&[]).await
    {
        context.diag.warn(error);
    }
    torn
}

async fn changes(context: &Context<'_>, before: &Snapshot, stacks: &[String]) -> Vec<String> {
    match teardown::snapshot(context.engine).await {
        Ok(after) => after.changes_of_others(before, stacks),
        Err(error) => vec![format!("unknown: {error}")],
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
) -> Result<(End, Option<Load>, Vec<Vec<u8>>, guard::Report)> {
    let scratch = tempfile::tempdir().map_err(|e| Error::cannot("making a scratch folder", e))?;
    let (secrets, values) = guard::secrets::pipe()?;
    let values = context.args.companion.is_some().then_some(values);
    let policy = guard::Policy::new(&context.args.guard, id, names, scratch.path());
    let guard = Guard::start(context.engine, policy, values).await?;
    let companion = match &context.args.companion {
        None => None,
        Some(line) => {
            let mut shell = shell(line);
            environment(context, &mut shell, factors, id, names, folder);
            shell.env("REDFIX_SECRETS_FD", secrets.number().to_string());
            let (log, show) = (folder.join("companion.log"), context.diag.verbosity() > 1);
            Some(secrets.lend(|| Group::start(shell, &log, Stdout::Keep, show))?)
        }
    };
    let mut command = Command::new("/proc/self/exe");
    environment(context, &mut command, factors, id, names, folder);
    crate::command::launch::through(&guard, context.command, &mut command);
    command.env("REDFIX_SCRATCH", scratch.path()).env("ABRA_DIR", scratch.path().join("abra"));
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
    };
    command.stop(context.args.grace).await;
    let keep: Vec<i32> = companion.iter().map(Group::id).chain(load).collect();
    group::kill_orphans(&keep).await;
    let _ = halt.send(true);
    let during = sampling.await.ok().flatten();
    let guarded = guard.stop().await;
    let records = match companion {
        Some(companion) => companion.stop(Duration::from_secs(30)).await.1,
        None => Vec::new(),
    };
    Ok((end, during, records, guarded))
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
    for (name, level) in factors {
        command.env(format!("REDFIX_FACTOR_{}", name.to_ascii_uppercase()), level);
    }
}

/// Frees the slot again: taking it has torn down what a dead holder had begun. False: interrupted.
pub async fn reap(engine: &Engine, args: &RunArgs, diag: &Diag, stop: Stop) -> Result<bool> {
    match take_slot(engine, args, diag, stop, "reap").await? {
        Some(slot) => slot.release().await.map(|()| true),
        None => Ok(false),
    }
}
