//! Parses the engine's JSON of services, tasks and nodes into the few facts that `judge` and `history` need. No I/O.

use std::collections::HashSet;
use std::time::Duration;

use lib_common::swarm::label::STACK;
use serde_json::{Map, Value};

/// A service with its tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub id: String,
    /// Name without the prefix `<stack>_`.
    pub name: String,
    pub mode: Mode,
    /// State and message of the last update.
    pub update: Option<(String, String)>,
    /// The restart policy is `none` or `on-failure`, so a task that ended with code 0 is not replaced.
    pub one_shot: bool,
    /// The spec has a health check. The engine reports such a task as running only when the check has passed.
    pub checked: bool,
    /// `StartPeriod` of the health check: how long the recipe says that a start may take.
    pub start_period: Duration,
    /// Networks that its tasks join, by id.
    pub networks: Vec<String>,
    pub tasks: Vec<Task>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Replicated(u64),
    Global,
    ReplicatedJob(u64),
    GlobalJob,
}

impl Mode {
    pub fn is_job(self) -> bool {
        matches!(self, Self::ReplicatedJob(_) | Self::GlobalJob)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: String,
    /// The replica's number; for a task of a global service, which has none, its node's id.
    pub slot: String,
    pub desired: String,
    pub state: State,
    pub error: String,
    /// The task was made from the spec that the service has now (a job's task: in its current iteration).
    pub intended: bool,
    /// The task's node does not answer the managers, so the state that is recorded for the task may be out of date.
    pub lost: bool,
    pub addresses: Vec<String>,
}

/// The engine's task states, in the order in which a task passes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    New,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Gone,
}

impl State {
    /// A state that this build does not know becomes `Gone`, which is neither live nor a failure.
    fn parse(text: &str) -> Self {
        match text {
            "new" => Self::New,
            "allocated" | "pending" => Self::Pending,
            "assigned" => Self::Assigned,
            "accepted" => Self::Accepted,
            "preparing" => Self::Preparing,
            "ready" => Self::Ready,
            "starting" => Self::Starting,
            "running" => Self::Running,
            "complete" => Self::Complete,
            "shutdown" => Self::Shutdown,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            _ => Self::Gone,
        }
    }

    pub fn is_live(self) -> bool {
        self <= Self::Running
    }

    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shut down",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Gone => "gone",
        }
    }
}

