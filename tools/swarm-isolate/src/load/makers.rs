//! Starts and ends the makers, which load the node during a loaded run, each in a namespace of its own. Only the run
//! beside them is a sample.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lib_common::docker::filters;
use lib_common::swarm::label;
use lib_common::{Error, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::ports;
use crate::command::group::{Group, Start, Stdout};
use crate::context::{Attempt, Context};

/// The running makers.
#[derive(Default)]
pub struct Running {
    groups: Vec<Group>,
    /// Holds the makers' evidence folders. What is in them is no evidence of the run, so it is removed when they end.
    _scratch: Option<TempDir>,
}

impl Running {
    pub fn start(context: &Context<'_>, attempt: &Attempt) -> Result<Self> {
        if attempt.makers.is_empty() {
            return Ok(Self::default());
        }
        let fail = |e| Error::cannot("making a scratch folder", e);
        let scratch = tempfile::tempdir().map_err(fail)?;
        let mut groups = Vec::new();
        for maker in &attempt.makers {
            let folder = scratch.path().join(&maker.log);
            let private = folder.join("scratch");
            std::fs::create_dir_all(&private).map_err(fail)?;
            let mut facts = attempt.facts(context);
            (facts.attempt, facts.stack, facts.domain) =
                (&maker.attempt, &maker.names.stack, &maker.names.domain);
            (facts.evidence, facts.scratch) = (folder.as_path(), Some(private.as_path()));
            groups.push(Group::start(Start {
                command: &maker.command,
                variables: facts.variables(&context.args.command.mappings),
                log: &attempt.folder.join(format!("{}.log", maker.log)),
                stdout: Stdout::Log,
                show: false,
                pty: context.args.command.pty && maker.log != "load",
                cgroup: attempt.cgroup(&maker.log).ok(),
                vocabulary: context.vocabulary,
                records: context.args.command.records_descriptor(),
                guard: None,
            })?);
        }
        Ok(Self { groups, _scratch: Some(scratch) })
    }

    pub fn cgroups(&self) -> Vec<PathBuf> {
        self.groups.iter().filter_map(Group::cgroup).map(Path::to_owned).collect()
    }

    /// Ends all makers at the same time, since each may take the whole `grace`.
    pub async fn stop(self, grace: Duration) {
        let stopping: Vec<_> = self.groups.into_iter().map(|group| tokio::spawn(group.stop(grace))).collect();
        for each in stopping {
            let _ = each.await;
        }
    }
}

/// A published port that both the run and its neighbours would need.
pub async fn conflict(context: &Context<'_>, attempt: &Attempt) -> Option<String> {
    if context.args.load.neighbours == 0 || attempt.makers.is_empty() {
        return None;
    }
    for stack in attempt.stacks() {
        let label = label::of_stack(&stack);
        let services: Value =
            context.engine.get(&format!("/services?{}", filters(&[("label", &label)]))).await.ok()?;
        if let Some(found) = ports::published(&services) {
            return Some(found);
        }
    }
    None
}

/// The error when a published port rules neighbours out.
pub fn refusal(conflict: &str) -> Error {
    Error::cannot("loading the node", format!("{conflict}, which only one copy can have"))
        .hint("load the node with other recipes: --load-with CMD instead of --neighbours")
}
