//! Measures how busy the node was with work that is not the run's (foreign load).
//!
//! Foreign CPU time is the node's busy time minus that of the run's containers, of the processes that this tool
//! started for the run, of the guard, and of the tool itself. The engine's own work counts as foreign, because nobody
//! can tell for whom it is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lib_common::docker::{Engine, filters};
use lib_common::record::run::NodeLoad;
use lib_common::swarm::label;
use serde_json::Value;
use tokio::sync::watch;

use super::machine::{self, Place};
use crate::proc;

/// Time between two samples.
const EVERY: Duration = Duration::from_millis(500);

/// The load during a stretch of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// Mean share of the node's CPUs that was busy with foreign work, 0 to 1.
    pub foreign_cpu: f64,
    /// Highest CPU pressure of the whole node, `some avg10` in percent.
    pub cpu_pressure: f64,
    /// Highest pressure of any control group of others, and of any of the run's own.
    pub foreign_pressure: Option<f64>,
    pub own_pressure: Option<f64>,
    /// The nodes that the run's containers were on, and whether each is this machine.
    pub nodes: BTreeMap<String, bool>,
}

/// What belongs to the run, and what was started as its load.
#[derive(Debug, Clone)]
pub struct Own {
    /// Grows when the command creates stacks with names of its own.
    pub stacks: watch::Receiver<Vec<String>>,
    /// Process groups of the command and its helpers that have no control group.
    pub groups: Vec<i32>,
    pub cgroups: Vec<PathBuf>,
    pub load: Vec<PathBuf>,
    /// Process id of the guard, if there is one.
    pub guard: Option<i32>,
}

