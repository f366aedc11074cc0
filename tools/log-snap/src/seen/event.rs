//! One engine event, without the container's labels, which the engine repeats in every event.

use std::collections::BTreeMap;

use serde_json::Value;

use super::text;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened, in nanoseconds since 1970.
    pub at: i64,
    /// Type of the object that it is about: `container`, `service`, `network`, ...
    pub kind: String,
    pub action: String,
    pub id: String,
    /// `name`, `image`, `exitCode`, `signal`, `container`, `updatestate.new`, ...
    pub attributes: BTreeMap<String, String>,
    /// What shows that it belongs to the stack: `label`, `id`, `name` or `node`.
    pub matched: &'static str,
}

impl Event {
    #[must_use]
    pub fn parse(raw: &Value) -> Self {
        let actor = &raw["Actor"];
        let attributes = actor["Attributes"].as_object();
        let keep = |key: &str| {
            const KEEP: [&str; 6] = ["name", "image", "container", "type", "execID", "execDuration"];
            KEEP.contains(&key) || key == "exitCode" || key == "signal" || key.contains("state.")
        };
        Self {
            at: raw["timeNano"].as_i64().unwrap_or_default(),
            kind: text(&raw["Type"]),
            action: text(&raw["Action"]),
            id: text(&actor["ID"]),
            attributes: attributes
                .into_iter()
                .flatten()
                .filter(|(key, _)| keep(key))
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            matched: "",
        }
    }
}
