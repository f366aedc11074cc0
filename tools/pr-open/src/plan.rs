//! Decides what to do, given the state of the forge. Pure.

use crate::forge::{Draft, Pull};

/// What to do. Whichever it is, there is one pull request per fix at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// No pull request is open: push, unless the branch has the patch already, then open one.
    Open { push: bool },
    /// Ours is open, but its commit, title or body differs.
    Update { pull: Pull, push: bool },
    /// Ours is open and up to date.
    Keep(Pull),
    /// Somebody else's open pull request has the same patch.
    Adopt(Pull),
    /// Ours is open, and the base has the change already, whoever brought it there.
    Contained(Pull),
    /// Ours was merged: nothing to do.
    Merged(Pull),
    /// The base has the change already, whoever made it.
    Nothing,
    /// Ours was closed without a merge, and stays closed.
    Closed(Pull),
}

/// The state of the forge.
pub struct ForgeState<'a> {
    pub open: &'a [Pull],
    /// The newest of ours that is closed or merged, where none is open.
    pub past: Option<&'a Pull>,
    /// The base lacks the change.
    pub changes: bool,
    /// The remote branch has what is proposed already.
    pub branch_is_right: bool,
    /// Numbers of the other open pull requests against the same base that have the same patch.
    pub same_patch: &'a [u64],
    /// Whether to open a new one although an earlier one was closed or merged (`--reopen`).
    pub reopen: bool,
}

/// The open pull requests of this base and branch, the lowest number first: that is the one that counts.
#[must_use]
pub fn ours<'a>(open: &'a [Pull], base: &str, branch: &str) -> Vec<&'a Pull> {
    let same = |pull: &&Pull| pull.same_repo && pull.branch == branch && pull.base == base;
    let mut ours: Vec<&Pull> = open.iter().filter(same).collect();
    ours.sort_by_key(|pull| pull.number);
    ours
}

/// Decides. `draft.head` is the commit to push if one must be.
#[must_use]
pub fn decide(draft: &Draft, there: &ForgeState) -> Plan {
    let ours = ours(there.open, &draft.base, &draft.branch);
    if let Some(pull) = ours.first().map(|pull| Pull::clone(pull)) {
        let push = !there.branch_is_right;
        return if !there.changes {
            Plan::Contained(pull)
        } else if push || differs(&pull, draft) {
            Plan::Update { pull, push }
        } else {
            Plan::Keep(pull)
        };
    }
    // Somebody proposes the same change already. A second pull request would only compete with it.
    if let Some(other) = there.open.iter().find(|pull| there.same_patch.contains(&pull.number)) {
        return Plan::Adopt(other.clone());
    }
    match there.past {
        Some(past) if past.merged && !there.reopen => Plan::Merged(past.clone()),
        _ if !there.changes => Plan::Nothing,
        Some(past) if !there.reopen => Plan::Closed(past.clone()),
        _ => Plan::Open { push: !there.branch_is_right },
    }
}

/// Whether title or body must be edited. Markers do not count: `Pull::body` is without them.
#[must_use]
pub fn differs(pull: &Pull, draft: &Draft) -> bool {
    // A forge takes the blanks around a title away when it opens one, and keeps them when it edits.
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
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

    fn plan(open: &[Pull], past: Option<&Pull>, has: bool, same: &[u64], reopen: bool) -> Plan {
        decide(
            &draft(),
            &ForgeState { open, past, changes: true, branch_is_right: has, same_patch: same, reopen },
        )
    }

    #[test]
    fn none_is_open() {
        assert_eq!(plan(&[], None, false, &[], false), Plan::Open { push: true });
        assert_eq!(plan(&[], None, true, &[], false), Plan::Open { push: false });
        let fork = Pull { same_repo: false, ..pull(1) };
        assert_eq!(plan(&[fork], None, false, &[], false), Plan::Open { push: true });
    }

    #[test]
    fn ours_is_open() {
        assert_eq!(plan(&[pull(1)], None, true, &[], false), Plan::Keep(pull(1)));
        let stale = Plan::Update { pull: pull(1), push: true };
        assert_eq!(plan(&[pull(1)], None, false, &[], false), stale);
        let other = Pull { title: "old".into(), ..pull(1) };
        let edit = Plan::Update { pull: other.clone(), push: false };
        assert_eq!(plan(&[other], None, true, &[], false), edit);
        assert_eq!(plan(&[pull(2), pull(1)], None, true, &[], false), Plan::Keep(pull(1)));
        let blanks = Pull { title: " t ".into(), ..pull(1) };
        assert_eq!(plan(std::slice::from_ref(&blanks), None, true, &[], false), Plan::Keep(blanks));
    }

    #[test]
    fn somebody_elses_with_the_same_patch_is_adopted() {
        let other = Pull { branch: "bob".into(), ..pull(5) };
        assert_eq!(plan(std::slice::from_ref(&other), None, false, &[5], false), Plan::Adopt(other));
    }

    #[test]
    fn the_dead_are_not_raised() {
        let merged = Pull { open: false, merged: true, ..pull(1) };
        assert_eq!(plan(&[], Some(&merged), false, &[], false), Plan::Merged(merged.clone()));
        let closed = Pull { open: false, ..pull(1) };
        assert_eq!(plan(&[], Some(&closed), false, &[], false), Plan::Closed(closed.clone()));
        assert_eq!(plan(&[], Some(&merged), false, &[], true), Plan::Open { push: true });
        assert_eq!(plan(&[], Some(&closed), false, &[], true), Plan::Open { push: true });
    }

    #[test]
    fn what_the_base_has_is_not_proposed() {
        let contained = |open: &[Pull], past: Option<&Pull>| {
            let there = ForgeState {
                open,
                past,
                changes: false,
                branch_is_right: true,
                same_patch: &[],
                reopen: false,
            };
            decide(&draft(), &there)
        };
        assert_eq!(contained(&[pull(1)], None), Plan::Contained(pull(1)));
        assert_eq!(contained(&[], None), Plan::Nothing);
        let closed = Pull { open: false, ..pull(1) };
        assert_eq!(contained(&[], Some(&closed)), Plan::Nothing);
        let merged = Pull { merged: true, ..closed };
        assert_eq!(contained(&[], Some(&merged)), Plan::Merged(merged));
    }
}