/// Samples until `stop` turns true (or its sender is gone) and returns the load of the whole stretch. `None` if the
/// engine is on another machine, or `/proc` cannot be read.
pub async fn sample(engine: Engine, own: Own, mut stop: watch::Receiver<bool>) -> Option<Load> {
    if !engine.endpoint().is_local() {
        return None;
    }
    let names = nodes(&engine).await;
    let mut account = Account::default();
    let (start, busy) = (Instant::now(), proc::node_busy()?);
    let mut own_before = None;
    let mut load = Load::default();
    loop {
        let stacks = own.stacks.borrow().clone();
        let containers = containers(&engine, &stacks).await;
        let here = machine::containers();
        account.take(&own, &containers, &here);
        // CPU time that our processes had used before the first sample is no part of this measurement.
        let own_before = *own_before.get_or_insert(account.total());
        let wall = start.elapsed().as_secs_f64() * proc::cpus();
        let foreign = proc::node_busy()? - busy - (account.total() - own_before);
        load.foreign_cpu = if wall > 0.0 { (foreign / wall).clamp(0.0, 1.0) } else { 0.0 };
        load.cpu_pressure = load.cpu_pressure.max(proc::cpu_pressure().unwrap_or(0.0));
        note_pressure(&mut load, &own, &containers, &here);
        for (id, node) in &containers {
            if let Some(node) = node {
                let name = names.get(node).unwrap_or(node).clone();
                *load.nodes.entry(name).or_default() |= here.contains_key(id);
            }
        }
        if *stop.borrow() {
            return Some(load);
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}

fn note_pressure(load: &mut Load, own: &Own, containers: &Containers, here: &HashMap<String, Place>) {
    let (mut mine, mut others) = (load.own_pressure, load.foreign_pressure);
    let mut note = |place: &Place, own: bool| {
        let highest = if own { &mut mine } else { &mut others };
        if let Some(seen) = place.pressure() {
            *highest = Some(highest.unwrap_or_default().max(seen));
        }
    };
    for (id, place) in here {
        note(place, containers.contains_key(id));
    }
    for path in &own.load {
        note(&Place::of_group(path), false);
    }
    (load.own_pressure, load.foreign_pressure) = (mine, others);
}

/// The load by node. Nodes whose engines run on this machine share its load; for others the reason is given why nothing
/// was measured.
pub fn by_node(here: &str, before: Option<&Load>, during: Option<&Load>) -> Vec<NodeLoad> {
    let mut involved: BTreeSet<&str> =
        during.iter().flat_map(|load| load.nodes.keys()).map(String::as_str).collect();
    involved.insert(here);
    let node = |name: &str| {
        let measured = during.is_some_and(|load| name == here || load.nodes.get(name) == Some(&true));
        let Some(during) = during.filter(|_| measured) else {
            let why = format!("its CPU time and pressure cannot be read from {here}");
            return NodeLoad { node: name.to_owned(), why: Some(why), ..NodeLoad::default() };
        };
        NodeLoad {
            node: name.to_owned(),
            foreign_cpu_before: before.map(|load| round(load.foreign_cpu)),
            foreign_cpu_during: Some(round(during.foreign_cpu)),
            foreign_pressure: during.foreign_pressure.map(round),
            own_pressure: during.own_pressure.map(round),
            why: None,
        }
    };
    involved.into_iter().map(node).collect()
}

/// Rounds to three digits; the kernel's counters are not more exact.
pub fn round(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// CPU seconds of everything that ever belonged to the run. What has ended keeps its last reading.
#[derive(Debug, Default)]
struct Account {
    last: HashMap<String, f64>,
}

impl Account {
    fn take(&mut self, own: &Own, containers: &Containers, here: &HashMap<String, Place>) {
        for id in containers.keys() {
            self.note(id, here.get(id).and_then(Place::cpu));
        }
        for path in &own.cgroups {
            self.note(&path.to_string_lossy(), Place::of_group(path).cpu());
        }
        if !own.groups.is_empty() {
            for process in proc::processes().iter().filter(|process| own.groups.contains(&process.group)) {
                self.note(&process.pid.to_string(), Some(process.cpu));
            }
        }
        self.note("swarm-guard", own.guard.and_then(|pid| proc::cpu_of(&pid.to_string())));
        self.note("swarm-isolate", proc::own_cpu());
    }

    fn note(&mut self, key: &str, cpu: Option<f64>) {
        if let Some(cpu) = cpu {
            let last = self.last.entry(key.to_owned()).or_default();
            // A process or container that has ended reads as less, or not at all. What it used still counts.
            *last = last.max(cpu);
        }
    }

    fn total(&self) -> f64 {
        self.last.values().sum()
    }
}

/// Containers of the run by id, with the node's id for those that are tasks.
type Containers = HashMap<String, Option<String>>;

async fn containers(engine: &Engine, stacks: &[String]) -> Containers {
    let mut found = Containers::new();
    for stack in stacks {
        let label = label::of_stack(stack);
        let list = |path: &str| format!("{path}?{}", filters(&[("label", &label)]));
        if let Ok(Value::Array(all)) = engine.get(&list("/containers/json")).await {
            found.extend(all.iter().filter_map(|each| Some((each["Id"].as_str()?.to_owned(), None))));
        }
        if let Ok(Value::Array(all)) = engine.get(&list("/tasks")).await {
            found.extend(all.iter().filter_map(of_task));
        }
    }
    found
}

fn of_task(task: &Value) -> Option<(String, Option<String>)> {
    let id = task["Status"]["ContainerStatus"]["ContainerID"].as_str().filter(|id| !id.is_empty())?;
    Some((id.to_owned(), task["NodeID"].as_str().map(ToOwned::to_owned)))
}

/// Names of the nodes by id; empty if the engine does not answer.
async fn nodes(engine: &Engine) -> HashMap<String, String> {
    let list = engine.get("/nodes").await.unwrap_or_default();
    let pair = |node: &Value| {
        Some((node["ID"].as_str()?.to_owned(), node["Description"]["Hostname"].as_str()?.to_owned()))
    };
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_keeps_its_last_reading() {
        let mut account = Account::default();
        account.note("a", Some(2.0));
        account.note("b", Some(1.0));
        account.note("a", None);
        account.note("b", Some(0.5));
        assert!((account.total() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_node_elsewhere_is_named_and_not_claimed() {
        let nodes = BTreeMap::from([("n1".into(), true), ("n2".into(), true), ("far".into(), false)]);
        let during = Load { foreign_cpu: 0.123_456, nodes, own_pressure: Some(3.0), ..Load::default() };
        let all = by_node("n1", None, Some(&during));
        assert_eq!(all.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(), ["far", "n1", "n2"]);
        assert!(all[0].why.as_ref().unwrap().contains("from n1") && all[0].foreign_cpu_during.is_none());
        assert_eq!((all[2].foreign_cpu_during, all[2].own_pressure), (Some(0.123), Some(3.0)));
        assert!(by_node("n1", None, None)[0].why.is_some(), "an engine elsewhere");
    }

    #[test]
    fn a_task_without_a_container_is_passed_over() {
        let task =
            |id: &str| serde_json::json!({"NodeID": "x", "Status": {"ContainerStatus": {"ContainerID": id}}});
        assert_eq!(of_task(&task("")), None);
        assert_eq!(of_task(&serde_json::json!({"Status": {}})), None);
        assert_eq!(of_task(&task("ab")), Some(("ab".into(), Some("x".into()))));
    }
}
