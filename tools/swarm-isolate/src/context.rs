//! The two values that the steps of an attempt get: what all attempts of this call share, and what is planned for this
//! one. No I/O.

use std::path::{Path, PathBuf};

use lib_common::Result;
use lib_common::clock::Clock;
use lib_common::diag::Diag;
use lib_common::docker::{Endpoint, Engine};
use lib_common::record::Factors;

use crate::cli::RunArgs;
use crate::command::cgroup::Cgroup;
use crate::command::children::Children;
use crate::command::env::Facts;
use crate::load::cli::Condition;
use crate::load::maker::{self, Maker};
use crate::plan::{self, Namespace, Subject};
use crate::sequence::Turn;
use crate::signals::Stop;
use crate::slot::Budget;
use crate::teardown::reaper::Reaper;
use crate::teardown::remover::Remover;

/// What every attempt of this call shares; each step takes the part that it uses.
pub struct Context<'c> {
    pub args: &'c RunArgs,
    pub swarm: Swarm<'c>,
    pub children: Children<'c>,
    pub ending: &'c Ending,
    pub ledger: Option<&'c Path>,
    /// The evidence outlives this call.
    pub keeps_evidence: bool,
    pub diag: &'c Diag,
    pub clock: &'c dyn Clock,
}

/// The swarm, and who takes away what a run leaves there.
#[derive(Clone, Copy)]
pub struct Swarm<'c> {
    pub engine: &'c Engine,
    pub remover: &'c Remover,
    pub reaper: &'c Reaper,
}

/// What ends a run before its time.
pub struct Ending {
    pub budget: Budget,
    pub stop: Stop,
}

/// An attempt that is about to be made.
pub struct Attempt {
    pub id: String,
    pub investigation: String,
    pub subject: Subject,
    /// The case that asked for it, where one did.
    pub case: Option<String>,
    pub names: Namespace,
    pub factors: Factors,
    pub condition: Condition,
    /// The node whose turn it is, where there are several.
    pub node: Option<String>,
    /// Evidence folders are made below it; records name them relative to it.
    pub base: PathBuf,
    pub folder: PathBuf,
    pub makers: Vec<Maker>,
}

impl Attempt {
    /// A new one, with names that no other has.
    pub fn plan(
        args: &RunArgs,
        investigation: &str,
        turn: Turn,
        node: Option<&str>,
        base: &Path,
    ) -> Result<Self> {
        let Turn { subject, case, factors, not_before: _ } = turn;
        let id = lib_common::new_id();
        let condition = plan::condition(&factors)?;
        Ok(Self {
            investigation: investigation.to_owned(),
            names: subject.namespace_under(&id, &factors),
            makers: maker::plan(&args.load, &subject, &args.program, condition)?,
            subject,
            case,
            factors,
            condition,
            node: node.map(ToOwned::to_owned),
            base: base.to_owned(),
            folder: base.join(&id),
            id,
        })
    }

    /// Every stack that the attempt is about to create; its own comes first, then those of the load.
    pub fn stacks(&self) -> Vec<String> {
        let load = self.makers.iter().map(|maker| maker.names.stack.clone());
        std::iter::once(self.names.stack.clone()).chain(load).collect()
    }

    /// What its children are told; `engine`: where they find it.
    pub fn facts<'f>(&'f self, engine: &'f Endpoint) -> Facts<'f> {
        Facts {
            investigation: &self.investigation,
            attempt: &self.id,
            stack: &self.names.stack,
            domain: &self.names.domain,
            recipe: &self.subject.recipe,
            version: self.factors.get("version").unwrap_or(&self.subject.version),
            reference: self.subject.reference.as_deref(),
            case: self.case.as_deref(),
            factors: &self.factors,
            evidence: &self.folder,
            folder: &self.base,
            scratch: None,
            engine,
            node: self.node.as_deref(),
        }
    }

    /// Makes a control group for one of its children; the error says why there is none.
    pub fn cgroup(&self, role: &str) -> std::result::Result<Cgroup, String> {
        Cgroup::make(&self.id, role)
    }
}
