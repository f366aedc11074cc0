//! One attempt from an empty namespace back to an empty namespace.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use lib_common::clock::{Clock, rfc3339};
use lib_common::diag::Diag;
use lib_common::docker::Engine;
use lib_common::ledger::make_private_dir;
use lib_common::record::Factors;
use lib_common::redact::Redactor;
use lib_common::{Error, Result};
use serde_json::Value;

use crate::admitted::{self, Admitted};
use crate::clean::{self, Taken};
use crate::cli::RunArgs;
use crate::command::cgroup::{self, Cgroup};
use crate::command::check::Checked;
use crate::command::env::Facts;
use crate::command::{run as beside, strays};
use crate::load::cli::Condition;
use crate::load::condition::{self, Before};
use crate::load::makers::{self, Maker};
use crate::load::sampler::Load;
use crate::load::watch::Watch;
use crate::plan::{Namespace, Seen, Subject};
use crate::records::killed::Begun;
use crate::signals::Stop;
use crate::slot::{Slot, Taken as TakenSlot};
use crate::teardown::objects::Snapshot;
use crate::teardown::{self, Outcome as Teardown};

/// What every attempt of this call shares.
pub struct Context<'c> {
    pub engine: &'c Engine,
    /// The engine's own node.
    pub node: &'c str,
    pub args: &'c RunArgs,
    pub command: &'c [String],
    pub subject: &'c Subject,
    pub seen: &'c Seen,
    pub investigation: &'c str,
    /// Evidence folders are made below it; records name them relative to it.
    pub base: &'c Path,
    pub ledger: Option<&'c Path>,
    pub redactor: &'c Redactor,
    pub stop: Stop,
    pub diag: &'c Diag,
    pub clock: &'c dyn Clock,
}

/// How the command came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Exited(ExitStatus),
    Timeout,
    Idle,
    /// By this signal to us.
    Stopped(i32),
    /// Somebody else took the slot.
    SlotLost,
    /// The namespace was not free.
    Taken(Taken),
    /// It could not be started.
    NotStarted(String),
}

/// What the command's own part of an attempt brought.
#[derive(Debug)]
pub struct Ran {
    pub started: String,
    pub took: Duration,
    pub end: End,
    pub checked: Option<Checked>,
    pub during: Option<Load>,
    /// A port that the neighbours and the run fought for.
    pub conflict: Option<String>,
    /// Lines that the companion printed.
    pub companion: Vec<Vec<u8>>,
    pub notes: Vec<String>,
}

