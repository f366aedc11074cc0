//! Removes everything of a run, on every node and in an order that leaks no addresses, waits until it is really gone,
//! and reports what is left and what could not be proved.
//!
//! [`order`] decides the order, [`objects`] what belongs to the run (by labels, never by names alone), and [`protect`]
//! refuses a teardown that would touch something protected, before the first call. [`events`] wake the waits; a slow
//! poll catches events that are missed.

mod addresses;
pub mod begun;
pub mod calls;
pub mod cli;
mod events;
mod images;
mod involved;
pub mod kept;
mod look;
pub mod objects;
mod order;
pub mod pattern;
pub mod protect;
pub mod reap;
pub mod reaper;
pub mod remover;
mod standing;
mod survey;
pub mod vigil;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lib_common::docker::{ApiResult, Engine};
use lib_common::record::run::{NetworkUse, RunFinished};
use lib_common::swarm::nodes::{Member, Nodes};
use lib_common::swarm::object::{Kind, Object, parse};
use lib_common::{Error, Result};
use tokio::task::JoinSet;

use self::calls::Calls;
use self::events::Wake;
use self::objects::Target;
use self::order::{Step, Task, Waiting};
use self::protect::Fence;

/// Longest wait for an event before looking again, in case one is missed.
const SAFETY_NET: Duration = Duration::from_millis(500);
/// How often task records are polled: the engine has no event for their end.
const TASK_POLL: Duration = Duration::from_millis(20);
/// Pause after the engine refused a removal ("in use") or did not answer.
const RETRY: Duration = Duration::from_millis(100);

/// The result of a teardown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Teardown {
    pub created: Vec<String>,
    pub left: Vec<String>,
    /// Why it is not proved that nothing is left, one sentence each.
    pub unproved: Vec<String>,
    /// Stacks that were kept on purpose.
    pub kept: Vec<String>,
    /// Names of other owners' networks that the run's services used, by id.
    pub shared: BTreeMap<String, String>,
    /// Addresses in use on them before and after the run; the caller fills it in.
    pub networks: Vec<NetworkUse>,
    pub took: Duration,
}

impl Teardown {
    /// Whether nothing is left and that is proved.
    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.unproved.is_empty()
    }
}

/// One teardown.
pub struct Down<'d> {
    pub nodes: &'d Nodes,
    pub target: &'d Target,
    pub fence: &'d Fence,
    pub calls: &'d Calls,
    /// Ids of the nodes that had tasks of the run at any time.
    pub involved: BTreeSet<String>,
    pub timeout: Duration,
}

