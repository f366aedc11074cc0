//! The records that a long ledger is made of, as they lie in the line: borrowed, and only what a verdict uses. All
//! that a record must have is asked for all the same, so that a line which is none is not taken for one; the careful
//! reader then says what is wrong with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use lib_common::record::Body;
use lib_common::record::run::{Outcome, RunFinished, TestFinished, TestOutcome};
use lib_common::text::Text;
use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use crate::attempt::View;

/// `test.finished`.
#[derive(Deserialize)]
pub struct Test<'a> {
    #[serde(borrow)]
    pub attempt_id: Name<'a>,
    #[serde(borrow)]
    pub case: Name<'a>,
    pub outcome: TestOutcome,
    #[serde(borrow, default)]
    pub signature: Option<Name<'a>>,
    #[serde(borrow, rename = "recipe")]
    _recipe: Name<'a>,
    #[serde(borrow, rename = "test")]
    _name: Name<'a>,
    #[serde(rename = "duration_ms")]
    _duration_ms: u64,
    #[serde(default)]
    pub message: Option<Text>,
}

/// `run.finished`.
#[derive(Deserialize)]
pub struct Run<'a> {
    #[serde(borrow)]
    pub attempt_id: Name<'a>,
    #[serde(borrow, default)]
    pub cases: Vec<Name<'a>>,
    #[serde(borrow)]
    pub started: Name<'a>,
    pub duration_ms: u64,
    #[serde(borrow, default)]
    pub signature: Option<Name<'a>>,
    #[serde(borrow, rename = "ref", default)]
    reference: Option<Ref<'a>>,
    #[serde(borrow, default)]
    tests: Option<Name<'a>>,
    #[serde(borrow, default)]
    harness: Option<Name<'a>>,
    #[serde(borrow)]
    engine: Name<'a>,
    #[serde(borrow)]
    boot_id: Name<'a>,
    #[serde(borrow)]
    factors: BTreeMap<Name<'a>, Name<'a>>,
    outcome: Outcome,
    #[serde(borrow, default)]
    reason: Option<Name<'a>>,
    #[serde(borrow, default)]
    stage: Option<Name<'a>>,
    #[serde(borrow)]
    isolation: Isolation<'a>,
    #[serde(borrow, rename = "recipe")]
    _recipe: Name<'a>,
    #[serde(borrow, rename = "version")]
    _version: Name<'a>,
    #[serde(borrow, rename = "node")]
    _node: Name<'a>,
    #[serde(borrow, rename = "stack")]
    _stack: Name<'a>,
    #[serde(rename = "cleanup")]
    _cleanup: IgnoredAny,
}

#[derive(Deserialize)]
struct Ref<'a> {
    #[serde(borrow)]
    commit: Name<'a>,
    #[serde(borrow)]
    kind: Name<'a>,
}

#[derive(Deserialize)]
struct Isolation<'a> {
    proved: bool,
    #[serde(borrow, default)]
    claimed: Option<Name<'a>>,
    #[serde(rename = "slots_held")]
    _slots_held: u32,
    #[serde(rename = "slots_total")]
    _slots_total: u32,
    #[serde(rename = "other_deploys")]
    _other_deploys: u32,
}

impl Run<'_> {
    pub fn view(&self) -> View<'_> {
        View {
            reference: self.reference.as_ref().map(|r| (&*r.commit, &*r.kind)),
            tests: self.tests.as_deref(),
            harness: self.harness.as_deref(),
            engine: &self.engine,
            boot: &self.boot_id,
            factors: self.factors.iter().map(|(factor, level)| (&**factor, &**level)).collect(),
            outcome: self.outcome,
            reason: self.reason.as_deref(),
            stage: self.stage.as_deref(),
            proved: self.isolation.proved,
            claimed: self.isolation.claimed.as_deref(),
        }
    }
}

/// Borrowed wherever the text has no escapes; serde's own `Option<Cow>` is always a copy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name<'a>(pub Cow<'a, str>);

impl Deref for Name<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsName;
        impl<'de> Visitor<'de> for AsName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(AsName)
    }
}

const _: () = assert!(TestFinished::V == 1 && RunFinished::V == 1, "the fast path reads version 1");

#[cfg(test)]
mod tests {
    use super::*;

    /// Every frozen line says the same here as in the records' own definition.
    #[test]
    fn frozen_lines_say_the_same_in_both_readers() {
        let runs = include_str!("../../../../lib-common/tests/data/v1/run.finished.jsonl");
        for line in runs.lines() {
            let (fast, careful) = (
                serde_json::from_str::<Run>(line).unwrap(),
                serde_json::from_str::<RunFinished>(line).unwrap(),
            );
            assert_eq!(fast.view(), View::of(&careful), "{line}");
            assert_eq!((&*fast.attempt_id, &*fast.started), (&*careful.attempt_id, &*careful.started));
            assert_eq!(
                (fast.duration_ms, fast.signature.as_deref()),
                (careful.duration_ms, careful.signature.as_deref())
            );
            assert!(fast.cases.iter().map(|case| &**case).eq(careful.cases.iter().map(String::as_str)));
        }
        let tests = include_str!("../../../../lib-common/tests/data/v1/test.finished.jsonl");
        for line in tests.lines() {
            let (fast, careful) = (
                serde_json::from_str::<Test>(line).unwrap(),
                serde_json::from_str::<TestFinished>(line).unwrap(),
            );
            assert_eq!((&*fast.attempt_id, &*fast.case), (&*careful.attempt_id, &*careful.case));
            assert_eq!(
                (fast.outcome, fast.signature.as_deref()),
                (careful.outcome, careful.signature.as_deref())
            );
            assert_eq!(fast.message, careful.message);
        }
    }
}