/// The services of `stack`, sorted by name. Entries without an id or a name are left out.
pub fn parse(stack: &str, services: &Value, tasks: &Value, nodes: &Value) -> Vec<Service> {
    let away: HashSet<&str> = list(nodes)
        .filter(|node| node["Status"]["State"] != "ready")
        .filter_map(|node| node["ID"].as_str())
        .collect();
    let mut found: Vec<Service> =
        list(services).filter_map(|service| self::service(stack, service, tasks, &away)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn service(stack: &str, service: &Value, tasks: &Value, away: &HashSet<&str>) -> Option<Service> {
    let spec = &service["Spec"];
    if spec["Labels"][STACK] != stack {
        return None;
    }
    let id = service["ID"].as_str()?;
    let name = spec["Name"].as_str()?;
    let mode = &spec["Mode"];
    let count = |value: &Value| value.as_u64().unwrap_or(1);
    let mode = if mode["Global"].is_object() {
        Mode::Global
    } else if mode["ReplicatedJob"].is_object() {
        Mode::ReplicatedJob(count(&mode["ReplicatedJob"]["TotalCompletions"]))
    } else if mode["GlobalJob"].is_object() {
        Mode::GlobalJob
    } else {
        Mode::Replicated(count(&mode["Replicated"]["Replicas"]))
    };
    let template = &spec["TaskTemplate"];
    let iteration = service["JobStatus"]["JobIteration"]["Index"].as_u64().unwrap_or_default();
    let intended = |task: &Value| {
        if mode.is_job() {
            task["JobIteration"]["Index"].as_u64().unwrap_or_default() == iteration
        } else {
            is_of(&task["Spec"], template)
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tasks = list(tasks).filter(|task| task["ServiceID"] == id).map(|task| Task {
        id: text(&task["ID"]),
        // Tasks of global services have no slot, and there is one of them on each node.
        slot: task["Slot"]
            .as_u64()
            .filter(|slot| *slot > 0)
            .map_or_else(|| text(&task["NodeID"]), |slot| slot.to_string()),
        desired: text(&task["DesiredState"]),
        state: State::parse(task["Status"]["State"].as_str().unwrap_or_default()),
        error: text(&task["Status"]["Err"]),
        intended: intended(task),
        lost: away.contains(task["NodeID"].as_str().unwrap_or_default()),
        addresses: list(&task["NetworksAttachments"])
            .flat_map(|net| list(&net["Addresses"]))
            .map(text)
            .collect(),
    });
    let update = &service["UpdateStatus"];
    let health = &template["ContainerSpec"]["Healthcheck"];
    let condition = template["RestartPolicy"]["Condition"].as_str().unwrap_or("any");
    Some(Service {
        id: id.to_owned(),
        name: name.strip_prefix(&format!("{stack}_")).unwrap_or(name).to_owned(),
        mode,
        update: update["State"].as_str().map(|state| (state.to_owned(), text(&update["Message"]))),
        one_shot: matches!(condition, "none" | "on-failure"),
        checked: health["Test"][0].as_str().is_some_and(|word| word != "NONE"),
        start_period: Duration::from_nanos(health["StartPeriod"].as_u64().unwrap_or_default()),
        networks: list(&template["Networks"]).map(|net| text(&net["Target"])).collect(),
        tasks: tasks.collect(),
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether the task with this `spec` was made from `template`. Two differences do not count: the engine leaves
/// `Runtime` out of the task's copy, and it keeps a task whose node still fits when only the constraints changed.
fn is_of(spec: &Value, template: &Value) -> bool {
    fn plain(value: &Value, path: &str) -> Value {
        let Some(map) = value.as_object() else { return value.clone() };
        let kept = map.iter().filter_map(|(key, inner)| {
            let path = format!("{path}/{key}");
            let inner = plain(inner, &path);
            let nothing = inner.is_null()
                || inner.as_object().is_some_and(Map::is_empty)
                || inner == Value::Array(vec![]);
            (!nothing && path != "/Runtime" && path != "/Placement/Constraints").then(|| (key.clone(), inner))
        });
        Value::Object(kept.collect())
    }
    plain(spec, "") == plain(template, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_of_the_template_is_known_as_such() {
        // As Engine 20.10 answered; the task's copy lacks the runtime.
        let template = json!({"ContainerSpec": {"Image": "b", "Args": ["true"], "Isolation": "default"},
            "Resources": {}, "Placement": {"Constraints": ["node.role==manager"]}, "ForceUpdate": 0,
            "Networks": [{"Target": "n", "Aliases": ["a"]}], "Runtime": "container"});
        let mut task = template.clone();
        task.as_object_mut().unwrap().remove("Runtime");
        assert!(is_of(&task, &template));
        task["Placement"] = json!({});
        assert!(is_of(&task, &template), "constraints alone change no task");
        task["Placement"] = json!({"Preferences": [1]});
        assert!(!is_of(&task, &template));
        task["Placement"] = json!({});
        task["ForceUpdate"] = json!(1);
        assert!(!is_of(&task, &template), "a forced update is a new spec");
    }

    #[test]
    fn what_the_engine_says() {
        let services = json!([
            {"ID": "s1", "Spec": {"Name": "x_app", "Labels": {STACK: "x"},
             "Mode": {"Replicated": {"Replicas": 2}}, "TaskTemplate": {"RestartPolicy": {"Condition": "none"},
             "ContainerSpec": {"Healthcheck": {"Test": ["CMD", "true"], "StartPeriod": 1_200_000_000_000_u64}}, "Networks": [{"Target": "n"}]}},
             "UpdateStatus": {"State": "paused", "Message": "m"}},
            {"ID": "s2", "Spec": {"Name": "x_y_app", "Labels": {STACK: "x_y"}}},
            {"ID": "s3"}, 7
        ]);
        let tasks = json!([
            {"ID": "t", "ServiceID": "s1", "Slot": 1, "NodeID": "n1", "DesiredState": "running",
             "Status": {"State": "pending", "Err": "no suitable node"}, "Spec": {},
             "NetworksAttachments": [{"Addresses": ["10.0.0.2/24"]}, {}]},
            {"ID": "u", "ServiceID": "s1", "NodeID": "n2", "Status": {"State": "orphaned"}}, null
        ]);
        let nodes =
            json!([{"ID": "n1", "Status": {"State": "ready"}}, {"ID": "n2", "Status": {"State": "down"}}]);
        let found = parse("x", &services, &tasks, &nodes);
        assert_eq!(found.len(), 1, "a longer name is a stranger");
        let app = &found[0];
        assert_eq!((app.name.as_str(), app.mode, app.one_shot), ("app", Mode::Replicated(2), true));
        assert_eq!((app.checked, app.start_period), (true, Duration::from_mins(20)));
        assert_eq!(app.update, Some(("paused".into(), "m".into())));
        assert_eq!(app.tasks[0].addresses, ["10.0.0.2/24"]);
        let marks: Vec<_> =
            app.tasks.iter().map(|task| (task.slot.as_str(), task.state, task.lost)).collect();
        assert_eq!(marks, [("1", State::Pending, false), ("n2", State::Gone, true)]);
    }

    #[test]
    fn modes() {
        let mode = |mode: Value| {
            let spec = json!({"Name": "x_a", "Labels": {STACK: "x"}, "Mode": mode});
            parse("x", &json!([{"ID": "i", "Spec": spec}]), &Value::Null, &Value::Null)[0].mode
        };
        assert_eq!(mode(json!({"Replicated": {"Replicas": 0}})), Mode::Replicated(0));
        assert_eq!(mode(json!({"Replicated": {}})), Mode::Replicated(1));
        assert_eq!(mode(json!({"Global": {}})), Mode::Global);
        assert_eq!(mode(json!({"GlobalJob": {}})), Mode::GlobalJob);
        assert_eq!(mode(json!({"ReplicatedJob": {"TotalCompletions": 4}})), Mode::ReplicatedJob(4));
    }
}
