//! What `pr-open` needs of a forge. No method merges, closes, approves or writes a file.

mod address;
pub mod check;
mod connect;
mod dir;
mod gitea;
mod http;
mod marker;
mod permission;
mod queue;
mod retry;
mod route;
mod wire;

pub use address::{Address, RepoName, is_part};
pub use connect::{Connection, connect};
pub use marker::Marker;
pub use queue::fold_anything;
pub use wire::read_anything;

use lib_common::Result;
use lib_common::record::pr::PrAction;

/// One pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub number: u64,
    /// Web address, for people.
    pub url: String,
    pub title: String,
    pub body: String,
    /// Name of the head branch.
    pub branch: String,
    /// Whether the head branch is in this repository, not in a fork.
    pub same_repo: bool,
    /// Full hash of the head commit.
    pub head: String,
    pub base: String,
    pub open: bool,
    pub merged: bool,
    /// The ref by which git can fetch the head.
    pub fetch: String,
    /// The last request for a run of this head, as far as known.
    pub asked: Option<Marker>,
}

/// What was found out about the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    pub default_branch: String,
    /// Whether the head branch is protected.
    pub head_protected: bool,
    /// Whether the token may push to the base or merge into it, which is more than a bot needs.
    pub too_strong: bool,
}

/// A pull request as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    pub base: String,
    pub branch: String,
    pub head: String,
    pub title: String,
    pub body: String,
    /// Names of labels; only a new pull request gets them.
    pub labels: Vec<String>,
    /// User names of reviewers; asked only for a new pull request.
    pub reviewers: Vec<String>,
}

/// The result of [`Forge::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub pull: Pull,
    /// False if another process of ours was faster and opened this one.
    pub created: bool,
    /// What was asked for and is missing (labels, reviewers), one sentence each.
    pub lacking: Vec<String>,
}

/// An explanation to leave on a pull request, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with `mark` as its last line.
    pub body: String,
    /// The hidden line by which the note is found again.
    pub mark: String,
}

/// The result of writing a [`Note`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    pub url: String,
    pub action: PrAction,
}

/// Who wrote the body of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// We did, in this call, so nobody has asked for a run yet.
    JustOpened,
    /// We did, in an earlier call, so we may write a marker into it.
    Ours,
    /// Somebody else, so we write nothing into it.
    Others,
}

/// A change of the forge, for [`Forge::preview`].
#[derive(Debug)]
pub enum Step<'a> {
    Open {
        draft: &'a Draft,
        ask: bool,
    },
    Edit {
        pull: &'a Pull,
        draft: &'a Draft,
    },
    /// Asks for a run. Without `pull`, of the pull request that is opened just before.
    Ask {
        pull: Option<&'a Pull>,
        text: &'a str,
        whose: Whose,
    },
    Explain {
        pull: u64,
        note: &'a Note,
    },
}

/// One commit status; `id` grows with time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub id: u64,
    pub context: String,
    /// `pending`, `success`, `failure`, `error`, `warning`, `skipped`, or a word that is not known here.
    pub state: String,
    pub description: Option<String>,
    pub url: Option<String>,
    /// RFC 3339.
    pub created: String,
}

/// A forge, for one repository.
pub trait Forge {
    /// Checks that a pull request to `base` can be opened; `branch` is the head branch, if it exists already.
    fn site(&self, base: &str, branch: Option<&str>) -> Result<Site>;
    /// Every open pull request.
    fn open_pulls(&self) -> Result<Vec<Pull>>;
    /// A pull request of this base and branch in any state; called when none is open.
    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>>;
    /// Opens a pull request, unless one of this base and branch is open. `ask` says that [`Forge::trigger`] comes next.
    fn open(&self, draft: &Draft, ask: bool) -> Result<Opened>;
    /// Updates title, body and, where the forge does not do it by itself, head.
    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull>;
    fn pull(&self, number: u64) -> Result<Pull>;
    /// Asks CI for a run of `pull.head` by a comment that is exactly `text`, once per head. Returns the new value of
    /// `Pull::asked`.
    fn trigger(&self, pull: &Pull, text: &str, whose: Whose) -> Result<Marker>;
    /// Writes the note as a comment, or updates the comment that has its mark.
    fn explain(&self, pull: u64, note: &Note) -> Result<Noted>;
    /// All statuses of `commit`, in any order.
    fn statuses(&self, commit: &str) -> Result<Vec<Status>>;
    /// The exact lines that a step would send, apart from secrets. Only reads.
    fn preview(&self, step: &Step) -> Result<Vec<String>>;
}
