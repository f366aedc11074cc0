//! Carries a job out: pushes the branch, and opens or edits the pull request. Apart from comments, everything that
//! changes the forge is here.

use lib_common::record::pr::PrAction;
use lib_common::{Error, Result};

use crate::body;
use crate::forge::{Draft, Forge, Opened, Pull, Whose};
use crate::plan::{Plan, differs};
use crate::prepare::Job;

/// The pull request, and what was done to it.
pub struct Done {
    pub pull: Pull,
    pub action: PrAction,
    /// `git patch-id --stable` of what the pull request changes.
    pub patch: String,
    /// What the forge left out (labels, reviewers), one sentence each.
    pub lacking: Vec<String>,
}

impl Done {
    /// Who wrote the pull request's body.
    #[must_use]
    pub fn whose(&self, fix_id: &str) -> Whose {
        match self.action {
            PrAction::Created => Whose::JustOpened,
            _ if body::is_ours(&self.pull.body, fix_id) => Whose::Ours,
            _ => Whose::Others,
        }
    }
}

/// Does what the plan says; `None` if there is nothing to do. `ask` says that CI is asked for a run next.
pub fn carry_out(job: &Job, forge: &dyn Forge, ask: bool) -> Result<Option<Done>> {
    let mut lacking = vec![];
    let (pull, action) = match &job.plan {
        Plan::Nothing | Plan::Closed(_) => return Ok(None),
        Plan::Open { push } => {
            let draft = Draft { head: pushed(job, *push)?, ..job.draft.clone() };
            let Opened { pull, created, lacking: left_out } = forge.open(&draft, ask)?;
            lacking = left_out;
            let as_wanted = created || !differs(&pull, &draft);
            let pull = if as_wanted { pull } else { forge.edit(&pull, &draft)? };
            let action = match (created, as_wanted) {
                (true, _) => PrAction::Created,
                (false, true) => PrAction::Unchanged,
                (false, false) => PrAction::Updated,
            };
            (Pull { head: draft.head, ..pull }, action)
        }
        Plan::Update { pull, push } => {
            let draft = Draft { head: pushed(job, *push)?, ..job.draft.clone() };
            let edited = forge.edit(pull, &draft)?;
            let asked = edited.asked.filter(|asked| asked.head == draft.head);
            (Pull { head: draft.head, asked, ..edited }, PrAction::Updated)
        }
        Plan::Keep(pull) | Plan::Merged(pull) => (pull.clone(), PrAction::Unchanged),
        Plan::Adopt(pull) => (pull.clone(), PrAction::Adopted),
    };
    let patch = patch_of(job, &pull);
    Ok(Some(Done { pull, action, patch, lacking }))
}

/// Pushes if needed; returns the head branch's commit, as the remote has it.
fn pushed(job: &Job, push: bool) -> Result<String> {
    let branch = &job.draft.branch;
    if push {
        job.work.push(&job.draft.head, branch, job.remote_head.as_deref())?;
    }
    let there = job.work.remote_heads(&[branch])?.remove(0);
    let wanted = if push { Some(&job.draft.head) } else { job.remote_head.as_ref() };
    match there {
        Some(head) if Some(&head) == wanted => Ok(head),
        _ => Err(Error::again("pushing the branch", "somebody moved it right after the push")
            .on(branch)
            .hint("run it again")),
    }
}

/// The patch id of the commit that the remote has. If that commit can no longer be fetched (it was merged and its branch
/// removed), the patch id of our own commit.
fn patch_of(job: &Job, pull: &Pull) -> String {
    let known = |head: &str| job.work.patch_id(&job.base, head).ok().flatten();
    let fetched = || job.work.fetch(std::slice::from_ref(&pull.fetch)).ok().and_then(|()| known(&pull.head));
    known(&pull.head).or_else(fetched).or_else(|| job.patch.clone()).unwrap_or_default()
}
