//! The lines of `index.jsonl`. Times are RFC 3339 in UTC with nanoseconds, by the clock of what wrote them.

use std::collections::BTreeMap;

use lib_common::record::log::LogSnapped;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line. Readers skip kinds that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    Snap(Snap),
    Node(Node),
    Service(Service),
    Config(Named),
    Secret(Named),
    Network(Network),
    Weak(Weak),
    Task(Task),
    Timeline(Timeline),
    Container(Container),
    Stream(Stream),
    Probe(Probe),
    Event(Event),
    Pressure(crate::node::Sample),
    Gap(Gap),
    Blob(Blob),
    End(End),
}

/// First line: what was captured, by what, where and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snap {
    pub schema: u32,
    /// "name/version"
    pub tool: String,
    pub stack: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt_id: Option<String>,
    /// `attach` or `once`
    pub mode: String,
    pub started: String,
    pub ended: String,
    /// Node that the engine runs on, and the engine's version.
    pub node: String,
    pub engine: String,
    /// The engine's clock less ours.
    pub clock_skew_ms: i64,
}

/// A node of the swarm that had something of the stack, or could have been asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    pub id: String,
    pub name: String,
    /// `file` (its data is on this machine), `engine`, `manager` (only through the manager) or `away`
    pub asked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Its clock less ours; absent where it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// How many specifications it had while it was watched.
    pub versions: u32,
    /// The engine's `Spec`, redacted.
    pub spec: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub previous_spec: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub update_status: Value,
}

/// A config or a secret by name and version only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    pub id: String,
    pub name: String,
    pub version: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub driver: String,
    pub scope: String,
}

/// A secret that is an ordinary word: hidden behind its name, but not looked for in the text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weak {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: String,
    pub service: String,
    /// `app.1`: the service without the stack's name, and the slot.
    pub name: String,
    pub node: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
    pub image: String,
    pub state: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i64>,
    /// What the exit code says, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub meaning: Option<String>,
}

/// Every state that a task was seen in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    pub task: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: String,
    pub state: String,
    pub desired: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub error: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Container {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// As last seen; `removed` where the engine has it no more.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    pub oom_killed: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    pub restarts: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub health: String,
    /// Signals that the engine was asked to send it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<String>,
    pub log_driver: String,
    /// A terminal: its out and err are one.
    pub tty: bool,
    /// Redacted: command and arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Redacted; image defaults included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
}

/// One expected log, and how reading it ended. `text` and `times` have the same number of lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub container: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<String>,
    /// Full name of its service; empty where it is not known.
    pub service: String,
    /// `app.1`
    pub name: String,
    /// `file` (the driver's, on this machine), `container` or `task` (the engine's endpoints).
    pub source: String,
    /// As the container wrote them, before redaction and elision.
    pub bytes: u64,
    pub lines: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<String>,
    /// `eof`, `idle`, `deadline`, `cap` (read to the end, but not all is kept) or `error`
    pub ended: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// What went wrong on the way although a later reading made good for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub elided_lines: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub elided_bytes: u64,
    /// Lines that were longer than is kept.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub cut_lines: u64,
    /// Blob of the lines; absent for an empty log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Blob of `TIME out|err`, a line for each line of the text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub times: Option<String>,
}

/// Health probes that said the same in a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    pub container: String,
    pub first: String,
    pub last: String,
    pub count: u64,
    pub exit_code: i64,
    pub output: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    pub at: String,
    pub object: String,
    pub action: String,
    pub id: String,
    pub attributes: BTreeMap<String, String>,
    /// How it is known to be of the stack: label, id, name or node.
    pub matched: String,
}

/// Something that should be here and is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Of the content.
    pub blake3: String,
    pub bytes: u64,
    /// Of the file `blobs/AA/HASH.zst`.
    pub file_blake3: String,
    pub file_bytes: u64,
    /// Where its frames start in the file; each holds 1 MiB of content, the last one less.
    pub frames: Vec<u64>,
}

/// Last line: totals and the root hash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub complete: bool,
    pub tasks: u32,
    pub streams: u32,
    pub lines: u64,
    pub bytes: u64,
    pub gaps: u32,
    pub redactions: BTreeMap<String, u64>,
    /// The root hash: BLAKE3 of the index with nothing here. The last field.
    pub blake3: String,
}

impl End {
    /// The record of a bundle that ends so, under its root hash; whose it is, and what it took, is the caller's to say.
    #[must_use]
    pub fn snapped(self, blake3: String, gaps: Vec<String>) -> LogSnapped {
        LogSnapped {
            attempt_id: None,
            stack: String::new(),
            path: String::new(),
            blake3,
            complete: self.complete,
            gaps,
            tasks: self.tasks,
            streams: self.streams,
            lines: self.lines,
            bytes: self.bytes,
            redactions: self.redactions,
            duration_ms: 0,
            bytes_per_s: None,
            peak_memory: None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(number: &u64) -> bool {
    *number == 0
}
