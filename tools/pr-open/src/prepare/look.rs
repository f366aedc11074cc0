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

/// The plan, and the pull requests of this base and branch that there are besides the one that counts.
pub fn plan(given: Given, looked: &Looked, draft: &Draft, diag: &Diag) -> Result<(Plan, Vec<Pull>)> {
    let forge = given.to.forge.as_ref();
    let open = forge.open_pulls()?;
    let own = ours(&open, &draft.base, &draft.branch);
    let (mine, changes) = (!own.is_empty(), looked.made.commit.is_some());
    // Somebody may have pushed the same commit since we looked at the branch.
    let pushed = own.iter().any(|pull| looked.made.commit.as_ref() == Some(&pull.head));
    let past = if mine { None } else { forge.past_pull(&draft.base, &draft.branch)? };
    let same_patch = if mine || !changes { vec![] } else { looked.around(given, &open, diag) };
    let there = ForgeState {
        open: &open,
        past: past.as_ref(),
        changes,
        branch_is_right: pushed || looked.branch_is_right(given)?,
        same_patch: &same_patch,
        reopen: given.args.reopen,
    };
    Ok((decide(draft, &there), own.into_iter().skip(1).cloned().collect()))
}

impl Looked<'_> {
    /// A branch of our own making is right if it changes the same; somebody's branch, if it is the same commit, or has
    /// got nothing but the base since.
    fn branch_is_right(&self, given: Given) -> Result<bool> {
        // Without a commit the base has the whole change, so there is nothing to push.
        let Some(commit) = self.made.commit.as_deref() else { return Ok(true) };
        let Some(head) = self.remote_head else { return Ok(false) };
        match given.fix.change {
            Change::Branch(_) => Ok(commit == head || self.work.only_updated(self.base, commit, head)?),
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
