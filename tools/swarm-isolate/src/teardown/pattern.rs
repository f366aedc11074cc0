//! A pattern of `--protect`: it names objects by name, by glob, or by label. No I/O.

use std::str::FromStr;

use lib_common::glob;
use lib_common::swarm::object::Object;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Pattern {
    /// A name, in which `*` stands for any characters and `?` for one.
    Name(String),
    Label(String, Option<String>),
    /// Matches nothing; an empty `REDFIX_PROTECT` gives it.
    Nothing,
}

impl Pattern {
    /// Whether an object with this name matches; `label` looks its labels up.
    pub fn matches<'l>(&self, name: &str, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        match self {
            Self::Name(pattern) => glob::matches(pattern, name),
            Self::Label(key, None) => label(key).is_some(),
            Self::Label(key, Some(value)) => label(key) == Some(value),
            Self::Nothing => false,
        }
    }

    pub fn matches_object(&self, object: &Object) -> bool {
        self.matches(&object.name, |key| object.label(key))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(label) = text.strip_prefix("label=") else {
            return Ok(if text.is_empty() { Self::Nothing } else { Self::Name(text.to_owned()) });
        };
        let (key, value) = label.split_once('=').map_or((label, None), |(key, value)| (key, Some(value)));
        if key.is_empty() {
            return Err("label= needs a KEY, or KEY=VALUE".into());
        }
        Ok(Self::Label(key.to_owned(), value.map(ToOwned::to_owned)))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Name(name) => name,
            Pattern::Label(key, None) => format!("label={key}"),
            Pattern::Label(key, Some(value)) => format!("label={key}={value}"),
            Pattern::Nothing => Self::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_globs_and_labels() {
        let none = |_: &str| None;
        for (pattern, name, expected) in [
            ("live_app", "live_app", true),
            ("live_app", "live_app2", false),
            ("live_*", "live_app", true),
            ("*", "", true),
            ("*_app", "warm_keycloak_app", true),
            ("w?rm*k*", "warm_keycloak", true),
            ("live?", "live", false),
            ("a*b*c", "a-b-b", false),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(name, none), expected, "{pattern} {name}");
        }
        let warm = |key: &str| (key == "class").then_some("warm");
        let holds = |pattern: &str| pattern.parse::<Pattern>().unwrap().matches("x", warm);
        assert!(holds("label=class") && holds("label=class=warm"));
        assert!(!holds("label=class=cold") && !holds("label=other") && !holds(""));
        assert!("label=".parse::<Pattern>().is_err() && "label==x".parse::<Pattern>().is_err());
    }

    proptest! {
        #[test]
        fn what_was_parsed_is_written_the_same(text in "(label=)?[a-z*?]{1,8}(=[a-z]{1,5})?") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(String::from(pattern), text);
            }
        }
    }
}
