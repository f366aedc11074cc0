//! The two values that the steps of an attempt get: what all attempts of this call share, and what is planned for this
//! one. No I/O.

use std::path::{Path, PathBuf};

use lib_common::Result;
use lib_common::clock::Clock;
use lib_common::diag::Diag;
use lib_common::docker::Engine;
use lib_common::record::Factors;

use crate::cli::RunArgs;
use crate::command::cgroup::Cgroup;
use crate::command::env::Facts;
use crate::command::vocabulary::Vocabulary;
use crate::load::cli::Condition;
use crate::load::maker::{self, Maker};
use crate::plan::{self, Namespace, Seen, Subject};
use crate::signals::Stop;
use crate::slot::Budget;
use crate::teardown::reaper::Reaper;
use crate::teardown::remover::Remover;

/// What every attempt of this call shares.
pub struct Context<'c> {
    pub engine: &'c Engine,
    /// The guard's program.
    pub guard: &'c Path,
    pub args: &'c RunArgs,
    pub command: &'c [String],
    pub subject: &'c Subject,
    pub seen: &'c Seen,
    /// The node that this run is asked to use, if `--node` names several.
    pub turn: Option<&'c str>,
    pub investigation: &'c str,
    /// Evidence folders are made below it; records name them relative to it.
    pub base: &'c Path,
    /// Whether `base` is a temporary folder, so that no evidence is kept.
    pub temporary: bool,
    pub ledger: Option<&'c Path>,
    pub remover: &'c Remover,
    pub reaper: &'c Reaper,
    pub vocabulary: &'c Vocabulary,
    pub stop: Stop,
    pub budget: Budget,
    pub diag: &'c Diag,
    pub clock: &'c dyn Clock,
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
    /// Plans a new attempt, with names that no other attempt has.
    pub fn plan(context: &Context<'_>, factors: &Factors) -> Result<Self> {
        let id = lib_common::new_id();
        let condition = plan::condition(factors)?;
        Ok(Self {
            names: context.subject.namespace_under(&id, factors),
            factors: factors.clone(),
            condition,
            folder: context.base.join(&id),
            makers: maker::plan(&context.args.load, context.subject, context.command, condition)?,
            id,
        })
    }

    /// Every stack that the attempt is about to create; its own comes first, then those of the load.
    pub fn stacks(&self) -> Vec<String> {
        let load = self.makers.iter().map(|maker| maker.names.stack.clone());
        std::iter::once(self.names.stack.clone()).chain(load).collect()
    }

    /// The values for its children's environment.
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
            node: context.turn,
        }
    }

    /// Makes a control group for one of its children; the error says why there is none.
    pub fn cgroup(&self, role: &str) -> std::result::Result<Cgroup, String> {
        Cgroup::make(&self.id, role)
    }
}
