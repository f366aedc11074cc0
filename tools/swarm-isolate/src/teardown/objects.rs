//! The swarm's objects by kind and id: what belongs to a stack, and what differs between two looks. No I/O.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Kinds in the order in which they are removed, so that no address leaks: a network only goes when no
/// container uses it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Service,
    Container,
    Network,
    Config,
    Secret,
    Volume,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Service, Self::Container, Self::Network, Self::Config, Self::Secret, Self::Volume];

    /// The path that lists every object of the kind.
    pub fn list_path(self) -> &'static str {
        match self {
            Self::Service => "/services",
            Self::Container => "/containers/json?all=1",
            Self::Network => "/networks",
            Self::Config => "/configs",
            Self::Secret => "/secrets",
            Self::Volume => "/volumes",
        }
    }

    /// The path that removes one.
    pub fn delete_path(self, id: &str) -> String {
        match self {
            Self::Service => format!("/services/{id}"),
            Self::Container => format!("/containers/{id}?force=1&v=1"),
            Self::Network => format!("/networks/{id}"),
            Self::Config => format!("/configs/{id}"),
            Self::Secret => format!("/secrets/{id}"),
            Self::Volume => format!("/volumes/{id}"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Container => "container",
            Self::Network => "network",
            Self::Config => "config",
            Self::Secret => "secret",
            Self::Volume => "volume",
        }
    }
}

/// One object as a record names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    /// The stack that its label names, if any.
    pub stack: Option<String>,
    /// Whether redfix itself keeps it (slots, leases).
    pub ours: bool,
}

impl Object {
    /// Belongs to the stack by label, or, for what abra creates without one, by name. Names of attempts are
    /// never reused and none is the prefix of another.
    pub fn is_of(&self, stack: &str) -> bool {
        self.stack.as_deref() == Some(stack)
            || self.name.strip_prefix(stack).is_some_and(|rest| rest.starts_with('_'))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let id: String = self.id.chars().take(12).collect();
        write!(f, "{}/{id} {}", self.kind.name(), self.name)
    }
}

/// The objects in one list answer; odd entries without an id are left out, never fatal.
pub fn parse(kind: Kind, answer: &Value) -> Vec<Object> {
    let list = if kind == Kind::Volume { &answer["Volumes"] } else { answer };
    list.as_array().into_iter().flatten().filter_map(|value| object(kind, value)).collect()
}

fn object(kind: Kind, value: &Value) -> Option<Object> {
    let (id, name, labels) = match kind {
        Kind::Service | Kind::Config | Kind::Secret => {
            (&value["ID"], value["Spec"]["Name"].as_str(), &value["Spec"]["Labels"])
        }
        Kind::Container => {
            let name = value["Names"][0].as_str().map(|name| name.trim_start_matches('/'));
            (&value["Id"], name, &value["Labels"])
        }
        Kind::Network => (&value["Id"], value["Name"].as_str(), &value["Labels"]),
        Kind::Volume => (&value["Name"], value["Name"].as_str(), &value["Labels"]),
    };
    let stack = labels["com.docker.stack.namespace"].as_str().map(ToOwned::to_owned);
    let ours = labels.as_object().is_some_and(|l| l.keys().any(|key| key.starts_with("redfix.")));
    let name = name.unwrap_or_default().to_owned();
    Some(Object { kind, id: id.as_str()?.to_owned(), name, stack, ours })
}

/// Everything on the swarm at one moment, by kind and id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<(Kind, String), Object>);

impl FromIterator<Object> for Snapshot {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        Self(objects.into_iter().map(|object| ((object.kind, object.id.clone()), object)).collect())
    }
}

impl Snapshot {
    pub fn of_stacks<'s>(&'s self, stacks: &'s [String]) -> impl Iterator<Item = &'s Object> {
        self.0.values().filter(|object| stacks.iter().any(|stack| object.is_of(stack)))
    }

    /// What others lost or gained since `before`: neither of the stacks, nor kept by redfix itself.
    pub fn changes_of_others(&self, before: &Self, stacks: &[String]) -> Vec<String> {
        let strange = |object: &&Object| !object.ours && !stacks.iter().any(|stack| object.is_of(stack));
        let only_in = |one: &Self, other: &Self, sign: char| -> Vec<String> {
            let missing =
                one.0.iter().filter(|(key, _)| !other.0.contains_key(*key)).map(|(_, object)| object);
            missing.filter(strange).map(|object| format!("{sign}{object}")).collect()
        };
        [only_in(before, self, '-'), only_in(self, before, '+')].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(id: &str, name: &str, stack: Option<&str>) -> Object {
        let labels = stack.map(|s| json!({"com.docker.stack.namespace": s})).unwrap_or_default();
        let list = json!([{"ID": id, "Spec": {"Name": name, "Labels": labels}}]);
        parse(Kind::Service, &list).remove(0)
    }

    #[test]
    fn a_longer_stack_name_is_a_stranger() {
        assert!(service("1", "foo_app", Some("foo")).is_of("foo"));
        assert!(service("1", "foo_secret", None).is_of("foo"));
        assert!(!service("1", "foo-bar_app", Some("foo-bar")).is_of("foo"));
        assert!(!service("1", "foobar", None).is_of("foo"));
    }

    #[test]
    fn only_changes_of_others_are_told() {
        let before: Snapshot = [service("1", "live_app", Some("live"))].into_iter().collect();
        let after: Snapshot =
            [service("2", "mine_app", Some("mine")), service("3", "live_app", Some("live"))]
                .into_iter()
                .collect();
        let changes = after.changes_of_others(&before, &["mine".into()]);
        assert_eq!(changes, ["-service/1 live_app", "+service/3 live_app"]);
    }

    #[test]
    fn odd_entries_do_not_fail_a_list() {
        assert_eq!(parse(Kind::Network, &json!([{"Name": 3}, 7, null])), []);
        assert_eq!(parse(Kind::Volume, &json!({"Volumes": null})), []);
    }
}
