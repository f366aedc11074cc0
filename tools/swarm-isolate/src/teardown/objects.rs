//! Decides what belongs to a run, and what differs between two listings of the swarm. No I/O.

use std::collections::BTreeMap;

use lib_common::swarm::label;
use lib_common::swarm::object::{Kind, Object};

/// Prefix of an attempt's id in the list of stacks that its slot names; no stack's name contains a `=`.
pub const RUN: &str = "run=";

/// The runs and stacks whose objects are meant.
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

    /// Objects of these stacks, whoever created them.
    pub fn of_stacks(stacks: &[String]) -> Self {
        Self { runs: Vec::new(), stacks: stacks.to_vec() }
    }

    /// The attempts and stacks that a dead holder's slot names.
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

    /// Whether the object is the target's. Only labels count, since a name proves nothing.
    pub fn owns(&self, object: &Object) -> bool {
        let has = |list: &[String], value: Option<&str>| value.is_some_and(|v| list.iter().any(|l| l == v));
        has(&self.runs, object.run()) || has(&self.stacks, object.stack())
    }

    /// Whether the object has a name like one of the target's, but no label that says whose it is. Such an object is not
    /// removed for its name alone, but always reported.
    pub fn suspects(&self, object: &Object) -> bool {
        object.stack().is_none()
            && !object.is_ours()
            && self.stacks.iter().any(|stack| object.is_named_like(stack))
    }

    /// The label filters that find the target's tasks.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        let runs = self.runs.iter().map(|run| format!("{}={run}", label::RUN));
        runs.chain(self.stacks.iter().map(|stack| label::of_stack(stack)))
    }
}

/// All objects of the swarm at one moment, by kind, id and node.
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

    /// The objects of others that are gone (`-`) or new (`+`) since `before`. Objects of the run and of redfix itself do
    /// not count.
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
    use lib_common::swarm::label::STACK;
    use lib_common::swarm::object::parse;
    use serde_json::{Value, json};

    fn service(id: &str, name: &str, labels: &Value) -> Object {
        parse(Kind::Service, &json!([{"ID": id, "Spec": {"Name": name, "Labels": labels}}])).remove(0)
    }

    fn in_stack(id: &str, name: &str, stack: &str) -> Object {
        service(id, name, &json!({STACK: stack}))
    }

    #[test]
    fn ownership_goes_by_label_never_by_name() {
        let target = Target::of_run("01A", &["foo".into()]);
        let stamped = service("1", "anything", &json!({label::RUN: "01A"}));
        let other_run = service("2", "foo_app", &json!({label::RUN: "01B"}));
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
}