impl Down<'_> {
    /// Removes every object of the target, trying again what is still in use, until nothing is left or `timeout` has
    /// passed.
    pub async fn run(mut self) -> Teardown {
        let start = Instant::now();
        let mut outcome = Teardown::default();
        let wake = Wake::on(self.nodes).await;
        let mut doubts = None;
        while start.elapsed() < self.timeout {
            let force = start.elapsed() > self.timeout / 2;
            let pause = match Box::pin(self.pass(&mut outcome, force)).await {
                Ok(Pass::Again) => continue,
                Ok(Pass::Pause(pause)) => pause,
                // Probe the shared networks once, then look again: that finds a probe that was left behind.
                Ok(Pass::Done) if doubts.is_none() && !outcome.shared.is_empty() => {
                    doubts = Some(Box::pin(self.probe(&outcome)).await);
                    continue;
                }
                Ok(Pass::Done) if Box::pin(self.images(&mut outcome)).await => break,
                Ok(Pass::Done) => RETRY,
                Ok(Pass::Crossed) => break,
                Err(e) => {
                    outcome.left = vec![format!("unknown: {}", e.message)];
                    RETRY
                }
            };
            wake.wait(pause).await;
        }
        outcome.unproved.extend(doubts.unwrap_or_default());
        outcome.took = start.elapsed();
        outcome
    }

    /// Looks once, and removes what may be removed now.
    async fn pass(&mut self, outcome: &mut Teardown, force: bool) -> ApiResult<Pass> {
        let (now, tasks, members) = tokio::join!(
            look::everything(self.nodes),
            look::tasks(self.nodes, self.target),
            self.nodes.members()
        );
        let (now, mut tasks, members) = (now?, tasks?, members?);
        look::find_lost(&mut tasks, &members);
        // What went around the guard has no label. But no other run ever has this stack's name, and the run started
        // only because nothing had a name like it. So whatever has such a name now, and did not exist before, is the
        // run's.
        let around = |object: &Object| {
            !self.target.runs.is_empty() && self.target.suspects(object) && !self.fence.before.has(object)
        };
        let (objects, rest): (Vec<Object>, Vec<Object>) =
            now.objects.into_iter().partition(|object| self.target.owns(object) || around(object));
        let suspects = rest.iter().filter(|object| self.target.suspects(object));
        let suspects =
            suspects.map(|object| format!("{object} (known by its name; it has no label of the run)"));
        outcome.left = objects.iter().map(ToString::to_string).chain(suspects).collect();
        let fresh: Vec<String> =
            outcome.left.iter().filter(|object| !outcome.created.contains(object)).cloned().collect();
        outcome.created.extend(fresh);
        self.involved.extend(tasks.iter().filter_map(|task| task.node.clone()));
        outcome.unproved = self.doubts(&now.silent, &tasks, &members);

        let crossed = self.fence.crossed(self.target, &objects);
        if !crossed.is_empty() {
            let crossed = crossed.iter().map(|object| format!("{object} is protected: nothing was removed"));
            outcome.unproved.extend(crossed);
            return Ok(Pass::Crossed);
        }
        match order::next(&objects, &tasks, force) {
            Step::Wait(Waiting::Containers) => Ok(Pass::Pause(SAFETY_NET)),
            Step::Wait(Waiting::Tasks) => Ok(Pass::Pause(TASK_POLL)),
            Step::Done => Ok(Pass::Done),
            Step::Delete(objects) => {
                if objects.iter().any(|object| object.kind == Kind::Service) {
                    outcome.shared.extend(addresses::shared(&self.nodes.manager, self.target).await?);
                }
                Ok(if self.delete(&objects).await { Pass::Again } else { Pass::Pause(RETRY) })
            }
        }
    }

    /// Removes objects kind by kind, and stops after a kind of which one was refused. Returns whether all are gone.
    async fn delete(&self, objects: &[&Object]) -> bool {
        for kind in Kind::ALL {
            let mut asked = JoinSet::new();
            for object in objects.iter().filter(|object| object.kind == kind) {
                let Ok(engine) = self.nodes.engine_of(object.node.as_deref()).await else { return false };
                self.calls.note(&object.id);
                let id = object.id.clone();
                asked.spawn(async move { engine.remove(kind, &id).await.is_ok() });
            }
            if !asked.join_all().await.into_iter().all(|gone| gone) {
                return false;
            }
        }
        true
    }

    /// Removes images that the run built, loaded or tagged, which `look` does not list. Returns whether all are gone.
    async fn images(&self, outcome: &mut Teardown) -> bool {
        match images::remove(self.nodes, self.target, self.calls).await {
            Ok((made, left)) => {
                let fresh = made.iter().map(ToString::to_string);
                let fresh: Vec<String> = fresh.filter(|image| !outcome.created.contains(image)).collect();
                outcome.created.extend(fresh);
                outcome.left.extend(left.iter().map(ToString::to_string));
                left.is_empty()
            }
            Err(e) => {
                outcome.left.push(format!("images: unknown: {}", e.message));
                false
            }
        }
    }

    async fn probe(&self, outcome: &Teardown) -> Vec<String> {
        let mut doubts = Vec::new();
        for (network, name) in &outcome.shared {
            doubts
                .extend(addresses::probe(&self.nodes.manager, self.calls, self.target, network, name).await);
        }
        doubts
    }

    /// A sentence for each node that had tasks of the run and cannot be asked.
    fn doubts(
        &self,
        silent: &BTreeMap<String, String>,
        tasks: &[Task],
        members: &BTreeMap<String, Member>,
    ) -> Vec<String> {
        let doubt = |id: &String| {
            let Some(Member { name, .. }) = members.get(id) else {
                return Some(format!("node {id} had tasks of the run and has left the swarm"));
            };
            if let Some(cause) = silent.get(name) {
                return Some(format!("node {name} does not answer: {cause}"));
            }
            if !self.nodes.asked().any(|asked| asked == name) {
                return Some(format!(
                    "node {name} had tasks of the run, and no --node {name}=HOST was given"
                ));
            }
            let lost = tasks.iter().any(|task| task.lost && task.node.as_ref() == Some(id));
            lost.then(|| format!("node {name} is lost to the swarm, with tasks of the run"))
        };
        self.involved.iter().filter_map(doubt).collect()
    }
}

enum Pass {
    /// Something was removed: look again at once.
    Again,
    Pause(Duration),
    Done,
    /// The teardown would touch something protected, so nothing was removed.
    Crossed,
}

/// The error, if any, that a run's record means for the tool's own exit code.
pub fn verdict(run: &RunFinished) -> Result<()> {
    let (left, unproved, harm) = (&run.cleanup.left, &run.cleanup.unproved, &run.harm);
    if !harm.is_empty() {
        return Err(Error::cannot("protecting others", "changed during the run").on(harm.join(", ")));
    }
    if !left.is_empty() {
        return Err(Error::cannot("tearing down", "still there")
            .on(left.join(", "))
            .hint("the next run, or 'swarm-isolate reap', tries again"));
    }
    if !unproved.is_empty() {
        return Err(Error::cannot("proving that nothing is left", unproved.join("; "))
            .on(&run.stack)
            .hint("'swarm-isolate reap' looks again; name every node with --node NAME=HOST"));
    }
    Ok(())
}

/// Counts deploys of others in progress: services that were changed in the last ten minutes and have tasks that do not
/// run yet. A service that has been broken for longer must not block isolated runs for ever.
pub async fn other_deploys(engine: &Engine, stacks: &[String], now: jiff::Timestamp) -> ApiResult<u32> {
    let services = engine.get("/services").await?;
    let tasks = engine.get("/tasks").await?;
    let recent = |at: &serde_json::Value| {
        let at: Option<jiff::Timestamp> = at.as_str().and_then(|text| text.parse().ok());
        at.is_some_and(|at| now.duration_since(at).as_secs() < 600)
    };
    let converging = |service: &&serde_json::Value| {
        recent(&service["UpdatedAt"])
            && tasks.as_array().into_iter().flatten().any(|task| {
                task["ServiceID"] == service["ID"]
                    && task["DesiredState"] == "running"
                    && task["Status"]["State"] != "running"
            })
    };
    let strange = |service: &&serde_json::Value| {
        let found = parse(Kind::Service, &serde_json::json!([service]));
        found.iter().all(|object| !stacks.iter().any(|stack| object.is_of(stack)))
    };
    let list = services.as_array().into_iter().flatten();
    Ok(u32::try_from(list.filter(strange).filter(converging).count()).unwrap_or(u32::MAX))
}
