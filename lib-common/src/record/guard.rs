//! What `swarm-guard` tells while it stands between its owner and the engine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `guard.started`: it listens, and it watches the engine's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardStarted {
    /// Whose objects may be touched: the value of the label that they carry.
    pub owner: String,
    /// Path of the socket that speaks the engine's API.
    pub socket: String,
}

/// `guard.passed`: a call that may change something. It is told before the engine hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardPassed {
    pub owner: String,
    pub method: String,
    /// Without the API's version; an object is named by its full id.
    pub path: String,
}

/// `guard.created`: an object that the engine has made for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardCreated {
    pub owner: String,
    /// container, service, network, volume, config, secret, exec
    pub kind: String,
    /// Full id; a volume's name.
    pub id: String,
    /// Empty where the engine chose one.
    pub name: String,
}

/// `guard.refused`: a call that the engine never heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardRefused {
    pub owner: String,
    /// Which rule forbids it, in a word or two.
    pub rule: String,
    /// `METHOD /path`, without the API's version.
    pub call: Text,
    /// What of it is forbidden.
    pub what: Text,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<Text>,
}

/// `guard.finished`: its last word. Where it is missing the guard was killed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardFinished {
    pub owner: String,
    pub requests: u64,
    pub refused: u64,
    /// Objects of the owner that the guard never saw being created, and what was done to the owner's objects by no call
    /// that passed: it was bypassed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unseen: Vec<String>,
    /// What happened beside: what was done to objects of others, by whom is not known, and short names on a network by
    /// which others are asked for, too. It is told, and nothing follows from it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub beside: Vec<String>,
    /// Why it is not proved that there are no others, where it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unproved: Option<String>,
}
