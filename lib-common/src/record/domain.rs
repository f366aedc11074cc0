//! Records of `warm-domain-alloc`: domains that it leased, released, probed and audited.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `domain.leased`: a domain and the stack namespace that goes with it, held by one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainLeased {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<String>,
    pub recipe: String,
    /// What the lease is for. The same recipe, purpose and holder get the same lease again.
    pub purpose: String,
    pub domain: String,
    /// Stack namespace. Each attempt appends a suffix of fixed length to it.
    pub stack: String,
    pub lease_id: String,
    /// `canon`, `cold`, `run`, ...
    pub class: String,
    pub ttl_ms: u64,
    pub holder: String,
    /// What the domain was compared with, and does not collide with.
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
    /// In which way the domain differs from most others that were probed in the same call.
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
    /// What this layer answered.
    pub seen: Text,
}

/// `domain.audited`: one thing on the swarm that collides, or is about to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainAudited {
    /// The kind of finding as one stable word, e.g. `alias-answered-by-strangers`.
    pub kind: String,
    /// Whether something does not work now, or will not work after the next deploy.
    pub breaks: bool,
    /// The finding, for people.
    pub what: Text,
    /// All objects concerned, each as `kind name`.
    pub objects: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}
