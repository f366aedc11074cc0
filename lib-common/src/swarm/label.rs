//! Keys of labels that several tools read.

use std::collections::BTreeMap;

use serde_json::Value;

/// `docker stack deploy` puts this label on what belongs to a stack; its value is the stack's name.
pub const STACK: &str = "com.docker.stack.namespace";
/// The swarm puts these three on the containers of its tasks.
pub const TASK_ID: &str = "com.docker.swarm.task.id";
pub const SERVICE_ID: &str = "com.docker.swarm.service.id";
pub const SERVICE_NAME: &str = "com.docker.swarm.service.name";
/// Docker Compose puts these two on its containers.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Every label that the swarm puts on containers of its tasks begins so.
pub const SWARM: &str = "com.docker.swarm.";

/// The guard puts this label on everything that a run creates; its value is the attempt's id.
pub const RUN: &str = "redfix.run";
/// Every label that redfix itself puts on an object (slots, leases, what runs create) begins with this.
pub const OURS: &str = "redfix.";

/// The value of the engine's `label` filter that finds the objects of a stack.
#[must_use]
pub fn of_stack(stack: &str) -> String {
    format!("{STACK}={stack}")
}

/// Labels as the engine lists them; where there are none (`null`), the map is empty.
#[must_use]
pub fn pairs(labels: &Value) -> BTreeMap<String, String> {
    let entries = labels.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_as_the_engine_writes_them() {
        assert_eq!(of_stack("foo"), "com.docker.stack.namespace=foo");
        let task =
            ["com.docker.swarm.task.id", "com.docker.swarm.service.id", "com.docker.swarm.service.name"];
        assert_eq!([TASK_ID, SERVICE_ID, SERVICE_NAME], task);
        assert!(RUN.starts_with(OURS));
    }

    #[test]
    fn only_text_is_a_labels_value() {
        let labels = json!({"a": "b", "n": 1, STACK: "s"});
        assert_eq!(
            pairs(&labels),
            BTreeMap::from([("a", "b"), (STACK, "s")].map(|(k, v)| (k.into(), v.into())))
        );
        assert_eq!(pairs(&Value::Null), BTreeMap::new());
    }
}
