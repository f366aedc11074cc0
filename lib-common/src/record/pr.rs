//! Pull requests, what CI says of them, and what was promoted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::Ref;
use super::verdict::Route;

/// `pr.opened`: exactly one open pull request for one fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrOpened {
    /// The cases that the fix serves.
    pub cases: Vec<String>,
    pub action: PrAction,
    /// The forge as it was given, without credentials.
    pub forge: String,
    /// `owner/name`.
    pub repo: String,
    pub number: u64,
    pub url: String,
    pub branch: String,
    /// Full commit of the pull request's head.
    pub head: String,
    pub base: String,
    pub title: String,
    /// Name of the fix's folder.
    pub fix_id: String,
    /// `git patch-id --stable` of what the pull request changes.
    pub patch: String,
    pub route: Route,
    /// True if the pull request was opened without a verdict that supports it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub no_verdict: bool,
    /// Issue of the upstream project that tracks the defect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream_issue: Option<String>,
    /// What the forge was asked to do and did not, such as a label that it left out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrAction {
    Created,
    Updated,
    Unchanged,
    Adopted,
}

impl PrAction {
    /// The word that the records use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Adopted => "adopted",
        }
    }
}

/// `pr.commented`: a comment on somebody else's pull request, written where the fix would change a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrCommented {
    /// The cases that the comment explains.
    pub cases: Vec<String>,
    /// What was done with the comment: `created`, `updated` or `unchanged`.
    pub action: PrAction,
    pub forge: String,
    pub repo: String,
    /// Number of the pull request.
    pub number: u64,
    /// Address of the comment.
    pub url: String,
    pub fix_id: String,
    /// `git patch-id --stable` of the patch that the comment shows.
    pub patch: String,
    pub route: Route,
    /// True if the comment was written without a verdict that supports it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub no_verdict: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream_issue: Option<String>,
}

/// `pr.skipped`: no pull request was opened, because there is nothing to open. (What a rule forbids is an error
/// instead.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrSkipped {
    pub cases: Vec<String>,
    pub state: SkipState,
    pub forge: String,
    pub repo: String,
    pub branch: String,
    pub base: String,
    pub fix_id: String,
    /// As in `pr.opened`; absent if the branch has no change that the base lacks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patch: Option<String>,
    pub route: Route,
    /// Number of the earlier pull request, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkipState {
    /// The base has the change already.
    NothingToDo,
    /// People closed an earlier pull request of this fix without merging it.
    Closed,
}

/// `pr.checked`: what CI says about the head commit of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrChecked {
    pub cases: Vec<String>,
    pub forge: String,
    pub repo: String,
    pub number: u64,
    pub head: String,
    /// `git patch-id --stable` of what the pull request changes.
    pub patch: String,
    pub state: CheckState,
    pub open: bool,
    pub merged: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contexts: Vec<Context>,
    pub waited_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    Green,
    Red,
    Pending,
    None,
    Superseded,
}

impl CheckState {
    /// The word that the records use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Red => "red",
            Self::Pending => "pending",
            Self::None => "none",
            Self::Superseded => "superseded",
        }
    }
}

/// One commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    pub context: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
}

/// `canon.promoted`: a release became a recipe's warm canonical. Written from what is recorded on the swarm, never from
/// an exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CanonPromoted {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<String>,
    pub recipe: String,
    pub version: String,
    pub domain: String,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<Ref>,
    /// True for an unmerged fix, promoted on a copy of the warm state.
    pub trial: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<String>,
}
