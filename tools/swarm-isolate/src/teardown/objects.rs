//! The swarm's objects by kind and id: what belongs to a run, and what differs between two looks. No I/O.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The label that the guard puts on everything that a run creates; its value is the attempt's id.
pub const RUN_LABEL: &str = "redfix.run";
/// The label that `docker stack deploy` puts on what belongs to a stack.
pub const STACK_LABEL: &str = "com.docker.stack.namespace";
/// The label that the swarm puts on the containers of its tasks.
pub const TASK_LABEL: &str = "com.docker.swarm.task.id";

/// How an attempt's id stands among the stacks that its slot names; no stack's name holds a `=`.
pub const RUN: &str = "run=";

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
    /// What only the engine of its own node can tell of.
    pub const LOCAL: [Self; 3] = [Self::Container, Self::Network, Self::Volume];

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

/// One object as a record names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The node that has it, where the manager that we talk to does not.
    pub node: Option<String>,
}

impl Object {
    /// As a service of a stack would be.
    pub fn named(name: &str, stack: &str) -> Self {
        let labels = BTreeMap::from([(STACK_LABEL.to_owned(), stack.to_owned())]);
        Self { kind: Kind::Service, id: String::new(), name: name.to_owned(), labels, node: None }
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The stack that its label names.
    pub fn stack(&self) -> Option<&str> {
        self.label(STACK_LABEL)
    }

    /// The attempt whose guard saw it created.
    pub fn run(&self) -> Option<&str> {
        self.label(RUN_LABEL)
    }

    /// Made by redfix: slots, leases, and what runs create through the guard.
    pub fn is_ours(&self) -> bool {
        self.labels.keys().any(|key| key.starts_with("redfix."))
    }

    /// A task's container: the swarm stops it when its service goes.
    pub fn is_task(&self) -> bool {
        self.kind == Kind::Container && self.labels.contains_key(TASK_LABEL)
    }

    /// Belongs to the stack by label or by name: enough to call a namespace taken, not enough to delete.
    pub fn is_of(&self, stack: &str) -> bool {
        self.stack() == Some(stack) || self.is_named_like(stack)
    }

    fn is_named_like(&self, stack: &str) -> bool {
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

/// What one or several runs may have created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Attempt ids, as the guard's label carries them.
    pub runs: Vec<String>,
    pub stacks: Vec<String>,
}

impl Target {
    pub fn of_run(attempt: &str, stacks: &[String]) -> Self {
        Self { runs: vec![attempt.to_owned()], stacks: stacks.to_vec() }
    }

    /// Objects of these stacks only, whoever created them.
    pub fn of_stacks(stacks: &[String]) -> Self {
        Self { runs: Vec::new(), stacks: stacks.to_vec() }
    }

    /// From what a dead holder's slot says: stacks, and the attempts that they belong to.
    pub fn of_remains(remains: &[String]) -> Self {
        let mut target = Self::default();
        for entry in remains {
            match entry.strip_prefix(RUN) {
                Some(run) => target.runs.push(run.to_owned()),
                None => target.stacks.push(entry.clone()),
            }
        }
        target
    }

    /// By label alone: a name is no proof of whose it is.
    pub fn owns(&self, object: &Object) -> bool {
        let has = |list: &[String], value: Option<&str>| value.is_some_and(|v| list.iter().any(|l| l == v));
        has(&self.runs, object.run()) || has(&self.stacks, object.stack())
    }

    /// Named like one of ours, but without a label that says so: never deleted, always told.
    pub fn suspects(&self, object: &Object) -> bool {
        object.stack().is_none()
            && !object.is_ours()
            && self.stacks.iter().any(|stack| object.is_named_like(stack))
    }

    /// The label filters that find its tasks.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        let runs = self.runs.iter().map(|run| format!("{RUN_LABEL}={run}"));
        runs.chain(self.stacks.iter().map(|stack| format!("{STACK_LABEL}={stack}")))
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
    let name = name.unwrap_or_default().to_owned();
    Some(Object { kind, id: id.as_str()?.to_owned(), name, labels: pairs(labels), node: None })
}

/// Labels as the engine lists them; absent ones are none.
pub fn pairs(labels: &Value) -> BTreeMap<String, String> {
    let entries = labels.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Everything on the swarm at one moment, by kind, id and node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<(Kind, String, Option<String>), Object>);

impl FromIterator<Object> for Snapshot {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        let keyed = |object: Object| ((object.kind, object.id.clone(), object.node.clone()), object);
        Self(objects.into_iter().map(keyed).collect())
    }
}

impl Snapshot {
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.0.values()
    }

