//! The records `pr.opened` and `pr.checked`, and what a person hears when CI did not say green.

use std::time::Duration;

use lib_common::diag::Diag;
use lib_common::emit::Emitter;
use lib_common::record::Body;
use lib_common::record::pr::{CheckState, PrAction, PrChecked, PrOpened};
use lib_common::record::verdict::Route;
use lib_common::{Error, Io, Result};

use crate::act::Done;
use crate::cli::Args;
use crate::fix::Fix;
use crate::forge::Pull;
use crate::plan::Plan;
use crate::prepare::Job;
use crate::wait::{Waited, word};

/// What the records repeat of a finished job; the temporary repository is gone by then.
pub struct Report {
    pub pull: Pull,
    pub plan: Plan,
    /// `<recipe>/<fix-id>`
    pub fix_id: String,
    name: String,
    action: PrAction,
    patch: String,
    cases: Vec<String>,
    forge: String,
    repo: String,
    route: Route,
    no_verdict: bool,
}

impl Report {
    #[must_use]
    pub fn new(args: &Args, fix: &Fix, job: Job, done: Done) -> Self {
        Self {
            pull: done.pull,
            plan: job.plan,
            fix_id: job.fix_id,
            name: fix.id.clone(),
            action: done.action,
            patch: done.patch,
            cases: job.cases,
            forge: args.place.forge.to_string(),
            repo: args.place.repo.to_string(),
            route: fix.route,
            no_verdict: job.no_verdict,
        }
    }

    pub fn opened(&self, io: &mut Io, emitter: &mut Emitter) -> Result<()> {
        let record = PrOpened {
            cases: self.cases.clone(),
            action: self.action,
            forge: self.forge.clone(),
            repo: self.repo.clone(),
            number: self.pull.number,
            url: self.pull.url.clone(),
            branch: self.pull.branch.clone(),
            head: self.pull.head.clone(),
            base: self.pull.base.clone(),
            title: self.pull.title.clone(),
            fix_id: self.name.clone(),
            patch: self.patch.clone(),
            route: self.route,
            no_verdict: self.no_verdict,
        };
        self.say(io, emitter, &record)
    }

    pub fn checked(&self, io: &mut Io, emitter: &mut Emitter, waited: &Waited) -> Result<()> {
        let record = PrChecked {
            cases: self.cases.clone(),
            forge: self.forge.clone(),
            repo: self.repo.clone(),
            number: self.pull.number,
            head: self.pull.head.clone(),
            patch: self.patch.clone(),
            state: waited.state,
            open: waited.pull.open,
            merged: waited.pull.merged,
            contexts: waited.contexts.clone(),
            waited_ms: u64::try_from(waited.took.as_millis()).unwrap_or(u64::MAX),
        };
        self.say(io, emitter, &record)
    }

    /// People merged it: said in a record, as no CI is asked any more.
    pub fn merged(&self, io: &mut Io, emitter: &mut Emitter) -> Result<()> {
        let (pull, contexts) = (self.pull.clone(), vec![]);
        self.checked(io, emitter, &Waited { pull, state: CheckState::None, contexts, took: Duration::ZERO })
    }

    /// A record that cannot be written must not hide what exists now.
    fn say<B: Body>(&self, io: &mut Io, emitter: &mut Emitter, record: &B) -> Result<()> {
        emitter.emit(io, record).map_err(|error| error.hint(format!("the pull request is {}", self.pull.url)))
    }
}

/// Anything but green deserves a line.
pub fn comment(diag: &Diag, waited: &Waited, trigger: &str) {
    let error = |cause: String| Error::no("waiting for CI", cause).on(&waited.pull.url);
    let seconds = waited.took.as_secs();
    match waited.state {
        CheckState::Green => {}
        CheckState::Red => {
            let red = waited.contexts.iter().find(|context| context.status != "success");
            let name = red.map_or("CI", |context| context.context.as_str());
            let link = red.and_then(|context| context.url.as_deref()).unwrap_or("no link");
            diag.error(&error(format!("{name} is red ({link})")));
        }
        CheckState::None => diag.error(&error(format!("no status after {seconds} s")).hint(format!(
            "is the repository enrolled in CI? Where it is not, CI stays silent about '{trigger}'"
        ))),
        CheckState::Pending | CheckState::Superseded => {
            diag.error(&error(format!("CI {} after {seconds} s", word(waited.state))).hint("run it again"));
        }
    }
}
