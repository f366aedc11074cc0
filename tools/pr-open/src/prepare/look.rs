//! Finds out what is on the forge already, and makes the plan.

use lib_common::Result;
use lib_common::diag::Diag;

use super::Given;
use super::make::Made;
use crate::fix::Change;
use crate::forge::{Draft, Pull};
use crate::git::Work;
use crate::plan::{ForgeState, Plan, decide, ours};

/// What is known before the pull requests are read.
pub struct Looked<'a> {
    pub work: &'a Work,
    /// The base's commit.
    pub base: &'a str,
    /// The head branch's commit on the remote, if the branch exists.
    pub remote_head: Option<&'a str>,
    pub made: &'a Made,
}

pub fn plan(given: Given, looked: &Looked, draft: &Draft, diag: &Diag) -> Result<Plan> {
    let forge = given.to.forge.as_ref();
    let open = forge.open_pulls()?;
    let own = ours(&open, &draft.base, &draft.branch);
    let mine = !own.is_empty();
    // Another process may have pushed the same commit since we read the branch.
    let pushed = own.iter().any(|pull| looked.made.commit.as_ref() == Some(&pull.head));
    let past = if mine { None } else { forge.past_pull(&draft.base, &draft.branch)? };
    if looked.made.commit.is_none() && !mine {
        return Ok(past.filter(|past| past.merged).map_or(Plan::Nothing, Plan::Merged));
    }
    let same_patch = if mine { vec![] } else { looked.around(given, &open, diag) };
    let there = ForgeState {
        open: &open,
        past: past.as_ref(),
        branch_is_right: pushed || looked.branch_is_right(given)?,
        same_patch: &same_patch,
        reopen: given.args.reopen,
    };
    decide(draft, &there)
}

impl Looked<'_> {
    /// Whether the remote branch is right: for a patch, if it makes the same change; for the user's branch, if it is at
    /// the same commit.
    fn branch_is_right(&self, given: Given) -> Result<bool> {
        // Without a commit the base has the whole change, so there is nothing to push.
        let Some(commit) = self.made.commit.as_deref() else { return Ok(true) };
        let Some(head) = self.remote_head else { return Ok(false) };
        match given.fix.change {
            Change::Branch(_) => Ok(commit == head),
            Change::Patch(_) => Ok(self.work.patch_id(self.base, head)? == self.made.patch),
        }
    }

    /// The numbers of other open pull requests that have the same patch. Warns of those that change the same files.
    fn around(&self, given: Given, open: &[Pull], diag: &Diag) -> Vec<u64> {
        let Self { work, base, made, .. } = self;
        let others: Vec<&Pull> = open.iter().filter(|pull| pull.base == given.args.place.base).collect();
        let refs: Vec<String> = others.iter().map(|pull| pull.fetch.clone()).collect();
        if refs.is_empty() {
            return vec![];
        }
        if let Err(error) = work.fetch(&refs) {
            diag.warn(format_args!("not compared with the other open pull requests: {error}"));
            return vec![];
        }
        let mut same = vec![];
        for pull in others {
            let paths = || work.paths(base, &pull.head).unwrap_or_default();
            if made.patch.is_some() && work.patch_id(base, &pull.head).ok().flatten() == made.patch {
                same.push(pull.number);
            } else if let Some(path) = paths().iter().find(|path| made.paths.contains(path)) {
                diag.warn(format_args!("{} changes {path}, too", pull.url));
            }
        }
        same
    }
}
