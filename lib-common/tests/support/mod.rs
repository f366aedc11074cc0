//! Test helpers: the frozen lines, and the names of a type's fields in JSON.
#![allow(dead_code)] // each test binary uses its own part

use lib_common::record::{Body, Head, Known, case, domain, guard, log, pr, run, slot, stack, verdict};
use serde::de::{Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

pub const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/v1");

/// The frozen lines of a type, without line feeds.
pub fn lines(kind: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read(format!("{DATA}/{kind}.jsonl")).unwrap();
    assert!(text.ends_with(b"\n"), "{kind}.jsonl ends with a line feed");
    text[..text.len() - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

pub fn parse(line: &[u8]) -> (Head, Known) {
    let head: Head = serde_json::from_slice(line).unwrap();
    let known = Known::parse(&head.kind, head.v, line);
    let known = known.unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(line)));
    let known = known.unwrap_or_else(|| panic!("{} of version {} is not known", head.kind, head.v));
    (head, known)
}

/// The JSON names of all fields of a type, the optional ones too: those for which serde asks a deserializer.
pub fn fields_of(kind: &str) -> Vec<&'static str> {
    let all = [
        fields::<case::CaseFailed>(),
        fields::<domain::DomainLeased>(),
        fields::<domain::DomainReleased>(),
        fields::<domain::DomainProbed>(),
        fields::<domain::DomainAudited>(),
        fields::<run::RunPlanned>(),
        fields::<run::RunFinished>(),
        fields::<run::TestFinished>(),
        fields::<run::StackKept>(),
        fields::<guard::GuardStarted>(),
        fields::<guard::GuardPassed>(),
        fields::<guard::GuardCreated>(),
        fields::<guard::GuardRefused>(),
        fields::<guard::GuardFinished>(),
        fields::<slot::SlotSeen>(),
        fields::<stack::StackChecked>(),
        fields::<log::LogSnapped>(),
        fields::<verdict::FlakeVerdict>(),
        fields::<verdict::FixVerdict>(),
        fields::<pr::PrOpened>(),
        fields::<pr::PrChecked>(),
        fields::<pr::PrCommented>(),
        fields::<pr::PrSkipped>(),
        fields::<pr::CanonPromoted>(),
        fields::<verdict::ReviewRecorded>(),
    ];
    let found = all.into_iter().find(|(name, _)| *name == kind);
    found.unwrap_or_else(|| panic!("{kind} is missing from the list of types in tests/support")).1
}

fn fields<B: Body>() -> (&'static str, Vec<&'static str>) {
    let mut names = Vec::new();
    assert!(B::deserialize(Asked(&mut names)).is_err());
    assert!(!names.is_empty(), "{} is a struct", B::TYPE);
    (B::TYPE, names)
}

/// A deserializer that only remembers which fields it is asked for.
struct Asked<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend_from_slice(fields);
        Err(Error::custom("only asking"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
