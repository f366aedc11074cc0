//! Permissions: what an owner may do on the engine beyond touching its own objects, as a list of kind and value. The
//! list has the same form in the policy that `swarm-guard` reads, in the line that `swarm-isolate` hands to it, in a
//! recipe's `needs`, and behind `--allow KIND=VALUE`. No I/O.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::swarm::stack::STACK_MAX;

/// What a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Name of a network of others that may be joined.
    Network,
    /// Service or container of others in which commands may be executed, such as a backup bot.
    Exec,
    /// Domain to which a router may be attached, with all domains below it; `*` for any.
    Domain,
    /// Pattern of further stack names that new objects may have.
    Stack,
    /// Further repository prefix that the tags of built images may have.
    Image,
    /// Absolute path of a folder of the host that may be mounted, with everything in it.
    Path,
    /// Further log driver, which may send logs away from the node.
    LogDriver,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Network, Self::Exec, Self::Domain, Self::Stack, Self::Image, Self::Path, Self::LogDriver];

    /// The word before the `=`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Exec => "exec",
            Self::Domain => "domain",
            Self::Stack => "stack",
            Self::Image => "image",
            Self::Path => "path",
            Self::LogDriver => "log-driver",
        }
    }
}

/// One permission whose value was checked against its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Allow {
    kind: Kind,
    value: String,
}

/// The form in JSON, before the value is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    kind: Kind,
    value: String,
}

impl Allow {
    /// The error says what is wrong with the value.
    pub fn new(kind: Kind, value: impl Into<String>) -> Result<Self, String> {
        let value = value.into();
        match kind {
            _ if value.is_empty() => return Err(format!("{}= needs a value", kind.word())),
            Kind::Stack => drop(value.parse::<Pattern>()?),
            Kind::Path if !Path::new(&value).is_absolute() => {
                return Err(format!("path={value} is not absolute"));
            }
            _ => {}
        }
        Ok(Self { kind, value })
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl TryFrom<Unchecked> for Allow {
    type Error = String;

    fn try_from(given: Unchecked) -> Result<Self, String> {
        Self::new(given.kind, given.value)
    }
}

/// `KIND=VALUE`
impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, value) = text.split_once('=').ok_or("not of the form KIND=VALUE")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        let kind = kind.ok_or_else(|| {
            format!("{word} is not known; known are {}", Kind::ALL.map(Kind::word).join(", "))
        })?;
        Self::new(kind, value)
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}={}", self.kind.word(), self.value)
    }
}

/// The values of one kind, in their order.
pub fn values(allow: &[Allow], kind: Kind) -> impl Iterator<Item = &str> {
    allow.iter().filter(move |one| one.kind == kind).map(|one| one.value.as_str())
}

/// The patterns of further stack names.
#[must_use]
pub fn stacks(allow: &[Allow]) -> Vec<Pattern> {
    values(allow, Kind::Stack).filter_map(|pattern| pattern.parse().ok()).collect()
}

/// What the guard enforces for one owner: the JSON object in a policy file, and in the line that `swarm-isolate`
/// writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The value of the label that the guard puts on everything that is created.
    pub owner: String,
    /// The stack whose name new objects' names must begin with. Without it they begin with the owner's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stack: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub allow: Vec<Allow>,
    /// Nothing may be changed at all.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub read_only: bool,
    /// Objects of others are neither listed nor described.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub hide_others: bool,
}

impl Policy {
    /// The policy in `text`.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let policy: Self = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        name(&policy.owner)?;
        policy.stack.as_deref().map_or(Ok(()), |stack| name(stack).map(drop))?;
        Ok(policy)
    }
}

/// Checks the name of an owner or of a stack. Both keep the same rules, because an owner's name can stand in a stack's
/// place: at the beginning of its objects' names.
pub fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
    (is_name && text.len() <= STACK_MAX).then(|| text.to_owned()).ok_or_else(|| {
        format!(
            "'{text}' is not a name: a name has letters, digits, '-', '_' and '.', at most {STACK_MAX} of them, and \
             begins with a letter or digit"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_permission_reads_the_same_behind_the_option_and_in_json() {
        for (text, json) in [
            ("network=proxy", r#"{"kind":"network","value":"proxy"}"#),
            ("domain=*", r#"{"kind":"domain","value":"*"}"#),
            ("stack=immi-??????.ci", r#"{"kind":"stack","value":"immi-??????.ci"}"#),
            ("path=/srv/a=b", r#"{"kind":"path","value":"/srv/a=b"}"#),
            ("log-driver=gelf", r#"{"kind":"log-driver","value":"gelf"}"#),
        ] {
            let allow: Allow = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&allow).unwrap(), json);
            assert_eq!(serde_json::from_str::<Allow>(json).unwrap(), allow);
            assert_eq!(allow.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_wherever_it_stands() {
        for bad in ["proxy", "net=proxy", "network=", "stack=*", "path=srv", "Network=x"] {
            assert!(bad.parse::<Allow>().is_err(), "{bad}");
        }
        for bad in [
            r#"{"kind":"stack","value":"*"}"#,
            r#"{"kind":"network","value":""}"#,
            r#"{"kind":"network","value":"x","more":1}"#,
            r#"{"kind":"swarm","value":"x"}"#,
            r#""network=proxy""#,
        ] {
            assert!(serde_json::from_str::<Allow>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_is_whole_or_refused() {
        let policy = Policy::parse(br#"{"owner": "ci", "allow": [{"kind": "network", "value": "proxy"}]}"#);
        assert_eq!(values(&policy.unwrap().allow, Kind::Network).collect::<Vec<_>>(), ["proxy"]);
        for bad in [
            r#"{"allow": []}"#,
            r#"{"owner": ""}"#,
            r#"{"owner": "a b"}"#,
            r#"{"owner": "-a"}"#,
            r#"{"owner": "ci", "stack": ""}"#,
            r#"{"owner": "ci", "leave": []}"#,
            r#"{"owner": "ci"} {"owner": "ci"}"#,
        ] {
            assert!(Policy::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
