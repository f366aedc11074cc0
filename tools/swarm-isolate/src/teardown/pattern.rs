//! What `--protect` names: an object by name, by glob, or by label. No I/O.

use std::str::FromStr;

use lib_common::swarm::object::Object;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Pattern {
    /// With `*` for any run of characters and `?` for one.
    Name(String),
    Label(String, Option<String>),
    /// From an empty variable.
    Nothing,
}

impl Pattern {
    /// `label` looks a label of the object up.
    pub fn matches<'l>(&self, name: &str, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        match self {
            Self::Name(glob) => matches(glob.as_bytes(), name.as_bytes()),
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

/// Glob match in linear memory: on a mismatch the last `*` takes one character more.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (g, n) = (at + 1, taken + 1);
            }
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
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
        fn a_name_without_wildcards_matches_itself_alone(name in "[a-z_]{1,12}", other in "[a-z_]{1,12}") {
            prop_assert!(matches(name.as_bytes(), name.as_bytes()));
            prop_assert_eq!(matches(name.as_bytes(), other.as_bytes()), name == other);
        }

        #[test]
        fn any_glob_ends(glob in "[*?ab]{0,20}", name in "[ab]{0,40}") {
            let _ = matches(glob.as_bytes(), name.as_bytes());
        }

        #[test]
        fn what_was_parsed_is_written_the_same(text in "(label=)?[a-z*?]{1,8}(=[a-z]{1,5})?") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(String::from(pattern), text);
            }
        }
    }
}
