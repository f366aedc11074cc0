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
mod route;
mod wire;

pub use address::{Address, RepoName, is_part};
pub use connect::{Connection, connect};
pub use http::Trust;
pub use marker::Marker;
pub use queue::fold_anything;
pub use wire::read_anything;

use std::time::Duration;

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
    /// We could push to, or merge into, the base: more than a bot needs.
    pub too_strong: bool,
}

/// What is going to be written, for which a token may lack the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    /// Branches and pull requests.
    pub code: bool,
    /// Comments.
    pub comments: bool,
}

/// A pull request to be.
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
    /// As [`Forge::look_up`] finds it.
    pub found: Found,
}

/// What a forge knows of a pull request that is not there yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Those of the labels that are there.
    pub labels: Vec<(i64, String)>,
    /// What cannot be done as it was asked for, a sentence each.
    pub lacking: Vec<String>,
    /// The largest id of the statuses that the head has already.
    pub after: u64,
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

/// A comment that asks CI for a run, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: u64,
    /// RFC 3339.
    pub at: String,
    /// We wrote it, as far as known.
    pub ours: bool,
    /// On a forge that counts comments and statuses together: statuses with a larger id came after it.
    pub after: Option<u64>,
}

/// How CI is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'a> {
    /// To the letter.
    pub text: &'a str,
    pub whose: Whose,
    /// Although it was asked for this head.
    pub again: bool,
    /// Where this call neither opened nor pushed: how long somebody else, who did, is waited for.
    pub grace: Option<Duration>,
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
    /// Others of ours with the same mark, by their addresses.
    pub twins: Vec<String>,
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
        asking: Asking<'a>,
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
    /// Whether the token may do this, as far as the forge says so before it is tried.
    fn may(&self, writes: Writes) -> Result<()>;
    /// Whether a pull request to `base` can be opened at all.
    fn site(&self, base: &str) -> Result<Site>;
    /// Whether a branch that is there may be pushed to.
    fn may_push(&self, branch: &str) -> Result<bool>;
    /// Every open pull request.
    fn open_pulls(&self) -> Result<Vec<Pull>>;
    /// The newest one of this base and branch that is closed or merged.
    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>>;
    /// Everything that [`Forge::open`] needs to know and that may be refused; nothing of it is worth failing for. `asks`:
    /// CI will be asked for a head that the forge has already.
    fn look_up(&self, draft: &Draft, asks: bool) -> Result<Found>;
    /// Opens it, unless one of this base and branch is open. `ask`: [`Forge::trigger`] comes next.
    fn open(&self, draft: &Draft, ask: bool) -> Result<Opened>;
    /// Whether looking and opening are one step, so that no two can open at once.
    fn opens_in_one_step(&self) -> bool;
    /// Brings title, body and (where the forge does not see it by itself) head up to date.
    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull>;
    fn pull(&self, number: u64) -> Result<Pull>;
    /// Asks CI for a run of `pull.head` by a comment, once per head. Returns what `Pull::asked` becomes.
    fn trigger(&self, pull: &Pull, asking: &Asking) -> Result<Marker>;
    /// The newest comment that is exactly `text`, unless it is the one that `asked` speaks of.
    fn newest_request(&self, number: u64, text: &str, asked: Option<&Marker>) -> Result<Option<Request>>;
    /// Leaves the note as a comment, or brings our own one with its mark up to date.
    fn explain(&self, pull: u64, note: &Note) -> Result<Noted>;
    /// All statuses of `commit`, in any order; none where the forge lacks the commit.
    fn statuses(&self, commit: &str) -> Result<Vec<Status>>;
    /// The exact lines that a step would send, apart from secrets. Only reads.
    fn preview(&self, step: &Step) -> Result<Vec<String>>;
}
