//! Lists the swarm's objects of every kind, on every node that can be asked, and the run's tasks.

use std::collections::BTreeMap;

use lib_common::docker::{ApiError, ApiResult, Engine, filters};
use lib_common::swarm::nodes::{Member, Nodes};
use lib_common::swarm::object::{Kind, Object, parse};
use serde_json::Value;
use tokio::task::JoinSet;

use super::objects::Target;
use super::order::Task;

/// The objects that exist now.
#[derive(Debug, Default)]
pub struct Listing {
    pub objects: Vec<Object>,
    /// Nodes that did not answer, with the reason.
    pub silent: BTreeMap<String, String>,
}

/// Lists every object on the swarm. Fails only if the manager itself does not answer.
pub async fn everything(nodes: &Nodes) -> ApiResult<Listing> {
    let mut asked = JoinSet::new();
    for kind in Kind::ALL {
        list(&mut asked, &nodes.manager, kind, None);
    }
    let mut look = Listing::default();
    for (name, engine) in nodes.others().await {
        match engine {
            Ok(engine) => {
                for kind in Kind::LOCAL {
                    list(&mut asked, &engine, kind, Some(name.clone()));
                }
            }
            Err(e) => drop(look.silent.insert(name, e.message)),
        }
    }
    let mut elsewhere = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (kind, node, answer) = answer.map_err(|e| ApiError { status: 0, message: e.to_string() })?;
        match (answer, node) {
            (Ok(answer), None) => look.objects.extend(parse(kind, &answer)),
            (Ok(answer), Some(node)) => {
                let on = |object| Object { node: Some(node.clone()), ..object };
                elsewhere.extend(parse(kind, &answer).into_iter().map(on));
            }
            (Err(e), None) => return Err(e),
            (Err(e), Some(node)) => drop(look.silent.insert(node, e.message)),
        }
    }
    // Every node lists the swarm's networks; count each once.
    let known = |other: &Object| look.objects.iter().any(|o| o.kind == Kind::Network && o.id == other.id);
    elsewhere.retain(|object| object.kind != Kind::Network || !known(object));
    look.objects.extend(elsewhere);
    // Sorted, so that the result does not depend on which answer came first.
    look.objects.sort();
    Ok(look)
}

type Answer = (Kind, Option<String>, ApiResult<Value>);

fn list(asked: &mut JoinSet<Answer>, engine: &Engine, kind: Kind, node: Option<String>) {
    let engine = engine.clone();
    asked.spawn(async move { (kind, node, engine.get(kind.list_path()).await) });
}

/// The target's task records. They outlive their service for a moment; as nobody can ask for them by a service that is
/// gone, they are found by label.
pub async fn tasks(nodes: &Nodes, target: &Target) -> ApiResult<Vec<Task>> {
    let mut found = Vec::new();
    for label in target.labels() {
        let answer = nodes.manager.get(&format!("/tasks?{}", filters(&[("label", &label)]))).await?;
        found.extend(answer.as_array().into_iter().flatten().filter_map(task));
    }
    Ok(found)
}

/// Marks tasks as lost whose node is down or has left: nobody will ever report their end.
pub fn find_lost(tasks: &mut [Task], members: &BTreeMap<String, Member>) {
    for task in tasks {
        let gone = |node: &String| members.get(node).is_none_or(|member| !member.ready);
        task.lost = task.node.as_ref().is_some_and(gone);
    }
}

fn task(value: &Value) -> Option<Task> {
    let node = value["NodeID"].as_str().filter(|node| !node.is_empty()).map(ToOwned::to_owned);
    Some(Task { id: value["ID"].as_str()?.to_owned(), node, lost: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_on_a_node_that_is_down_or_gone_is_lost() {
        let member = |ready| Member { name: "n".into(), ready };
        let members = BTreeMap::from([("up".to_owned(), member(true)), ("down".to_owned(), member(false))]);
        let on = |node: &str| task(&json!({"ID": "t", "NodeID": node})).unwrap();
        let mut tasks = [on("up"), on("down"), on("gone"), on("")];
        find_lost(&mut tasks, &members);
        assert_eq!(tasks.map(|task| task.lost), [false, true, true, false]);
    }
}
