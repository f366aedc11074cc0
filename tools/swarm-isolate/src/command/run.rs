//! Runs the command with its guard, companion, sampler and check; all of them have ended when this returns.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lib_common::clock::rfc3339;
use lib_common::docker::{Endpoint, Engine};
use lib_common::{Error, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admitted::Admitted;
use crate::command::check::{self, Checked};
use crate::command::children::Children;
use crate::command::cli::CommandArgs;
use crate::command::env::Facts;
use crate::command::group::{Ended, Group, Start, Stdout, shell};
use crate::command::{idle, strays};
use crate::context::{Attempt, Context, Ending, Swarm};
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
    let Context { children, ending, .. } = context;
    let Swarm { engine, remover, .. } = context.swarm;
    let args = children.args;
    let (secrets, values) = guard::secrets::to_companion()?;
    let policy = policy::of_run(&attempt.id, &attempt.names, scratch.path(), &args.allow)?;
    let guard = Guard::start(guard::Start {
        program: children.guard,
        engine,
        policy: &policy,
        vocabulary: children.vocabulary,
        companion: children.companion.is_some().then_some(values),
        calls: remover.calls.clone(),
        close: args.records_descriptor(),
    })
    .await?;
    let companion = start_companion(children, attempt, engine.endpoint(), &secrets, &mut notes)?;
    let mut command = match start_command(children, attempt, &guard, scratch.path(), &mut notes) {
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
    let sampling = Sampling::start(engine, stacks.clone(), mine, load, guard.id());
    let end = tokio::select! {
        end = end(engine, args, ending, slot, stacks, &guard, &mut command) => end,
        never = admitted.record(engine, slot, attempt.stacks(), &own) => match never {},
    };
    let took = started.1.elapsed();
    notes.extend(command.stop(args.grace).await.notes);
    strays::kill().await;
    let during = sampling.end().await;
    let conflict = makers::conflict(engine, attempt).await;
    // Before `--check`, which sees the engine itself: what that does is not the command's.
    let guard = guard.stop().await;
    notes.extend(guard.note.clone());
    let checked = match (&end, &args.check) {
        (End::Exited(_), Some(line)) => {
            Some(check(children, attempt, engine.endpoint(), line, scratch.path()).await)
        }
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
    children: &Children<'_>,
    attempt: &Attempt,
    engine: &Endpoint,
    secrets: &guard::secrets::Lent,
    notes: &mut Vec<String>,
) -> Result<Option<Group>> {
    let Some(line) = children.companion else { return Ok(None) };
    let (command, log) = (shell(line), attempt.folder.join("companion.log"));
    let mut start = children.start(&command, &attempt.facts(engine), &log);
    start.variables.push(("REDFIX_SECRETS_FD".into(), secrets.number().to_string()));
    (start.stdout, start.cgroup) = (Stdout::Keep, noted(attempt.cgroup("companion"), notes));
    secrets.lend(|| Group::start(start)).map(Some)
}

fn start_command(
    children: &Children<'_>,
    attempt: &Attempt,
    guard: &Guard,
    scratch: &Path,
    notes: &mut Vec<String>,
) -> Result<Group> {
    let (socket, log) = (Endpoint::Unix(guard.socket().to_owned()), attempt.folder.join("command.log"));
    let facts = Facts { scratch: Some(scratch), ..attempt.facts(&socket) };
    Group::start(Start {
        stdout: if children.args.records.is_some() { Stdout::Through } else { Stdout::Log },
        pty: children.args.pty,
        cgroup: noted(attempt.cgroup("command"), notes),
        guard: Some(guard),
        ..children.start(children.command, &facts, &log)
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
    engine: &Engine,
    args: &CommandArgs,
    ending: &Ending,
    slot: &Slot,
    stacks: watch::Receiver<Vec<String>>,
    guard: &Guard,
    command: &mut Group,
) -> End {
    let (mut stop, mut hold, activity) = (ending.stop.clone(), slot.hold(), command.activity());
    let idle = async {
        match args.idle_timeout {
            Some(limit) => idle::wait(engine, &stacks, &activity, limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        status = command.wait() => status.map_or(End::Timeout, End::Exited),
        () = tokio::time::sleep(args.timeout) => End::Timeout,
        () = idle => End::Idle,
        _ = stop.wait_for(Option::is_some) => End::Stopped(ending.stop.borrow().unwrap_or_default()),
        lost = hold.wait_for(Hold::is_lost) => End::SlotLost(lost.map_or(Hold::Taken, |hold| *hold)),
        () = ending.budget.spent() => End::Budget,
        () = guard.gone() => End::Unguarded,
    }
}

/// Asks `--check` while everything that the command recorded is still there.
async fn check(
    children: &Children<'_>,
    attempt: &Attempt,
    engine: &Endpoint,
    line: &str,
    scratch: &Path,
) -> Checked {
    let (command, log) = (shell(line), attempt.folder.join("check.log"));
    let facts = Facts { scratch: Some(scratch), ..attempt.facts(engine) };
    let start = children.start(&command, &facts, &log);
    let started = Group::start(Start { cgroup: attempt.cgroup("check").ok(), ..start });
    let mut group = match started {
        Ok(group) => group,
        Err(error) => return Checked::Undecided(error.to_string()),
    };
    let status = tokio::time::timeout(CHECK_DEADLINE, group.wait()).await.ok().flatten();
    group.stop(children.args.grace).await;
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
        engine: &Engine,
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
        Self { halt, task: tokio::spawn(sampler::sample(engine.clone(), own, halted)) }
    }

    async fn end(self) -> Option<Load> {
        let _ = self.halt.send(true);
        self.task.await.ok().flatten()
    }
}
