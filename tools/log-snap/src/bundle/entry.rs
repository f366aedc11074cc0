//! The lines of `index.jsonl`. Times are RFC 3339 in UTC with nanoseconds, by the clock of the node that they come
//! from.

use std::collections::BTreeMap;

use lib_common::record::log::LogSnapped;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of the index. Readers skip the kinds that they do not know.
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

/// The first line: what was captured, by which tool, where and when.
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
    /// Host name of the manager.
    pub node: String,
    /// Version of the manager's engine.
    pub engine: String,
    /// The manager's clock minus ours.
    pub clock_skew_ms: i64,
}

/// A node of the swarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    pub id: String,
    pub name: String,
    /// How its logs are read: `file` (its log files are on this machine), `engine` (its own engine), `manager` (task by
    /// task through the manager) or `away` (its engine did not answer)
    pub asked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Its clock minus ours; absent if its engine was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// How many different specifications were seen; more than one means that the service was updated.
    pub versions: u32,
    /// The engine's `Spec`, redacted.
    pub spec: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub previous_spec: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub update_status: Value,
}

/// A config or a secret: its name and version, never its value.
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

/// A secret whose value is an ordinary word: it is hidden where it stands under its name, but not searched for in logs.
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
    /// What the exit code means, in words.
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
    /// The last state that was seen; `removed` if the engine does not have the container any more.
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
    /// Whether it has a terminal. Its stdout and stderr are then one output.
    pub tty: bool,
    /// Command and arguments, redacted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Environment, redacted. It includes the defaults of the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
}

/// The log of one container, and how reading it ended. `text` and `times` have the same number of lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub container: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<String>,
    /// Full name of its service; empty if it is not known.
    pub service: String,
    /// Name of its task, without the stack's name: `app.1`
    pub name: String,
    /// Where it was read from: `file` (the log driver's file), `container` or `task` (the engine's endpoints)
    pub source: String,
    /// Bytes and lines that the container wrote, before anything was redacted or left out.
    pub bytes: u64,
    pub lines: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<String>,
    /// How reading ended: `eof` (at the end of the log), `cap` (at its end too, but not all is kept), `idle` (the
    /// engine fell silent), `deadline` or `error`
    pub ended: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Errors on the way, for which a later reading may have made good.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub elided_lines: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub elided_bytes: u64,
    /// Number of lines that were longer than the limit, and were cut.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub cut_lines: u64,
    /// Blob of the lines; absent for an empty log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Blob with a line `TIME out|err` for each line of the text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub times: Option<String>,
}

/// Consecutive health probes with the same result and output.
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
    /// What shows that the event belongs to the stack: `label`, `id` or `name`; `node` for the events of a node, which
    /// concern every stack.
    pub matched: String,
}

/// Something that should be here and is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Hash and size of the content.
    pub blake3: String,
    pub bytes: u64,
    /// Hash and size of the compressed file `blobs/AA/HASH.zst`.
    pub file_blake3: String,
    pub file_bytes: u64,
    /// Offsets in the file at which its frames start. Each frame holds 1 MiB of content, the last one may hold less.
    pub frames: Vec<u64>,
}

/// The last line: totals and the root hash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub complete: bool,
    pub tasks: u32,
    pub streams: u32,
    pub lines: u64,
    pub bytes: u64,
    pub gaps: u32,
    pub redactions: BTreeMap<String, u64>,
    /// The root hash: the BLAKE3 of the index with this field empty. It must stay the last field.
    pub blake3: String,
}

impl End {
    /// The `log.snapped` of a bundle that ends with this line. The caller fills in stack, attempt, path and what the
    /// capture cost.
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
