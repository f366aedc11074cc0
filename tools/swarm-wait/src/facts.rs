//! Parses the engine's JSON of services, tasks and nodes into the few facts that `judge` and `history` need. No I/O.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
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
    pub restart: Restart,
    /// Why this service is not one that may end: what rests on it, for people. `None` when nothing does.
    pub leans: Option<String>,
    /// The spec has a health check. The engine reports such a task as running only when the check has passed.
    pub checked: bool,
    /// How long the health check lets a start take: its start period and all its tries.
    pub start_period: Duration,
    /// `coop-cloud.<stack>.timeout`: how long the recipe says that a deploy may take, a cold pull included.
    pub timeout: Duration,
    /// The placement constraints, for people.
    pub constraints: String,
    /// Changes when somebody updates the service.
    pub spec: u64,
    /// A task of the stack is still being shut down, which may hold a port or a node's memory until it has gone.
    pub ending: bool,
    /// Networks that its tasks join, by id.
    pub networks: Vec<String>,
    pub tasks: Vec<Task>,
}

/// The restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    pub condition: Condition,
    /// Pause before a task is replaced; the engine's default is 5 s.
    pub delay: Duration,
}

/// When the engine replaces a task that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Any,
    OnFailure,
    None,
}

impl Condition {
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::OnFailure => "on-failure",
            Self::None => "none",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Whether the spec asks for no task at all.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Replicated(0) | Self::ReplicatedJob(0))
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
    /// From its creation to its last state; of a task that has ended, how long it lived, its restart delay included.
    pub age: Duration,
    /// Its container on its node; empty before there is one.
    pub container: String,
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
    let words: Vec<(&str, String)> = list(services)
        .flat_map(|service| {
            let id = service["ID"].as_str().unwrap_or_default();
            environment(service).map(move |word| (id, word))
        })
        .collect();
    let ending = list(tasks).any(|task| {
        let state = State::parse(task["Status"]["State"].as_str().unwrap_or_default());
        state.is_live() && matches!(task["DesiredState"].as_str(), Some("shutdown" | "remove"))
    });
    for service in &mut found {
        service.ending = ending;
        let names = |(id, word): &(&str, String)| *id != service.id && *word == service.name;
        // Whoever looks after its health means it to stay.
        if service.checked && service.leans.is_none() {
            service.leans = Some("it has a health check".into());
        }
        if service.leans.is_none() && words.iter().any(names) {
            service.leans = Some("another service's environment names it".into());
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The words of the values in a service's environment, such as `db` in `DATABASE_URL=postgres://u@db:5432/x`.
fn environment(service: &Value) -> impl Iterator<Item = String> {
    let values = list(&service["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"])
        .filter_map(|entry| entry.as_str()?.split_once('='))
        .map(|(_, value)| value.to_owned());
    values.flat_map(|value| {
        let word = |part: &str| part.trim_matches(['-', '.']).to_owned();
        let parts = value.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
        parts.map(word).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    })
}

/// Why a service is meant to stay up, whatever its restart policy says.
fn leans(name: &str, service: &Value) -> Option<String> {
    let spec = &service["Spec"];
    let routed = |labels: &Value| {
        let keys = labels.as_object().into_iter().flat_map(Map::keys);
        keys.into_iter()
            .any(|key| key.to_ascii_lowercase().starts_with("traefik.") && key.contains(".routers."))
    };
    if name == "app" {
        Some("it is the stack's app".into())
    } else if list(&spec["EndpointSpec"]["Ports"]).next().is_some() {
        Some("it publishes a port".into())
    } else if routed(&spec["Labels"]) || routed(&spec["TaskTemplate"]["ContainerSpec"]["Labels"]) {
        Some("Traefik routes to it".into())
    } else {
        None
    }
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
        age: age(task),
        container: text(&task["Status"]["ContainerStatus"]["ContainerID"]),
        addresses: list(&task["NetworksAttachments"])
            .flat_map(|net| list(&net["Addresses"]))
            .map(text)
            .collect(),
    });
    let update = &service["UpdateStatus"];
    let health = &template["ContainerSpec"]["Healthcheck"];
    let checked = health["Test"][0].as_str().is_some_and(|word| word != "NONE");
    let restart = &template["RestartPolicy"];
    let short = name.strip_prefix(&format!("{stack}_")).unwrap_or(name);
    let timeout = spec["Labels"][format!("coop-cloud.{stack}.timeout")].as_str();
    let constraints: Vec<String> = list(&template["Placement"]["Constraints"]).map(text).collect();
    let mut hasher = DefaultHasher::new();
    (template.to_string(), mode).hash(&mut hasher);
    Some(Service {
        id: id.to_owned(),
        name: short.to_owned(),
        mode,
        update: update["State"].as_str().map(|state| (state.to_owned(), text(&update["Message"]))),
        restart: Restart {
            condition: match restart["Condition"].as_str() {
                Some("none") => Condition::None,
                Some("on-failure") => Condition::OnFailure,
                _ => Condition::Any,
            },
            delay: nanos(&restart["Delay"], Duration::from_secs(5)),
        },
        leans: leans(short, service),
        checked,
        start_period: if checked { patience(health) } else { Duration::ZERO },
        // abra writes whole seconds.
        timeout: Duration::from_secs(timeout.and_then(|text| text.trim().parse().ok()).unwrap_or_default()),
        constraints: constraints.join(", "),
        spec: hasher.finish(),
        ending: false,
        networks: list(&template["Networks"]).map(|net| text(&net["Target"])).collect(),
        tasks: tasks.collect(),
    })
}

/// What a health check allows before the engine calls a container unhealthy: the start period, then `Retries` failures
/// in a row, each an `Interval` apart. The engine's own defaults are 30 s and 3.
fn patience(health: &Value) -> Duration {
    let retries = health["Retries"].as_u64().filter(|count| *count > 0).unwrap_or(3);
    let interval = nanos(&health["Interval"], Duration::from_secs(30));
    let tries = interval.saturating_mul(u32::try_from(retries).unwrap_or(u32::MAX));
    nanos(&health["StartPeriod"], Duration::ZERO).saturating_add(tries)
}

/// A number of nanoseconds; `default` where there is none, or 0, which the engine takes for "not set".
fn nanos(value: &Value, default: Duration) -> Duration {
    value.as_u64().filter(|nanos| *nanos > 0).map_or(default, Duration::from_nanos)
}

fn age(task: &Value) -> Duration {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let (made, last) = (time(&task["CreatedAt"]), time(&task["Status"]["Timestamp"]));
    let spent = made.zip(last).map(|(made, last)| last.duration_since(made));
    spent.and_then(|spent| Duration::try_from(spent).ok()).unwrap_or_default()
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
mod tests;
