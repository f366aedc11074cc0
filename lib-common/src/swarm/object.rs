//! The swarm's objects by kind and id, read from the engine's lists. No I/O.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::label::{self, OURS, RUN, STACK, TASK_ID};

/// Kinds of objects, in the order in which they are removed. Containers go before networks, because a network can only
/// be removed when no container uses it, and one that is removed too early leaks addresses.
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
    /// Kinds whose objects only the engine of their own node lists.
    pub const LOCAL: [Self; 3] = [Self::Container, Self::Network, Self::Volume];

    /// The path that lists every object of the kind.
    #[must_use]
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

    /// The engine's word for it, in events as well as in paths.
    #[must_use]
    pub fn name(self) -> &'static str {
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

/// One object of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The node that has the object, if it is not that of the manager that we talk to.
    pub node: Option<String>,
}

impl Object {
    /// A service of `stack` that need not exist: to compare a name with the rules for names.
    #[must_use]
    pub fn named(name: &str, stack: &str) -> Self {
        let labels = BTreeMap::from([(STACK.to_owned(), stack.to_owned())]);
        Self { kind: Kind::Service, id: String::new(), name: name.to_owned(), labels, node: None }
    }

    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The stack that its label names.
    #[must_use]
    pub fn stack(&self) -> Option<&str> {
        self.label(STACK)
    }

    /// The attempt whose guard saw it created.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.label(RUN)
    }

    /// Whether redfix made it: slots, leases, and what runs create through the guard.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.labels.keys().any(|key| key.starts_with(OURS))
    }

    /// Whether it is the container of a task, which the swarm removes when its service is removed.
    #[must_use]
    pub fn is_task(&self) -> bool {
        self.kind == Kind::Container && self.labels.contains_key(TASK_ID)
    }

    /// Whether it belongs to the stack by its label or by its name. That is enough to say that a namespace is taken,
    /// but not enough to delete the object.
    #[must_use]
    pub fn is_of(&self, stack: &str) -> bool {
        self.stack() == Some(stack) || self.is_named_like(stack)
    }

    /// Whether it is called `<stack>_...`, whatever its labels say.
    #[must_use]
    pub fn is_named_like(&self, stack: &str) -> bool {
        self.name.strip_prefix(stack).is_some_and(|rest| rest.starts_with('_'))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let id: String = self.id.chars().take(12).collect();
        write!(f, "{}/{id} {}", self.kind.name(), self.name)?;
        self.node.as_ref().map_or(Ok(()), |node| write!(f, " on {node}"))
    }
}

/// The objects in the engine's answer to [`Kind::list_path`]. Entries without an id are left out.
#[must_use]
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
    let name = name.unwrap_or_default().to_owned();
    Some(Object { kind, id: id.as_str()?.to_owned(), name, labels: label::pairs(labels), node: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(name: &str, labels: &Value) -> Object {
        parse(Kind::Service, &json!([{"ID": "1", "Spec": {"Name": name, "Labels": labels}}])).remove(0)
    }

    #[test]
    fn each_kind_is_read_from_its_own_list() {
        let labels = json!({STACK: "s", TASK_ID: "t"});
        for kind in Kind::ALL {
            let spec = json!({"Name": "s_x", "Labels": labels});
            let one = json!({"ID": "1", "Id": "1", "Spec": spec, "Name": "s_x", "Names": ["/s_x"], "Labels": labels});
            let list = if kind == Kind::Volume { json!({"Volumes": [one]}) } else { json!([one]) };
            let object = parse(kind, &list).remove(0);
            assert_eq!((object.name.as_str(), object.stack()), ("s_x", Some("s")), "{}", kind.name());
            assert_eq!(object.is_task(), kind == Kind::Container);
        }
    }

    #[test]
    fn a_longer_stack_name_is_a_stranger() {
        assert!(service("foo_app", &json!({STACK: "foo"})).is_of("foo"));
        assert!(service("foo_secret", &Value::Null).is_of("foo"));
        assert!(!service("foo-bar_app", &json!({STACK: "foo-bar"})).is_of("foo"));
        assert!(!service("foobar", &Value::Null).is_of("foo"));
    }

    #[test]
    fn odd_entries_do_not_fail_a_list() {
        assert_eq!(parse(Kind::Network, &json!([{"Name": 3}, 7, null])), []);
        assert_eq!(parse(Kind::Volume, &json!({"Volumes": null})), []);
    }
}
