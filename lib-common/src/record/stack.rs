//! Whether a stack converged, as `swarm-wait` judges it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `stack.checked`: what became of a stack that was waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackChecked {
    pub stack: String,
    pub state: StackState,
    /// Why it will never converge, in one word; only of a wedge.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Wedge>,
    /// The same in words, or what a deadline found still missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<Text>,
    /// The service that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<String>,
    pub services: Vec<ServiceSeen>,
    pub waited_ms: u64,
    /// How long every running task had been seen to run when it converged, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub watched_s: Option<u64>,
    /// Tasks of the intended spec that ended and were replaced, of all services.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restarts: Option<u64>,
    /// Within which attempt it was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StackState {
    Converged,
    /// It never will.
    Wedged,
    /// Still on its way when the time was over.
    Deadline,
}

/// Why a stack will never converge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wedge {
    /// Tasks end again and again.
    CrashLoop,
    /// The same error of a task again and again.
    SameError,
    ImageMissing,
    NoSuitableNode,
    NoFreeAddress,
    /// The update stopped half-way and does not go on by itself.
    UpdatePaused,
    /// The update failed and the service is what it was before.
    RolledBack,
    /// It ended, and its restart policy makes no new task.
    GaveUp,
    /// The spec asks for no task at all.
    NothingAsked,
    /// `--ready` does not succeed, and nothing is new.
    NotReady,
    /// Nothing new for `--idle-timeout`.
    Idle,
}

/// One service at the end of the wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceSeen {
    pub name: String,
    /// Tasks of the intended spec that are up, of how many.
    pub up: u64,
    pub wanted: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<ServiceState>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restarts: Option<u64>,
    /// What is missing, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<Text>,
}

/// What a service is doing, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// As many tasks as wanted run.
    Up,
    /// A job that completed, or a service that may end and on which nothing rests.
    Resting,
    Starting,
    /// Its process has ended and stays ended, or it cannot be started.
    Down,
    /// Its spec asks for no task.
    Empty,
    /// Its node does not answer.
    Unknown,
}