    pub fn has(&self, object: &Object) -> bool {
        self.0.contains_key(&(object.kind, object.id.clone(), object.node.clone()))
    }

    /// What others lost (`-`) or gained (`+`) since `before`: not the run's, nor kept by redfix itself.
    pub fn changes_of_others(&self, before: &Self, target: &Target) -> Vec<String> {
        let strange = |object: &&Object| {
            !object.is_ours()
                && !target.owns(object)
                && !target.stacks.iter().any(|stack| object.is_of(stack))
        };
        let only_in = |one: &Self, other: &Self, sign: char| -> Vec<String> {
            let missing = one.objects().filter(|object| !other.has(object));
            missing.filter(strange).map(|object| format!("{sign}{object}")).collect()
        };
        [only_in(before, self, '-'), only_in(self, before, '+')].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(id: &str, name: &str, labels: &Value) -> Object {
        parse(Kind::Service, &json!([{"ID": id, "Spec": {"Name": name, "Labels": labels}}])).remove(0)
    }

    fn in_stack(id: &str, name: &str, stack: &str) -> Object {
        service(id, name, &json!({STACK_LABEL: stack}))
    }

    #[test]
    fn a_longer_stack_name_is_a_stranger() {
        assert!(in_stack("1", "foo_app", "foo").is_of("foo"));
        assert!(service("1", "foo_secret", &Value::Null).is_of("foo"));
        assert!(!in_stack("1", "foo-bar_app", "foo-bar").is_of("foo"));
        assert!(!service("1", "foobar", &Value::Null).is_of("foo"));
    }

    #[test]
    fn ownership_goes_by_label_never_by_name() {
        let target = Target::of_run("01A", &["foo".into()]);
        let stamped = service("1", "anything", &json!({RUN_LABEL: "01A"}));
        let other_run = service("2", "foo_app", &json!({RUN_LABEL: "01B"}));
        let live = in_stack("3", "foo_bar_app", "foo_bar");
        let bare = service("4", "foo_pw", &Value::Null);
        assert!(target.owns(&stamped) && target.owns(&in_stack("5", "x", "foo")));
        for stranger in [&other_run, &live, &bare] {
            assert!(!target.owns(stranger), "{stranger}");
        }
        assert!(target.suspects(&bare), "it looks like ours, and is told");
        assert!(!target.suspects(&live) && !target.suspects(&other_run) && !target.suspects(&stamped));
        assert_eq!(target.labels().collect::<Vec<_>>(), ["redfix.run=01A", "com.docker.stack.namespace=foo"]);
    }

    #[test]
    fn only_changes_of_others_are_told() {
        let before: Snapshot = [in_stack("1", "live_app", "live")].into_iter().collect();
        let after: Snapshot =
            [in_stack("2", "mine_app", "mine"), in_stack("3", "live_app", "live")].into_iter().collect();
        let changes = after.changes_of_others(&before, &Target::of_stacks(&["mine".into()]));
        assert_eq!(changes, ["-service/1 live_app", "+service/3 live_app"]);
    }

    #[test]
    fn remains_are_stacks_and_attempts() {
        let remains = ["run=01A", "s", "s-load"].map(ToOwned::to_owned);
        let stacks = ["s".to_owned(), "s-load".to_owned()];
        assert_eq!(Target::of_remains(&remains), Target::of_run("01A", &stacks));
    }

    #[test]
    fn two_nodes_may_have_volumes_of_one_name() {
        let on = |node: Option<&str>| {
            let volume = parse(Kind::Volume, &json!({"Volumes": [{"Name": "s_data"}]})).remove(0);
            Object { node: node.map(Into::into), ..volume }
        };
        let all: Snapshot = [on(None), on(Some("n2"))].into_iter().collect();
        let told: Vec<String> = all.objects().map(ToString::to_string).collect();
        assert_eq!(told, ["volume/s_data s_data", "volume/s_data s_data on n2"]);
    }

    #[test]
    fn odd_entries_do_not_fail_a_list() {
        assert_eq!(parse(Kind::Network, &json!([{"Name": 3}, 7, null])), []);
        assert_eq!(parse(Kind::Volume, &json!({"Volumes": null})), []);
    }
}
