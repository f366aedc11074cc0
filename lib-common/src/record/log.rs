//! The record of `log-snap`: one bundle of evidence.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `log.snapped`: what was captured of a stack, redacted and content-addressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogSnapped {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt_id: Option<String>,
    pub stack: String,
    /// The bundle's folder, relative to the ledger's folder.
    pub path: String,
    /// BLAKE3 over the bundle, as `index.jsonl`'s last line repeats it.
    pub blake3: String,
    /// Whether every expected stream was read to its end.
    pub complete: bool,
    /// What is missing, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gaps: Vec<String>,
    pub tasks: u32,
    pub streams: u32,
    pub lines: u64,
    pub bytes: u64,
    /// Replacements per redaction rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub redactions: BTreeMap<String, u64>,
    pub duration_ms: u64,
    /// Bytes of log text that were processed in a second, once the recording was over: read, redacted, compressed,
    /// hashed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_per_s: Option<u64>,
    /// Largest resident memory of log-snap, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_memory: Option<u64>,
}