impl Ran {
    /// A command that never ran, for this reason.
    fn not(context: &Context<'_>, end: End) -> Self {
        Self {
            started: rfc3339(context.clock.now()),
            took: Duration::ZERO,
            end,
            checked: None,
            during: None,
            conflict: None,
            companion: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Everything that a record of the attempt is made of.
pub struct Finished {
    pub attempt: Attempt,
    pub before: Before,
    pub ran: Ran,
    pub teardown: Teardown,
    pub others_changed: Vec<String>,
}

/// An attempt that is about to be made.
pub struct Attempt {
    pub id: String,
    pub names: Namespace,
    pub factors: Factors,
    pub condition: Condition,
    pub folder: PathBuf,
    pub makers: Vec<Maker>,
}

impl Attempt {
    fn plan(context: &Context<'_>, factors: &Factors) -> Result<Self> {
        let id = lib_common::new_id();
        let condition = crate::plan::condition(factors)?;
        Ok(Self {
            names: context.subject.namespace_under(&id, factors),
            factors: factors.clone(),
            condition,
            folder: context.base.join(&id),
            makers: makers::plan(context, condition)?,
            id,
        })
    }

    /// Every stack that the attempt is about to create, the load's included.
    pub fn stacks(&self) -> Vec<String> {
        let load = self.makers.iter().map(|maker| maker.names.stack.clone());
        std::iter::once(self.names.stack.clone()).chain(load).collect()
    }

    /// What its children are told.
    pub fn facts<'f>(&'f self, context: &'f Context<'_>) -> Facts<'f> {
        Facts {
            investigation: context.investigation,
            attempt: &self.id,
            stack: &self.names.stack,
            domain: &self.names.domain,
            recipe: &context.subject.recipe,
            version: self.factors.get("version").unwrap_or(&context.subject.version),
            reference: context.subject.reference.as_deref(),
            factors: &self.factors,
            evidence: &self.folder,
            folder: context.base,
            scratch: None,
            engine: context.engine.endpoint(),
        }
    }

    /// A control group for one of its children, or in words why there is none.
    pub fn cgroup(&self, role: &str) -> std::result::Result<Cgroup, String> {
        Cgroup::make(&self.id, role)
    }
}

/// Runs the command once. `Ok(None)`: asked to stop before the command was started.
pub async fn run(context: &Context<'_>, factors: &Factors) -> Result<Option<Finished>> {
    let attempt = Attempt::plan(context, factors)?;
    let mut watch = Watch::start();
    let taken =
        take_slot(context.engine, context.args, context.diag, context.stop.clone(), &attempt.id).await?;
    let Some(slot) = taken else { return Ok(None) };
    let outcome = in_slot(context, attempt, &slot, &mut watch).await;
    // What could not be torn down stays recorded in the slot: whoever takes it next tries again.
    if slot.intends_nothing().await
        && let Err(error) = slot.release().await
    {
        // The run has its record all the same.
        context.diag.warn(error);
    }
    outcome
}

/// Tears down first what a dead holder left: its processes, then its stacks.
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
    let TakenSlot { slot, inherited } = tokio::select! {
        taken = Slot::take(engine, id, args.wait, args.slot_ttl, tell) => taken?,
        _ = stop.wait_for(Option::is_some) => return Ok(None),
    };
    if !inherited.is_empty() {
        cgroup::sweep(None);
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
    attempt: Attempt,
    slot: &Slot,
    watch: &mut Watch,
) -> Result<Option<Finished>> {
    let (objects, services) = tokio::try_join!(admitted::look(context.engine), services(context.engine))?;
    let snapshot: Snapshot = objects.iter().cloned().collect();
    make_private_dir(&attempt.folder)
        .map_err(|e| Error::cannot("making the evidence folder", e).on(attempt.folder.display()))?;
    let patterns = &context.args.command.namespace;
    if let Some(taken) = clean::taken(&attempt.names, patterns, &context.seen.stacks, &objects, &services) {
        return Ok(Some(refused(context, attempt, taken)));
    }
    // From here on the attempt has a record, whatever becomes of this process.
    let begun = Begun::write(context, &attempt)?;
    if let Err(error) = slot.intend(&attempt.stacks()).await {
        forget(begun, &attempt);
        return Err(error);
    }
    let admitted = Admitted::new(&context.args.command.namespace, objects);
    let outcome = loaded(context, &attempt, slot, &admitted, watch).await;
    strays::kill().await;
    let mut stacks = attempt.stacks();
    stacks.extend(admitted.found(context.engine).await);
    context.diag.phase(format_args!("tearing down {}", stacks.join(", ")));
    let torn = tear_down(context, slot, &stacks).await;
    let (before, ran) = match outcome {
        Ok(Some(ran)) => ran,
        other => {
            forget(begun, &attempt);
            return other.map(|_| None);
        }
    };
    let others_changed = changes(context, &snapshot, &stacks).await;
    Ok(Some(Finished { attempt, before, ran, teardown: torn, others_changed }))
}

/// Nothing ran, so there is neither evidence to keep nor a run to record.
fn forget(begun: Begun, attempt: &Attempt) {
    drop(begun);
    let _ = std::fs::remove_dir_all(&attempt.folder);
}

/// The services as they are, for their routes.
async fn services(engine: &Engine) -> Result<Value> {
    let services = engine.get("/services").await;
    services.map_err(|e| e.into_error("looking for routes", &engine.endpoint().to_string()))
}

/// A run that ends before it starts: a live service's collision is red, a leftover is nothing about the case.
fn refused(context: &Context<'_>, attempt: Attempt, taken: Taken) -> Finished {
    Finished {
        attempt,
        before: Before::default(),
        ran: Ran::not(context, End::Taken(taken)),
        teardown: Teardown::default(),
        others_changed: Vec::new(),
    }
}

/// The command, with its load around it. `Ok(None)`: asked to stop before it was started.
async fn loaded(
    context: &Context<'_>,
    attempt: &Attempt,
    slot: &Slot,
    admitted: &Admitted<'_>,
    watch: &mut Watch,
) -> Result<Option<(Before, Ran)>> {
    if !attempt.makers.is_empty() {
        context.diag.phase("loading the node");
        // What was before the load does not count.
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

/// A command that cannot be started is a run with that record.
async fn command(
    context: &Context<'_>,
    attempt: &Attempt,
    slot: &Slot,
    admitted: &Admitted<'_>,
    load: &makers::Running,
) -> Ran {
    let started = (rfc3339(context.clock.now()), Instant::now());
    match beside::run(context, attempt, slot, admitted, load.cgroups()).await {
        Ok(ran) => ran,
        Err(error) => Ran {
            started: started.0,
            took: started.1.elapsed(),
            ..Ran::not(context, End::NotStarted(error.to_string()))
        },
    }
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

/// Frees the slot again: taking it has torn down what a dead holder had begun. False: interrupted.
pub async fn reap(engine: &Engine, args: &RunArgs, diag: &Diag, stop: Stop) -> Result<bool> {
    match take_slot(engine, args, diag, stop, "reap").await? {
        Some(slot) => slot.release().await.map(|()| true),
        None => Ok(false),
    }
}
