//! Surveys everything that is not the run's: services with their tasks, containers, addresses in use.

use std::collections::BTreeMap;

use lib_common::docker::{ApiResult, Engine};
use lib_common::swarm::label::{SERVICE_NAME, TASK_ID};
use lib_common::swarm::nodes::Nodes;
use lib_common::swarm::object::{Kind, Object, parse};
use serde_json::Value;
use tokio::task::JoinSet;

use super::addresses::{self, Book};
use super::look;
use super::objects::{Snapshot, Target};
use super::pattern::Pattern;
use super::protect::{Container, Others, Service};

/// How many containers are inspected at the same time; more would load an engine that others share.
const AT_ONCE: usize = 8;

/// The swarm before or after a run.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub others: Others,
    pub addresses: Book,
    /// Nodes that did not answer, with the reason.
    pub silent: BTreeMap<String, String>,
}

pub async fn take(nodes: &Nodes, target: &Target, patterns: &[Pattern]) -> ApiResult<Survey> {
    let manager = &nodes.manager;
    let (look, services, tasks, networks) = tokio::join!(
        look::everything(nodes),
        manager.get("/services"),
        manager.get("/tasks"),
        manager.get("/networks")
    );
    let (look, services, tasks, networks) = (look?, services?, tasks?, networks?);
    let listed = |object: &Object| {
        let service = object.label(SERVICE_NAME).unwrap_or_default();
        patterns.iter().any(|p| p.matches_object(object) || p.matches(service, |key| object.label(key)))
    };
    let strange = |object: &Object| {
        !target.owns(object)
            && !target.stacks.iter().any(|stack| object.is_of(stack))
            && (!object.is_ours() || listed(object))
    };
    let strangers: Vec<&Object> = look.objects.iter().filter(|object| strange(object)).collect();
    let known = |id: &str| strangers.iter().find(|o| o.kind == Kind::Service && o.id == id).copied();
    let services_of_others = services_of(&services, &tasks, |id| known(id).map(listed));
    let worth = |object: &&&Object| object.kind == Kind::Container && (!object.is_task() || listed(object));
    let worth: Vec<&Object> = strangers.iter().filter(worth).copied().collect();
    let containers = inspect(nodes, &worth, listed).await?;
    let apart = |object: &&&Object| !matches!(object.kind, Kind::Service | Kind::Container) && listed(object);
    let listed: Vec<Object> = strangers.iter().filter(apart).map(|object| (*object).clone()).collect();
    let addresses = addresses::count(&networks, &services, &tasks);
    let all: Snapshot = look.objects.into_iter().collect();
    let others = Others { services: services_of_others, containers, listed, all };
    Ok(Survey { others, addresses, silent: look.silent })
}

/// The services of others. `listed` says of a service id whether `--protect` lists it; `None` skips the service.
fn services_of(
    services: &Value,
    tasks: &Value,
    listed: impl Fn(&str) -> Option<bool>,
) -> BTreeMap<String, Service> {
    let mut found = BTreeMap::new();
    for service in services.as_array().into_iter().flatten() {
        let Some(object) = parse(Kind::Service, &Value::from(vec![service.clone()])).pop() else { continue };
        let Some(listed) = listed(&object.id) else { continue };
        let wanted = tasks
            .as_array()
            .into_iter()
            .flatten()
            .filter(|task| task["ServiceID"] == object.id.as_str() && task["DesiredState"] == "running");
        let wanted: Vec<&Value> = wanted.collect();
        let steady = wanted.iter().all(|task| task["Status"]["State"] == "running");
        let tasks = wanted.iter().filter_map(|task| {
            // A container that was restarted in place keeps its id and gets another process id, so both are compared.
            let container = &task["Status"]["ContainerStatus"];
            let id = container["ContainerID"].as_str().unwrap_or_default().to_owned();
            Some((task["ID"].as_str()?.to_owned(), (id, container["PID"].as_i64().unwrap_or_default())))
        });
        let spec = service["Spec"].clone();
        let service = Service { name: object.name, spec, tasks: tasks.collect(), steady, listed };
        found.insert(object.id, service);
    }
    found
}

async fn inspect(
    nodes: &Nodes,
    objects: &[&Object],
    listed: impl Fn(&Object) -> bool,
) -> ApiResult<BTreeMap<String, Container>> {
    let mut found = BTreeMap::new();
    for some in objects.chunks(AT_ONCE) {
        let mut asked = JoinSet::new();
        for object in some {
            let Ok(engine) = nodes.engine_of(object.node.as_deref()).await else { continue };
            let (id, listed) = (object.id.clone(), listed(object));
            asked.spawn(async move { (id.clone(), state(&engine, &id, listed).await) });
        }
        while let Some(answer) = asked.join_next().await {
            // A container that was removed meanwhile is left out.
            if let Ok((id, Some(container))) = answer {
                found.insert(id, container);
            }
        }
    }
    Ok(found)
}

async fn state(engine: &Engine, id: &str, listed: bool) -> Option<Container> {
    let container = engine.get(&format!("/containers/{id}/json")).await.ok()?;
    let name = container["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
    let service = container["Config"]["Labels"][TASK_ID].is_string();
    let started = container["State"]["StartedAt"].as_str().unwrap_or_default().to_owned();
    let restarts = container["RestartCount"].as_i64().unwrap_or_default();
    // Others' short-lived containers, such as cron jobs, come and go: they count only if they run now.
    let counts = service || listed || container["State"]["Running"] == true;
    counts.then_some(Container { name, started, restarts, listed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_with_the_tasks_that_are_meant_to_run() {
        let services =
            json!([{"ID": "s", "Spec": {"Name": "live_app"}}, {"ID": "x", "Spec": {"Name": "mine"}}]);
        let task = |id: &str, desired: &str, state: &str| {
            json!({"ID": id, "ServiceID": "s", "DesiredState": desired,
                   "Status": {"State": state, "ContainerStatus": {"ContainerID": format!("c{id}"), "PID": 9}}})
        };
        let tasks = json!([task("1", "running", "running"), task("0", "shutdown", "failed")]);
        let found = services_of(&services, &tasks, |id| (id == "s").then_some(false));
        assert_eq!(found.len(), 1);
        assert_eq!(found["s"].tasks, BTreeMap::from([("1".into(), ("c1".into(), 9))]));
        assert!(found["s"].steady);
        let starting = json!([task("1", "running", "starting")]);
        assert!(!services_of(&services, &starting, |_| Some(true))["s"].steady);
    }
}
