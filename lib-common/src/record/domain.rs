//! Names on the swarm: leased, given back, probed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `domain.leased`: a domain and the stack namespace that goes with it, held by one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainLeased {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<String>,
    pub recipe: String,
    /// What the lease is for; with recipe and holder it makes leasing idempotent.
    pub purpose: String,
    pub domain: String,
    /// Stack namespace; attempts append a fixed-length suffix to it.
    pub stack: String,
    pub lease_id: String,
    /// `canon`, `cold`, `run`, ...
    pub class: String,
    pub ttl_ms: u64,
    pub holder: String,
    /// What it was proved not to collide with.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checked: Vec<String>,
}

/// `domain.released`: the lease is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainReleased {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<String>,
    pub recipe: String,
    pub domain: String,
    pub stack: String,
    pub lease_id: String,
    pub reason: String,
}

/// `domain.probed`: what a domain answers, layer by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainProbed {
    pub domain: String,
    pub routes: bool,
    /// The first layer that is broken: `dns`, `tcp`, `tls`, `http`, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<Text>,
    /// The cause as one stable word, e.g. `router-duplicate`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<String>,
    /// Each layer that was tried, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub layers: Vec<Layer>,
    /// Status of the HTTP answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// How it differs from most domains that were probed in the same call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub odd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub took_ms: Option<u64>,
}

/// One layer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// `dns`, `tcp`, `tls`, `certificate`, `http`, ...
    pub layer: String,
    pub ok: bool,
    /// What it answered.
    pub seen: Text,
}

/// `domain.audited`: one thing on the swarm that collides, or is about to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainAudited {
    /// One stable word, e.g. `alias-answered-by-strangers`.
    pub kind: String,
    /// Whether something does not work, or will not at the next deploy.
    pub breaks: bool,
    /// The finding, for people.
    pub what: Text,
    /// Everything concerned, as `kind name`.
    pub objects: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}
