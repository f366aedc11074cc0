//! Removes what a run or a dead predecessor created, and records what could not be proved gone as a debt.

use std::collections::BTreeSet;
use std::time::Duration;

use lib_common::diag::Diag;
use lib_common::docker::models::SystemInfo;
use lib_common::docker::{ApiError, ApiResult, Engine};
use lib_common::swarm::nodes::Nodes;
use lib_common::{Error, Result};

use super::calls::Calls;
use super::objects::{Snapshot, Target};
use super::pattern::Pattern;
use super::protect::Fence;
use super::standing::{self, Standing, Why};
use super::{Down, Teardown};
use crate::cli::RunArgs;
use crate::slot::Slot;

/// Longest time that a run spends on a debt of another.
const IN_PASSING: Duration = Duration::from_secs(10);

/// What all teardowns of one call share.
#[derive(Clone)]
pub struct Remover {
    pub nodes: Nodes,
    pub protect: Vec<Pattern>,
    pub timeout: Duration,
    pub calls: Calls,
}

impl Remover {
    /// `info` is the manager's description of itself.
    pub fn new(manager: &Engine, info: &SystemInfo, args: &RunArgs) -> Self {
        let name = info.name.as_deref().unwrap_or_default();
        let nodes = Nodes::new(manager, name, &args.down.nodes);
        let protect = args.down.protect.clone();
        Self { nodes, protect, timeout: args.teardown_timeout, calls: Calls::default() }
    }

    /// Tears down a run; `before` is what existed before it, `involved` the nodes that were seen to have its tasks.
    pub async fn remove(&self, target: &Target, before: &Snapshot, involved: BTreeSet<String>) -> Teardown {
        let fence = Fence { patterns: self.protect.clone(), before: before.clone() };
        self.down(target, &fence, involved).await
    }

    /// Tears down another process's run. As nobody knows which nodes it was on, all nodes count as involved.
    pub async fn remove_remains(&self, target: &Target) -> ApiResult<Teardown> {
        let fence = Fence { patterns: self.protect.clone(), before: Snapshot::default() };
        let members = self.nodes.members().await?;
        Ok(self.down(target, &fence, members.into_keys().collect()).await)
    }

    async fn down(&self, target: &Target, fence: &Fence, involved: BTreeSet<String>) -> Teardown {
        let (nodes, calls) = (&self.nodes, &self.calls);
        Down { nodes, target, fence, calls, involved, timeout: self.timeout }.run().await
    }

    /// Settles what a teardown left; returns whether the slot need not name the stacks any more. What could not be proved
    /// gone becomes a debt, which a later call settles when it can ask every node. What is still there for another reason
    /// stays in the slot.
    pub async fn settle(&self, attempt: &str, stacks: &[String], outcome: &Teardown) -> ApiResult<bool> {
        let engine = &self.nodes.manager;
        if outcome.unproved.is_empty() {
            if outcome.left.is_empty() {
                standing::forget(engine, attempt).await?;
            }
            return Ok(outcome.left.is_empty());
        }
        let about = outcome.unproved.join("; ");
        standing::put(engine, &Standing::new(Why::Owed, attempt, stacks, about)).await?;
        Ok(true)
    }

    /// Keeps the stacks. The config is written first; from the slot's compare-and-swap on nobody reaps them.
    pub async fn keep(&self, slot: &Slot, attempt: &str, stacks: &[String], about: String) -> Result<()> {
        let standing = Standing::new(Why::Kept, attempt, stacks, about);
        let put = standing::put(&self.nodes.manager, &standing).await;
        put.map_err(|e| e.into_error("keeping a stack", &stacks.join(", ")))?;
        slot.intend(&[]).await
    }

    /// Tears down what a dead holder left in the slot.
    pub async fn inherit(&self, slot: &Slot, diag: &Diag) -> Result<()> {
        let inherited = slot.inherited().await;
        if inherited.is_empty() {
            return Ok(());
        }
        let target = Target::of_remains(&inherited);
        let told = target.stacks.join(", ");
        diag.warn(format_args!("a dead predecessor left {told}: tearing it down"));
        let fail = |e: ApiError| e.into_error("tearing down what a dead predecessor left", &told);
        let outcome = self.remove_remains(&target).await.map_err(fail)?;
        for doubt in &outcome.unproved {
            diag.warn(format_args!("not proved to be gone: {told}: {doubt}"));
        }
        let owner = target.runs.first().map_or(told.as_str(), String::as_str);
        if !self.settle(owner, &target.stacks, &outcome).await.map_err(fail)? {
            return Err(Error::cannot("tearing down what a dead predecessor left", "still there")
                .on(outcome.left.join(", "))
                .hint("remove it by hand, then run again"));
        }
        slot.intend(&[]).await
    }

    /// Before a run: settles the debts that can be settled quickly. Warns of the others, which do not stop the run.
    pub async fn pay_in_passing(&self, diag: &Diag) {
        match self.pay(IN_PASSING).await {
            Ok(unpaid) => {
                for (debt, outcome) in &unpaid {
                    diag.warn(debt.unpaid(outcome));
                }
            }
            Err(e) => diag.warn(e.into_error("looking for debts", "the swarm")),
        }
    }

    /// Settles debts, each within `patience`; returns those that stay, with what is in the way.
    pub async fn pay(&self, patience: Duration) -> ApiResult<Vec<(Standing, Teardown)>> {
        let mut unpaid = Vec::new();
        for debt in standing::list(&self.nodes.manager, Why::Owed).await? {
            let short = Self { timeout: patience.min(self.timeout), ..self.clone() };
            let outcome = short.remove_remains(&debt.target()).await?;
            if outcome.is_clean() {
                standing::forget(&self.nodes.manager, &debt.attempt).await?;
            } else {
                unpaid.push((debt, outcome));
            }
        }
        Ok(unpaid)
    }
}
