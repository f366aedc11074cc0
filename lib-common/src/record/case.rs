//! The record that starts every investigation: what the sweep saw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Factors;
use crate::text::Text;

/// `case.failed`: one red case of a sweep, and what may be varied to find out why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseFailed {
    /// Join key `recipe@version/test`.
    pub case: String,
    pub recipe: String,
    pub version: String,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<Ref>,
    /// The failing test, or `deploy`, `promote`, ...
    pub test: String,
    pub stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<Text>,
    /// What somebody took for the cause. The runs are to prove or refute it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hypothesis: Option<String>,
    /// Where this case was read from.
    pub source: String,
    /// The factors that may be varied, cheapest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contrasts: Vec<Contrast>,
    /// The factor levels under which it was red.
    #[serde(skip_serializing_if = "Factors::is_empty", default)]
    pub baseline: Factors,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_green: Option<LastGreen>,
}

/// A commit, and by which kind of name it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Ref {
    /// Full commit.
    pub commit: String,
    /// `tag`, `branch`, `pull-request` or `tree` (a content hash where there is no commit).
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

/// The life-cycle stage that was red.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Enrol,
    Deploy,
    Install,
    Backup,
    Restore,
    Custom,
    Upgrade,
    Promote,
}

/// A factor with the levels that it may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contrast {
    pub factor: String,
    pub levels: Vec<String>,
}

/// When the case last passed, and with which ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastGreen {
    pub ts: String,
    #[serde(rename = "ref")]
    pub reference: Ref,
}
