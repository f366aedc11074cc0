//! A forge, as far as `pr-open` needs one. No method merges, closes, approves or writes a file.

mod address;
mod connect;
mod dir;
mod gitea;
mod http;
mod marker;
mod queue;
mod route;
mod wire;

pub use address::{Address, RepoName};
pub use connect::{Connection, connect};
pub use marker::Marker;

use lib_common::Result;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub base: String,
    pub branch: String,
    pub head: String,
    pub title: String,
    pub body: String,
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
    /// Whether a pull request from `branch` to `base` can be opened at all.
    fn site(&self, base: &str, branch: &str) -> Result<Site>;
    /// Every open pull request.
    fn open_pulls(&self) -> Result<Vec<Pull>>;
    /// One of this base and branch, whatever its state; called when none is open.
    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>>;
    /// Opens it, unless one of this base and branch is open: then that one, and `false`.
    fn open(&self, draft: &Draft) -> Result<(Pull, bool)>;
    /// Brings title, body and (where the forge does not see it by itself) head up to date.
    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull>;
    fn pull(&self, number: u64) -> Result<Pull>;
    /// Asks CI for a run of `pull.head` by a comment of exactly `text`, once per head. `ours`: we wrote the
    /// body and may note in it what we did. Returns what `Pull::asked` becomes.
    fn trigger(&self, pull: &Pull, text: &str, ours: bool) -> Result<Marker>;
    /// All statuses of `commit`, in any order.
    fn statuses(&self, commit: &str) -> Result<Vec<Status>>;
}
