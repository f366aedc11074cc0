//! What loads the node during a loaded run: `--load-with`, and `--neighbours`: copies of the command in namespaces
//! of their own. Only the run beside them is a sample.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lib_common::docker::filters;
use lib_common::swarm::label;
use lib_common::{Error, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::cli::Condition;
use super::ports;
use crate::attempt::{Attempt, Context};
use crate::command::group::{Group, Start, Stdout, shell};
use crate::plan::Namespace;

/// One that is to run, with names that no other has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    pub attempt: String,
    pub names: Namespace,
    /// Name of its log, without the ending.
    pub log: String,
    command: Vec<String>,
}

/// The makers of a run; none for an isolated one.
pub fn plan(context: &Context<'_>, condition: Condition) -> Result<Vec<Maker>> {
    let args = &context.args.load;
    if condition == Condition::Isolated {
        return Ok(Vec::new());
    }
    let maker = |log: String, command: Vec<String>| {
        let attempt = lib_common::new_id();
        Maker { names: context.subject.namespace(&attempt), attempt, log, command }
    };
    let load = args.load_with.iter().map(|line| maker("load".into(), shell(line).to_vec()));
    let copies =
        (1..=args.neighbours).map(|number| maker(format!("neighbour-{number}"), context.command.to_vec()));
    let all: Vec<Maker> = load.chain(copies).collect();
    if all.is_empty() {
        return Err(Error::cannot("planning a run", "a loaded run without a load")
            .hint("give --load-with CMD, or --neighbours N"));
    }
    Ok(all)
}

/// Those that run.
#[derive(Default)]
pub struct Running {
    groups: Vec<Group>,
    /// Their evidence is no evidence of the run, so it goes when they end.
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

    /// All at once: each may take its whole grace.
    pub async fn stop(self, grace: Duration) {
        let stopping: Vec<_> = self.groups.into_iter().map(|group| tokio::spawn(group.stop(grace))).collect();
        for each in stopping {
            let _ = each.await;
        }
    }
}

/// A published port that neighbours and the run would fight for.
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

/// The refusal of neighbours that cannot be.
pub fn refusal(conflict: &str) -> Error {
    Error::cannot("loading the node", format!("{conflict}, which only one copy can have"))
        .hint("load the node with other recipes: --load-with CMD instead of --neighbours")
}
