//! Runs the command with its guard, companion, sampler and check; all of them have ended when this returns.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lib_common::clock::rfc3339;
use lib_common::docker::Endpoint;
use lib_common::{Error, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admitted::Admitted;
use crate::command::check::{self, Checked};
use crate::command::group::{Ended, Group, Start, Stdout, shell};
use crate::command::{idle, strays};
use crate::context::{Attempt, Context};
use crate::finished::{End, Ran};
use crate::guard::{self, Guard, policy};
use crate::load::makers;
use crate::load::sampler::{self, Load, Own};
use crate::slot::{Hold, Slot};

/// Time that a companion gets after SIGTERM, because it may have to write out what it captured.
const COMPANION_GRACE: Duration = Duration::from_secs(30);
/// Deadline of a check. It reads what is recorded already, so it has nothing to wait for.
const CHECK_DEADLINE: Duration = Duration::from_mins(5);

pub async fn run(
    context: &Context<'_>,
    attempt: &Attempt,
    slot: &Slot,
    admitted: &Admitted<'_>,
    load: Vec<PathBuf>,
) -> Result<Ran> {
    let scratch = tempfile::tempdir().map_err(|e| Error::cannot("making a scratch folder", e))?;
    let mut notes = Vec::new();
    let args = context.args;
    let (secrets, values) = guard::secrets::to_companion()?;
    let policy = policy::of_run(&attempt.id, &attempt.names, scratch.path(), &args.command.allow)?;
    let guard = Guard::start(guard::Start {
        program: context.guard,
        engine: context.engine,
        policy: &policy,
        vocabulary: context.vocabulary,
        companion: args.companion.is_some().then_some(values),
        calls: context.remover.calls.clone(),
        close: args.command.records_descriptor(),
    })
    .await?;
    let companion = start_companion(context, attempt, &secrets, &mut notes)?;
    let mut command = match start_command(context, attempt, &guard, scratch.path(), &mut notes) {
        Ok(command) => command,
        Err(error) => {
            if let Some(companion) = companion {
                companion.stop(COMPANION_GRACE).await;
            }
            return Err(error);
        }
    };
    let started = (rfc3339(context.clock.now()), Instant::now());
    context.diag.phase(format_args!("running {} {}", attempt.condition.name(), attempt.names.stack));

    let (own, stacks) = watch::channel(vec![attempt.names.stack.clone()]);
    let mine = [Some(&command), companion.as_ref()];
    let sampling = Sampling::start(context, stacks.clone(), mine, load, guard.id());
    let end = tokio::select! {
        end = end(context, slot, stacks, &guard, &mut command) => end,
        never = admitted.record(context.engine, slot, attempt.stacks(), &own) => match never {},
    };
    let took = started.1.elapsed();
    notes.extend(command.stop(context.args.command.grace).await.notes);
    strays::kill().await;
    let during = sampling.end().await;
    let conflict = makers::conflict(context, attempt).await;
    // Before `--check`, which sees the engine itself: what that does is not the command's.
    let guard = guard.stop().await;
    notes.extend(guard.note.clone());
    let checked = match (&end, &context.args.command.check) {
        (End::Exited(_), Some(line)) => Some(check(context, attempt, line, scratch.path()).await),
        _ => None,
    };
    let ended = match companion {
        Some(companion) => companion.stop(COMPANION_GRACE).await,
        None => Ended::default(),
    };
    notes.extend(ended.notes);
    Ok(Ran { started: started.0, took, end, checked, during, conflict, guard, companion: ended.kept, notes })
}

/// Starts the companion, which sees the engine itself: it captures evidence that the guard would refuse.
fn start_companion(
    context: &Context<'_>,
    attempt: &Attempt,
    secrets: &guard::secrets::Lent,
    notes: &mut Vec<String>,
) -> Result<Option<Group>> {
    let Some(line) = &context.args.companion else { return Ok(None) };
    let mut variables = attempt.facts(context).variables(&context.args.command.mappings);
    variables.push(("REDFIX_SECRETS_FD".into(), secrets.number().to_string()));
    let start = Start {
        command: &shell(line),
        variables,
        log: &attempt.folder.join("companion.log"),
        stdout: Stdout::Keep,
        show: context.diag.verbosity() > 0,
        pty: false,
        cgroup: noted(attempt.cgroup("companion"), notes),
        vocabulary: context.vocabulary,
        records: context.args.command.records_descriptor(),
        guard: None,
    };
    secrets.lend(|| Group::start(start)).map(Some)
}

fn start_command(
    context: &Context<'_>,
    attempt: &Attempt,
    guard: &Guard,
    scratch: &Path,
    notes: &mut Vec<String>,
) -> Result<Group> {
    let args = &context.args.command;
    let socket = Endpoint::Unix(guard.socket().to_owned());
    let mut facts = attempt.facts(context);
    (facts.scratch, facts.engine) = (Some(scratch), &socket);
    Group::start(Start {
        command: context.command,
        variables: facts.variables(&args.mappings),
        log: &attempt.folder.join("command.log"),
        stdout: if args.records.is_some() { Stdout::Through } else { Stdout::Log },
        show: context.diag.verbosity() > 0,
        pty: args.pty,
        cgroup: noted(attempt.cgroup("command"), notes),
        vocabulary: context.vocabulary,
        records: context.args.command.records_descriptor(),
        guard: Some(guard),
    })
}

/// Notes once why there is no control group. The process group and the adoption of orphans have to do then.
fn noted<T>(group: std::result::Result<T, String>, notes: &mut Vec<String>) -> Option<T> {
    let text = |cause: &String| format!("no own control group: {cause}");
    match group {
        Ok(group) => Some(group),
        Err(cause) => {
            if !notes.contains(&text(&cause)) {
                notes.push(text(&cause));
            }
            None
        }
    }
}

/// Waits for the first event that ends the command.
async fn end(
    context: &Context<'_>,
    slot: &Slot,
    stacks: watch::Receiver<Vec<String>>,
    guard: &Guard,
    command: &mut Group,
) -> End {
    let args = &context.args.command;
    let (mut stop, mut hold, activity) = (context.stop.clone(), slot.hold(), command.activity());
    let idle = async {
        match args.idle_timeout {
            Some(limit) => idle::wait(context.engine, &stacks, &activity, limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        status = command.wait() => status.map_or(End::Timeout, End::Exited),
        () = tokio::time::sleep(args.timeout) => End::Timeout,
        () = idle => End::Idle,
        _ = stop.wait_for(Option::is_some) => End::Stopped(context.stop.borrow().unwrap_or_default()),
        lost = hold.wait_for(Hold::is_lost) => End::SlotLost(lost.map_or(Hold::Taken, |hold| *hold)),
        () = context.budget.spent() => End::Budget,
        () = guard.gone() => End::Unguarded,
    }
}

/// Runs `--check`, before teardown, while the stack and the scratch folder still exist.
async fn check(context: &Context<'_>, attempt: &Attempt, line: &str, scratch: &Path) -> Checked {
    let log = attempt.folder.join("check.log");
    let mut facts = attempt.facts(context);
    facts.scratch = Some(scratch);
    let started = Group::start(Start {
        command: &shell(line),
        variables: facts.variables(&context.args.command.mappings),
        log: &log,
        stdout: Stdout::Log,
        show: context.diag.verbosity() > 0,
        pty: false,
        cgroup: attempt.cgroup("check").ok(),
        vocabulary: context.vocabulary,
        records: context.args.command.records_descriptor(),
        guard: None,
    });
    let mut group = match started {
        Ok(group) => group,
        Err(error) => return Checked::Undecided(error.to_string()),
    };
    let status = tokio::time::timeout(CHECK_DEADLINE, group.wait()).await.ok().flatten();
    group.stop(context.args.command.grace).await;
    let said = std::fs::read(&log).unwrap_or_default();
    check::judge(status, &String::from_utf8_lossy(&said))
}

/// The sampler, which measures load while the command runs.
struct Sampling {
    halt: watch::Sender<bool>,
    task: JoinHandle<Option<Load>>,
}

impl Sampling {
    fn start(
        context: &Context<'_>,
        stacks: watch::Receiver<Vec<String>>,
        mine: [Option<&Group>; 2],
        load: Vec<PathBuf>,
        guard: i32,
    ) -> Self {
        let mine = || mine.iter().copied().flatten();
        let own = Own {
            stacks,
            groups: mine().filter(|group| group.cgroup().is_none()).map(Group::id).collect(),
            cgroups: mine().filter_map(Group::cgroup).map(Path::to_owned).collect(),
            load,
            guard: Some(guard),
        };
        let (halt, halted) = watch::channel(false);
        Self { halt, task: tokio::spawn(sampler::sample(context.engine.clone(), own, halted)) }
    }

    async fn end(self) -> Option<Load> {
        let _ = self.halt.send(true);
        self.task.await.ok().flatten()
    }
}
