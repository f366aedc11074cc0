//! Proposals to fix a case: a pull request, or, for a stale test, a comment on somebody else's pull request. Pure.

use lib_common::record::pr::{CheckState, PrChecked, PrCommented, PrOpened, PrSkipped, SkipState};
use lib_common::record::verdict::Route;

use crate::fold::{Case, Fold, Pull};

/// The newest record of one proposal, with its time.
#[derive(Debug, Clone, Copy)]
pub enum Proposal<'a> {
    Pull(&'a Pull, &'a str, &'a PrOpened),
    /// A comment, with the pull request that it is on, if the ledger has that.
    Comment(Option<&'a Pull>, &'a str, &'a PrCommented),
}

/// Every proposal for `case`.
pub fn of<'a>(case: &'a Case, fold: &'a Fold) -> impl Iterator<Item = Proposal<'a>> {
    let pulls = case.pulls.iter().filter_map(|id| {
        let pull = fold.pulls.get(id)?;
        let (ts, opened) = pull.opened.last()?;
        Some(Proposal::Pull(pull, ts, opened))
    });
    let comments = case.comments.iter().filter_map(|(id, comments)| {
        let (ts, comment) = comments.last()?;
        Some(Proposal::Comment(fold.pulls.get(&id.pull), ts, comment))
    });
    pulls.chain(comments)
}

impl<'a> Proposal<'a> {
    #[must_use]
    pub fn since(&self) -> &'a str {
        match self {
            Self::Pull(_, ts, _) | Self::Comment(_, ts, _) => ts,
        }
    }

    /// `owner/name#7`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Pull(_, _, opened) => format!("{}#{}", opened.repo, opened.number),
            Self::Comment(_, _, comment) => format!("the comment on {}#{}", comment.repo, comment.number),
        }
    }

    #[must_use]
    pub fn fix_id(&self) -> &'a str {
        match self {
            Self::Pull(_, _, opened) => &opened.fix_id,
            Self::Comment(_, _, comment) => &comment.fix_id,
        }
    }

    #[must_use]
    pub fn patch(&self) -> &'a str {
        match self {
            Self::Pull(_, _, opened) => &opened.patch,
            Self::Comment(_, _, comment) => &comment.patch,
        }
    }

    #[must_use]
    pub fn route(&self) -> Route {
        match self {
            Self::Pull(_, _, opened) => opened.route,
            Self::Comment(_, _, comment) => comment.route,
        }
    }

    #[must_use]
    pub fn url(&self) -> &'a str {
        match self {
            Self::Pull(_, _, opened) => &opened.url,
            Self::Comment(_, _, comment) => &comment.url,
        }
    }

    /// The title, for people; a comment has none and is called by its fix.
    #[must_use]
    pub fn title(&self) -> &'a str {
        match self {
            Self::Pull(_, _, opened) => &opened.title,
            Self::Comment(_, _, comment) => &comment.fix_id,
        }
    }

    /// Whether it was made without a verdict that supports it.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Pull(_, _, opened) => opened.no_verdict,
            Self::Comment(_, _, comment) => comment.no_verdict,
        }
    }

    /// Whether its route is one of `routes`. A comment changes nothing, so it suffices only for a stale test.
    #[must_use]
    pub fn goes(&self, routes: &[Route]) -> bool {
        let may = matches!(self, Self::Pull(..)) || self.route() == Route::TestComment;
        may && routes.contains(&self.route())
    }

    /// The last that CI said of the pull request's current head.
    #[must_use]
    pub fn check(&self) -> Option<&'a PrChecked> {
        let Self::Pull(pull, _, opened) = self else { return None };
        pull.checked.iter().rev().map(|(_, checked)| checked).find(|checked| checked.head == opened.head)
    }

    /// Why CI blocks it, if it does: the rule, and words for people. Only a recipe's CI must be green; a harness need
    /// not have one.
    #[must_use]
    pub fn ci_fault(&self) -> Option<(&'static str, &'static str)> {
        let Self::Pull(_, _, opened) = self else { return None };
        match (opened.route, self.check().map(|checked| checked.state)) {
            (Route::RecipePr, Some(CheckState::Green)) => None,
            (_, Some(CheckState::Red)) => Some(("ci-red", "CI is red for its head")),
            (Route::RecipePr, _) => Some(("ci-not-green", "CI is not green for its head")),
            (Route::HarnessPr | Route::TestComment, _) => None,
        }
    }

    /// Whether it is open, as far as the ledger shows. `Err` says whether it is closed or merged.
    pub fn is_open(&self, fold: &Fold) -> Result<(), &'static str> {
        let (pull, own) = match self {
            Self::Pull(pull, ts, opened) => (Some(*pull), Some((*ts, *opened))),
            Self::Comment(pull, ..) => (*pull, None),
        };
        if pull.is_some_and(|pull| pull.checked.iter().any(|(_, checked)| checked.merged)) {
            return Err("merged");
        }
        let since = own.map(|(ts, _)| ts);
        let last = pull.and_then(|pull| pull.checked.last());
        if last.is_some_and(|(ts, checked)| !checked.open && Some(ts.as_str()) >= since) {
            return Err("closed");
        }
        let skips = fold.skipped.iter().filter(|(ts, _)| Some(ts.as_str()) >= since);
        match own.and_then(|(_, opened)| skips.filter_map(|(_, skip)| ended(opened, skip)).next_back()) {
            Some(state) => Err(state),
            None => Ok(()),
        }
    }
}

/// Whether a later `pr.skipped` shows that the pull request was closed or merged.
fn ended(opened: &PrOpened, skip: &PrSkipped) -> Option<&'static str> {
    if (&opened.forge, &opened.repo) != (&skip.forge, &skip.repo) {
        return None;
    }
    match skip.state {
        SkipState::Closed => (skip.number == Some(opened.number)).then_some("closed"),
        // The base has the change, so somebody merged it in one way or another.
        SkipState::NothingToDo => (skip.branch == opened.branch).then_some("merged"),
    }
}

/// Why there is no proposal, if `pr-open` recorded it.
#[must_use]
pub fn skipped(case: &Case, fold: &Fold) -> Option<&'static str> {
    let own = fold.skipped.iter().rev().find(|(_, skip)| skip.cases.contains(&case.key));
    own.map(|(_, skip)| match skip.state {
        SkipState::NothingToDo => "the base has the change already",
        SkipState::Closed => "an earlier one was closed without a merge",
    })
}
