//! The records: what the tools exchange, one JSON object a line. This folder is their only definition;
//! `redfix-records(5)` explains them.
//!
//! Every record carries the [`Head`]; the rest is the body of its type, one file per stage of the flow.
//! A new optional field keeps `v`; a removed field or a changed meaning raises it.

pub mod case;
pub mod domain;
pub mod guard;
mod line;
pub mod log;
pub mod pr;
pub mod run;
pub mod schema;
pub mod slot;
pub mod stack;
pub mod verdict;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use line::{Content, TestLine, parse_line};

/// Factor levels of one attempt, at least `load` and `fix`. Ordered, so that equal factors print equally.
pub type Factors = BTreeMap<String, String>;

/// The fields that every record of our tools starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// "noun.past", e.g. `run.finished`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of this type's format.
    #[schemars(range(min = 1))]
    pub v: u32,
    /// RFC 3339, UTC, milliseconds.
    #[schemars(regex(pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"))]
    pub ts: String,
    /// A ULID that all tools of a pipe share.
    pub investigation: String,
    /// "name/version" of the tool that wrote it.
    #[schemars(regex(pattern = "^[^/]+/.+$"))]
    pub tool: String,
}

/// The keys by which a line is routed, borrowed where possible; absent ones are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Keys<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Option<Cow<'a, str>>,
    #[serde(default)]
    pub v: Option<u32>,
    #[serde(borrow, default)]
    pub investigation: Option<Cow<'a, str>>,
}

/// A record type: its name, its format's version and its fields.
pub trait Body: Serialize + DeserializeOwned {
    const TYPE: &'static str;
    const V: u32;
}

/// Declares each type once: its `Body`, its place in [`Known`], its row in [`TYPES`], its part of the schema.
macro_rules! records {
    ($($name:ident = $path:path, $kind:literal, $v:literal;)*) => {
        /// A record whose type and version this build knows.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Known { $($name(Box<$path>)),* }

        $(impl Body for $path {
            const TYPE: &'static str = $kind;
            const V: u32 = $v;
        })*

        /// Every known type with the newest version of its format.
        pub const TYPES: &[(&str, u32)] = &[$(($kind, $v)),*];

        /// The schema of every type's body, by type and newest version.
        fn bodies(generator: &mut SchemaGenerator) -> Vec<(&'static str, u32, Value)> {
            vec![$(($kind, $v, schema::reference::<$path>(generator))),*]
        }

        impl Known {
            /// Parses the body of a line whose keys are `kind` and `v`. `Ok(None)`: a type, or a newer
            /// version, that this build does not know and passes on.
            pub fn parse(kind: &str, v: u32, line: &[u8]) -> serde_json::Result<Option<Self>> {
                match kind {
                    $($kind if v <= $v => Ok(Some(Self::$name(serde_json::from_slice(line)?))),)*
                    _ => Ok(None),
                }
            }

            /// The line of this record under `head`, without the line feed: parse and emit are inverse.
            pub fn to_line(&self, head: &Head) -> serde_json::Result<Vec<u8>> {
                match self { $(Self::$name(body) => to_line(head, body.as_ref()),)* }
            }
        }
    };
}

records! {
    CaseFailed = case::CaseFailed, "case.failed", 1;
    DomainLeased = domain::DomainLeased, "domain.leased", 1;
    DomainReleased = domain::DomainReleased, "domain.released", 1;
    DomainProbed = domain::DomainProbed, "domain.probed", 1;
    DomainAudited = domain::DomainAudited, "domain.audited", 1;
    RunPlanned = run::RunPlanned, "run.planned", 1;
    RunFinished = run::RunFinished, "run.finished", 1;
    TestFinished = run::TestFinished, "test.finished", 1;
    StackKept = run::StackKept, "stack.kept", 1;
    GuardStarted = guard::GuardStarted, "guard.started", 1;
    GuardPassed = guard::GuardPassed, "guard.passed", 1;
    GuardCreated = guard::GuardCreated, "guard.created", 1;
    GuardRefused = guard::GuardRefused, "guard.refused", 1;
    GuardFinished = guard::GuardFinished, "guard.finished", 1;
    SlotSeen = slot::SlotSeen, "slot.seen", 1;
    StackChecked = stack::StackChecked, "stack.checked", 1;
    LogSnapped = log::LogSnapped, "log.snapped", 1;
    FlakeVerdict = verdict::FlakeVerdict, "flake.verdict", 1;
    FixVerdict = verdict::FixVerdict, "fix.verdict", 1;
    PrOpened = pr::PrOpened, "pr.opened", 1;
    PrChecked = pr::PrChecked, "pr.checked", 1;
    PrCommented = pr::PrCommented, "pr.commented", 1;
    PrSkipped = pr::PrSkipped, "pr.skipped", 1;
    CanonPromoted = pr::CanonPromoted, "canon.promoted", 1;
    ReviewRecorded = verdict::ReviewRecorded, "review.recorded", 1;
}

/// One line: the head's fields, then the body's.
pub fn to_line<B: Serialize>(head: &Head, body: &B) -> serde_json::Result<Vec<u8>> {
    // The two objects are joined as text, `{head` + `,` + `body}`, so that the order of the fields is fixed.
    let mut line = serde_json::to_vec(head)?;
    let body = serde_json::to_vec(body)?;
    line.pop();
    if body.len() > 2 {
        line.push(b',');
    }
    line.extend_from_slice(&body[1..]);
    Ok(line)
}
