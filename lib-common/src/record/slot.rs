//! The swarm's slots, as `swarm-isolate slots` shows them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `slot.seen`: one slot of the swarm, and who holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotSeen {
    /// Its number, from 0.
    pub slot: u32,
    /// How many slots the swarm has.
    pub total: u32,
    pub state: SlotState,
    /// `pid@host`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<String>,
    /// Boot id of the holder's machine: once that has booted anew, the holder's process is gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot_id: Option<String>,
    /// The attempt that holds the slot, or in words what the slot is held for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub what_for: Option<String>,
    /// Stacks that may exist because of its holder.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stacks: Vec<String>,
    /// RFC 3339, UTC, by the holder's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// Time since `since`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age_ms: Option<u64>,
    /// True if the holder is known to be dead, because it was a process of this host that does not exist any more.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dead: bool,
    /// Who waits for all slots.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub awaited_by: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SlotState {
    #[default]
    Free,
    Held,
}
