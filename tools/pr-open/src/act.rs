//! Carries a job out: push, open or edit. The only place that changes the forge, besides the comment for CI.
//!
//! Making a branch is one step on every forge, opening a pull request is not: of two who look at once, both find none and
//! both open one. So only the process whose push made the branch opens at once; any other waits for a while first, whether
//! somebody does. Where there are two all the same (a person may have opened one in that moment), the lowest number is ours
//! from then on, and the others are named.

use std::time::{Duration, Instant};

use lib_common::record::pr::PrAction;
use lib_common::{Error, Result};

use crate::body;
use crate::forge::{Draft, Forge, Opened, Pull, Whose};
use crate::git::Pushed;
use crate::plan::{Plan, differs, ours};
use crate::prepare::Job;
use crate::retry;

/// The pull request, and what was done to it.
pub struct Done {
    pub pull: Pull,
    pub action: PrAction,
    /// `git patch-id --stable` of what the pull request changes.
    pub patch: String,
    /// What the forge left out (labels, reviewers), one sentence each.
    pub lacking: Vec<String>,
    /// Other pull requests of the same branch.
    pub twins: Vec<Pull>,
    /// This call opened it, or pushed its head: nobody else asks CI for this head.
    pub fresh: bool,
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

/// Does what the plan says; `None` where it says that there is nothing to do. `ask`: CI is asked next. `grace`: how long
/// somebody else who may be opening at this moment is waited for.
pub fn carry_out(job: &Job, forge: &dyn Forge, ask: bool, grace: Duration) -> Result<Option<Done>> {
    let mut done = match &job.plan {
        Plan::Nothing | Plan::Closed(_) => return Ok(None),
        Plan::Open { push } => open(job, forge, *push, ask, grace)?,
        Plan::Update { pull, push } => {
            let (head, pushed) = pushed(job, *push)?;
            let draft = Draft { head, ..job.draft.clone() };
            let now = match pushed {
                Pushed::BySomebody if ask => {
                    settled(forge, pull, &draft, if *push { grace } else { Duration::ZERO })?
                }
                _ => pull.clone(),
            };
            let edited = if differs(&now, &draft) || forge.opens_in_one_step() {
                forge.edit(&now, &draft)?
            } else {
                now
            };
            let asked = edited.asked.filter(|asked| asked.head == draft.head);
            let pull = Pull { head: draft.head, asked, ..edited };
            Done { fresh: pushed == Pushed::Moved, ..just(pull, PrAction::Updated) }
        }
        Plan::Keep(pull) | Plan::Contained(pull) | Plan::Merged(pull) => {
            just(pull.clone(), PrAction::Unchanged)
        }
        Plan::Adopt(pull) => just(pull.clone(), PrAction::Adopted),
    };
    done.patch = patch_of(job, &done.pull);
    if done.twins.is_empty() {
        done.twins.clone_from(&job.twins);
    }
    Ok(Some(done))
}

fn just(pull: Pull, action: PrAction) -> Done {
    Done { pull, action, patch: String::new(), lacking: vec![], twins: vec![], fresh: false }
}

fn open(job: &Job, forge: &dyn Forge, push: bool, ask: bool, grace: Duration) -> Result<Done> {
    let (head, pushed) = pushed(job, push)?;
    let draft = Draft { head, ..job.draft.clone() };
    let wait = if pushed == Pushed::Made || forge.opens_in_one_step() {
        Duration::ZERO
    } else {
        retry::jittered(grace)
    };
    if let Some(all) = opened_meanwhile(forge, &draft, wait)? {
        return theirs(forge, &draft, all);
    }
    let Opened { pull, created, lacking } = forge.open(&draft, ask)?;
    if !created {
        return theirs(forge, &draft, vec![pull]);
    }
    if !forge.opens_in_one_step() {
        let all = mine(forge, &draft)?;
        match all.first() {
            Some(first) if first.number < pull.number => return theirs(forge, &draft, all),
            _ => {
                let twins = all.into_iter().filter(|other| other.number != pull.number).collect();
                let pull = Pull { head: draft.head, ..pull };
                return Ok(Done { lacking, twins, fresh: true, ..just(pull, PrAction::Created) });
            }
        }
    }
    Ok(Done { lacking, fresh: true, ..just(Pull { head: draft.head, ..pull }, PrAction::Created) })
}

/// Looks for as long as `wait` whether somebody else opens one.
fn opened_meanwhile(forge: &dyn Forge, draft: &Draft, wait: Duration) -> Result<Option<Vec<Pull>>> {
    let start = Instant::now();
    while start.elapsed() < wait {
        std::thread::sleep((wait / 8).min(wait.saturating_sub(start.elapsed())));
        let all = mine(forge, draft)?;
        if !all.is_empty() {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// The pull request as it is now. Whoever pushed the head edits it, and notes in it for which head CI was asked: to edit it
/// at the same time would wipe that out. So they are waited for.
fn settled(forge: &dyn Forge, pull: &Pull, draft: &Draft, grace: Duration) -> Result<Pull> {
    let (start, grace) = (Instant::now(), retry::jittered(grace));
    loop {
        let now = forge.pull(pull.number)?;
        if !differs(&now, draft) || start.elapsed() >= grace {
            return Ok(now);
        }
        std::thread::sleep((grace / 8).min(grace.saturating_sub(start.elapsed())));
    }
}

/// Those of this branch and base, the lowest number first.
fn mine(forge: &dyn Forge, draft: &Draft) -> Result<Vec<Pull>> {
    let open = forge.open_pulls()?;
    Ok(ours(&open, &draft.base, &draft.branch).into_iter().cloned().collect())
}

/// What somebody else opened is ours, too: brought up to date where it differs.
fn theirs(forge: &dyn Forge, draft: &Draft, mut all: Vec<Pull>) -> Result<Done> {
    let pull = all.remove(0);
    let as_wanted = !differs(&pull, draft);
    let pull = if as_wanted { pull } else { forge.edit(&pull, draft)? };
    let action = if as_wanted { PrAction::Unchanged } else { PrAction::Updated };
    Ok(Done { twins: all, ..just(Pull { head: draft.head.clone(), ..pull }, action) })
}

/// The head branch's commit as the remote has it, after a push if one is needed, and who pushed it.
fn pushed(job: &Job, push: bool) -> Result<(String, Pushed)> {
    let branch = &job.draft.branch;
    let mut pushed = Pushed::BySomebody;
    if push {
        pushed = job.work.push(&job.draft.head, branch, job.remote_head.as_deref())?;
        if pushed == Pushed::Made {
            // Nobody else can have moved it yet without our knowing what they moved it from.
            return Ok((job.draft.head.clone(), pushed));
        }
    }
    // Read the branch again: a hook of the forge or another push may have moved it.
    let there = job.work.remote_heads(&[branch])?.remove(0);
    // Where nothing was to be pushed, somebody may have pushed the very same since we looked.
    let seen = job.remote_head.as_ref().filter(|_| !push);
    match there {
        Some(head) if head == job.draft.head || Some(&head) == seen => Ok((head, pushed)),
        _ => {
            Err(Error::again("pushing the branch", "it moved again at once").on(branch).hint("run it again"))
        }
    }
}

/// The patch id of the commit that the remote has. If that commit can no longer be fetched (it was merged and its branch
/// removed), the patch id of our own commit.
fn patch_of(job: &Job, pull: &Pull) -> String {
    let known = |head: &str| job.work.patch_id(&job.base, head).ok().flatten();
    let fetched = || job.work.fetch(std::slice::from_ref(&pull.fetch)).ok().and_then(|()| known(&pull.head));
    known(&pull.head).or_else(fetched).or_else(|| job.patch.clone()).unwrap_or_default()
}
