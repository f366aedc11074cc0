//! What to do, given what is there. Pure.

use lib_common::{Error, Result};

use crate::forge::{Draft, Pull};

/// One of these, and only one pull request comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// None is open: push unless the branch has the patch already, then open.
    Open { push: bool },
    /// Ours is open and differs in commit, or in title or body.
    Update { pull: Pull, push: bool },
    /// Ours is open and as it should be.
    Keep(Pull),
    /// Somebody else's has the very same patch.
    Adopt(Pull),
    /// Ours was merged: nothing to do.
    Merged(Pull),
    /// The base has the change, whoever brought it there.
    Nothing,
    /// Ours was closed without a merge, and stays so.
    Closed(Pull),
}

/// What is there.
pub struct There<'a> {
    pub open: &'a [Pull],
    /// One of ours in any state, where none is open.
    pub past: Option<&'a Pull>,
    /// The remote branch has what is proposed already.
    pub branch_is_right: bool,
    /// Numbers of other open ones against the same base with this very patch.
    pub same_patch: &'a [u64],
    /// Open a new one although an earlier one was closed or merged.
    pub reopen: bool,
}

/// The open pull requests of this base and branch.
#[must_use]
pub fn ours<'a>(open: &'a [Pull], base: &str, branch: &str) -> Vec<&'a Pull> {
    open.iter().filter(|pull| pull.same_repo && pull.branch == branch && pull.base == base).collect()
}

/// Decides. `draft.head` is the commit to push if one must be.
pub fn decide(draft: &Draft, there: &There) -> Result<Plan> {
    let ours = ours(there.open, &draft.base, &draft.branch);
    if let [first, second, ..] = ours.as_slice() {
        return Err(Error::cannot("looking for the pull request", "there is more than one")
            .on(format!("{} and {}", first.url, second.url))
            .hint("close all but one"));
    }
    if let Some(pull) = ours.first().map(|pull| Pull::clone(pull)) {
        let push = !there.branch_is_right;
        return Ok(if push || differs(&pull, draft) {
            Plan::Update { pull, push }
        } else {
            Plan::Keep(pull)
        });
    }
    if let Some(other) = there.open.iter().find(|pull| there.same_patch.contains(&pull.number)) {
        return Ok(Plan::Adopt(other.clone()));
    }
    match there.past {
        Some(past) if past.merged && !there.reopen => Ok(Plan::Merged(past.clone())),
        Some(past) if !past.open && !there.reopen => Ok(Plan::Closed(past.clone())),
        _ => Ok(Plan::Open { push: !there.branch_is_right }),
    }
}

/// Whether title or body must be edited. What the hidden notes say does not count.
#[must_use]
pub fn differs(pull: &Pull, draft: &Draft) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    plain(&pull.title) != plain(&draft.title) || plain(&pull.body) != plain(&draft.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(number: u64) -> Pull {
        Pull {
            number,
            url: format!("u{number}"),
            title: "t".into(),
            body: "b".into(),
            branch: "fix/a/b".into(),
            same_repo: true,
            head: "h".into(),
            base: "main".into(),
            open: true,
            merged: false,
            fetch: String::new(),
            asked: None,
        }
    }

    fn draft() -> Draft {
        Draft {
            base: "main".into(),
            branch: "fix/a/b".into(),
            head: "h2".into(),
            title: "t".into(),
            body: "b\r\n".into(),
            ..Draft::default()
        }
    }

    fn plan(open: &[Pull], past: Option<&Pull>, has: bool, same: &[u64], reopen: bool) -> Result<Plan> {
        decide(&draft(), &There { open, past, branch_is_right: has, same_patch: same, reopen })
    }

    #[test]
    fn none_is_open() {
        assert_eq!(plan(&[], None, false, &[], false).unwrap(), Plan::Open { push: true });
        assert_eq!(plan(&[], None, true, &[], false).unwrap(), Plan::Open { push: false });
        let fork = Pull { same_repo: false, ..pull(1) };
        assert_eq!(plan(&[fork], None, false, &[], false).unwrap(), Plan::Open { push: true });
    }

    #[test]
    fn ours_is_open() {
        assert_eq!(plan(&[pull(1)], None, true, &[], false).unwrap(), Plan::Keep(pull(1)));
        let stale = Plan::Update { pull: pull(1), push: true };
        assert_eq!(plan(&[pull(1)], None, false, &[], false).unwrap(), stale);
        let other = Pull { title: "old".into(), ..pull(1) };
        let edit = Plan::Update { pull: other.clone(), push: false };
        assert_eq!(plan(&[other], None, true, &[], false).unwrap(), edit);
        assert_eq!(plan(&[pull(1), pull(2)], None, true, &[], false).unwrap_err().exit().code(), 2);
    }

    #[test]
    fn somebody_elses_with_the_same_patch_is_adopted() {
        let other = Pull { branch: "bob".into(), ..pull(5) };
        assert_eq!(plan(std::slice::from_ref(&other), None, false, &[5], false).unwrap(), Plan::Adopt(other));
    }

    #[test]
    fn the_dead_are_not_raised() {
        let merged = Pull { open: false, merged: true, ..pull(1) };
        assert_eq!(plan(&[], Some(&merged), false, &[], false).unwrap(), Plan::Merged(merged.clone()));
        let closed = Pull { open: false, ..pull(1) };
        assert_eq!(plan(&[], Some(&closed), false, &[], false).unwrap(), Plan::Closed(closed.clone()));
        assert_eq!(plan(&[], Some(&merged), false, &[], true).unwrap(), Plan::Open { push: true });
        assert_eq!(plan(&[], Some(&closed), false, &[], true).unwrap(), Plan::Open { push: true });
    }
}
