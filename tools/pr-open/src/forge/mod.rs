//! A forge, as far as `pr-open` needs one. No method merges, closes, approves or writes a file.

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
    /// For people.
    pub url: String,
    pub title: String,
    pub body: String,
    /// Name of the head branch, and whether it is in this repository (not in a fork).
    pub branch: String,
    pub same_repo: bool,
    /// Full commit.
    pub head: String,
    pub base: String,
    pub open: bool,
    pub merged: bool,
    /// Ref by which git can fetch the head.
    pub fetch: String,
    /// The last request for a run of this very head, as far as known.
    pub asked: Option<Marker>,
}

/// What the repository allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    pub default_branch: String,
    /// The head branch is protected.
    pub head_protected: bool,
    /// We could push to, or merge into, the base: more than a bot needs.
    pub too_strong: bool,
}

/// A pull request to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    pub base: String,
    pub branch: String,
    pub head: String,
    pub title: String,
    pub body: String,
    /// By their names; only a new one gets them.
    pub labels: Vec<String>,
    /// By their users' names; only for a new one.
    pub reviewers: Vec<String>,
}

/// What came of [`Forge::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub pull: Pull,
    /// False: somebody else was faster, and theirs is ours.
    pub created: bool,
    /// What was asked for and is not there, a sentence each.
    pub lacking: Vec<String>,
}

/// An explanation to leave on a pull request, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with `mark` as its last line.
    pub body: String,
    /// By this it is found again.
    pub mark: String,
}

/// What became of a [`Note`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    pub url: String,
    pub action: PrAction,
}

/// Who wrote the body of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// We did, with this very call: nobody has asked for a run yet.
    JustOpened,
    /// We did, and may note in it what we do.
    Ours,
    Others,
}

/// One change of the forge, for [`Forge::preview`].
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
    /// `None`: of the one that is opened just before.
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
    /// `pending`, `success`, `failure`, `error`, `warning`, `skipped`, or what else a forge thinks of.
    pub state: String,
    pub description: Option<String>,
    pub url: Option<String>,
    /// RFC 3339.
    pub created: String,
}

/// The forge of one repository.
pub trait Forge {
    /// Whether a pull request to `base` can be opened at all, from `branch` if that is there already.
    fn site(&self, base: &str, branch: Option<&str>) -> Result<Site>;
    /// Every open pull request.
    fn open_pulls(&self) -> Result<Vec<Pull>>;
    /// One of this base and branch, whatever its state; called when none is open.
    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>>;
    /// Opens it, unless one of this base and branch is open. `ask`: [`Forge::trigger`] comes next.
    fn open(&self, draft: &Draft, ask: bool) -> Result<Opened>;
    /// Brings title, body and (where the forge does not see it by itself) head up to date.
    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull>;
    fn pull(&self, number: u64) -> Result<Pull>;
    /// Asks CI for a run of `pull.head` by a comment of exactly `text`, once per head. Returns what `Pull::asked`
    /// becomes.
    fn trigger(&self, pull: &Pull, text: &str, whose: Whose) -> Result<Marker>;
    /// Leaves the note as a comment, or brings the one with its mark up to date.
    fn explain(&self, pull: u64, note: &Note) -> Result<Noted>;
    /// All statuses of `commit`, in any order.
    fn statuses(&self, commit: &str) -> Result<Vec<Status>>;
    /// What a step would send, to the letter but for secrets. Only reads.
    fn preview(&self, step: &Step) -> Result<Vec<String>>;
}
