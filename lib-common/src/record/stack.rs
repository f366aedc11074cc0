//! The record of `swarm-wait`: whether a stack converged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `stack.checked`: the state of a stack at the end of the wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackChecked {
    pub stack: String,
    pub state: StackState,
    /// Why the stack will never converge, in one word; only if it is wedged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Wedge>,
    /// The cause in words; after a deadline, what was still missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<Text>,
    /// The service that cause and message are about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<String>,
    pub services: Vec<ServiceSeen>,
    pub waited_ms: u64,
    /// The attempt within which `swarm-wait` was called.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StackState {
    Converged,
    /// It will never converge.
    Wedged,
    /// It had not converged when the time was over, but still may.
    Deadline,
}

/// Why a stack will never converge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wedge {
    /// Tasks end again and again.
    CrashLoop,
    /// A task reports the same error again and again.
    SameError,
    ImageMissing,
    NoSuitableNode,
    NoFreeAddress,
    /// The update stopped half-way and does not go on by itself.
    UpdatePaused,
    /// The update failed and the service is what it was before.
    RolledBack,
    /// The service's tasks ended, and its restart policy starts no new ones.
    GaveUp,
    /// The command of `--ready` does not succeed, and nothing on the stack changes any more.
    NotReady,
    /// Nothing on the stack changed for `--idle-timeout`.
    Idle,
}

/// One service at the end of the wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceSeen {
    pub name: String,
    /// Tasks of the intended spec that are up, of how many.
    pub up: u64,
    pub wanted: u64,
    /// What is missing, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<Text>,
}
