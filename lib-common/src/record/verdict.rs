//! Records of decisions: flake or genuine, fixed or not, and what the reviewer says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Factors;

/// `flake.verdict`: what the runs prove about one case, and what causes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlakeVerdict {
    pub case: String,
    pub verdict: Verdict,
    pub isolated: Tally,
    pub loaded: Tally,
    pub ratios: Ratios,
    pub thresholds: Thresholds,
    /// The attempts that were counted, in time order.
    pub attempts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub excluded: Vec<Exclusion>,
    pub cause: Cause,
    /// The contrast that shows the cause.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown_by: Option<ShownBy>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub routes: Vec<Route>,
    /// The verdict in words, for people.
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Genuine,
    LoadFlake,
    Flake,
    Inconclusive,
}

impl Verdict {
    /// The word that the records use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::LoadFlake => "load-flake",
            Self::Flake => "flake",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Fails and passes under one condition.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Tally {
    pub fail: u32,
    pub pass: u32,
}

/// The four likelihood ratios of the sequential test, after the run that decided it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratios {
    /// Evidence against "isolated, it fails at most half the time".
    pub half: f64,
    /// Evidence against "it fails always".
    pub det: f64,
    /// Evidence against "an isolated failure is noise".
    pub clean: f64,
    /// Evidence against "load makes no difference".
    pub load: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thresholds {
    pub t: f64,
    pub t_load: f64,
    pub cap: u32,
    /// Noise floor: an isolated failure rate of at most this counts as noise.
    pub eps: f64,
}

/// Runs that did not count, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exclusion {
    pub reason: String,
    pub count: u64,
    /// The first ten of them.
    pub attempts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    Load,
    Recipe,
    Test,
    Machinery,
    Namespace,
    Unattributed,
}

impl Cause {
    /// The word that the records use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Recipe => "recipe",
            Self::Test => "test",
            Self::Machinery => "machinery",
            Self::Namespace => "namespace",
            Self::Unattributed => "unattributed",
        }
    }
}

/// The one factor whose change turns red into green.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShownBy {
    pub factor: String,
    pub red: String,
    pub green: String,
    pub ratio: f64,
}

/// Where the fix belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    RecipePr,
    HarnessPr,
    TestComment,
}

/// `fix.verdict`: whether one patch cures one case under the condition that was red.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixVerdict {
    pub case: String,
    /// `git patch-id --stable` of the patch.
    pub fix: String,
    pub verdict: FixOutcome,
    /// The factor levels that were red without the fix.
    pub under: Factors,
    pub before: Tally,
    pub after: Tally,
    /// Evidence against "with the fix it fails as often as before".
    pub ratio: f64,
    pub threshold: f64,
    pub attempts: Vec<String>,
    /// How many further green runs would settle it; 0 if it is settled.
    pub further_runs: u32,
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FixOutcome {
    Fixed,
    NotFixed,
    Inconclusive,
}

/// `review.recorded`: somebody other than the author reviewed a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewRecorded {
    pub reviewer: String,
    pub gate: String,
    /// BLAKE3 of the ledger that was reviewed.
    pub ledger: String,
    pub pass: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}
