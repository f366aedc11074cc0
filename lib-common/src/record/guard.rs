//! Records of `swarm-guard`, which stands between an owner's programs and the engine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `guard.started`: the guard listens on its socket and watches the engine's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardStarted {
    /// Whose objects may be touched: the value of their owner label.
    pub owner: String,
    /// Path of the socket that speaks the engine's API.
    pub socket: String,
}

/// `guard.passed`: a call that may change something. The guard writes this record before it forwards the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardPassed {
    pub owner: String,
    pub method: String,
    /// Path without the API's version. It names an object by its full id.
    pub path: String,
}

/// `guard.created`: an object that the engine has made for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardCreated {
    pub owner: String,
    /// container, service, network, volume, config, secret, exec
    pub kind: String,
    /// Full id; for a volume, its name.
    pub id: String,
    /// Empty if the engine chose the name.
    pub name: String,
}

/// `guard.refused`: a call that the guard did not forward to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardRefused {
    pub owner: String,
    /// Which rule forbids it, in a word or two.
    pub rule: String,
    /// `METHOD /path`, without the API's version.
    pub call: Text,
    /// Which part of the call is forbidden.
    pub what: Text,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<Text>,
}

/// `guard.finished`: the guard's last record. If it is missing, the guard was killed.
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
