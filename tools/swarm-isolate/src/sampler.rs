//! How busy the node was with what is not the run's: measured, never assumed.
//!
//! Foreign CPU = the node's busy time minus that of the run's containers, of the processes that this tool
//! started for the run, and of the tool itself. The engine's own work counts as foreign: it cannot be told
//! whom it serves.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lib_common::docker::{Engine, filters};
use tokio::sync::watch;

use crate::proc;

const EVERY: Duration = Duration::from_millis(500);

/// What a stretch of time looked like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Mean share of the node, 0 to 1.
    pub foreign_cpu: f64,
    /// Highest `some avg10` seen, percent.
    pub cpu_pressure: f64,
}

/// Whose CPU time is the run's own.
#[derive(Debug, Clone, Default)]
pub struct Own {
    pub stack: String,
    /// Process groups of the command and its companion.
    pub groups: Vec<i32>,
}

/// Samples until `stop` turns true (or its sender is gone) and returns the whole stretch. `None`: this
/// machine's `/proc` does not tell of the engine's node, or cannot be read.
pub async fn sample(
    engine: Engine,
    own: watch::Receiver<Own>,
    mut stop: watch::Receiver<bool>,
) -> Option<Load> {
    if !engine.endpoint().is_local() {
        return None;
    }
    let mut account = Account::default();
    let (start, busy) = (Instant::now(), proc::node_busy()?);
    let mut own_before = None;
    let mut load = Load::default();
    loop {
        let mine = own.borrow().clone();
        account.take(&mine, &containers(&engine, &mine.stack).await);
        let own_before = *own_before.get_or_insert(account.total());
        let wall = start.elapsed().as_secs_f64() * proc::cpus();
        let foreign = proc::node_busy()? - busy - (account.total() - own_before);
        load.foreign_cpu = if wall > 0.0 { (foreign / wall).clamp(0.0, 1.0) } else { 0.0 };
        load.cpu_pressure = load.cpu_pressure.max(proc::cpu_pressure().unwrap_or(0.0));
        if *stop.borrow() {
            return Some(load);
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}

/// Samples for a fixed stretch.
pub async fn look(engine: &Engine, own: Own, stretch: Duration) -> Option<Load> {
    let (stop, stopped) = watch::channel(false);
    let (_own, own) = watch::channel(own);
    let task = tokio::spawn(sample(engine.clone(), own, stopped));
    tokio::time::sleep(stretch).await;
    let _ = stop.send(true);
    task.await.ok().flatten()
}

/// CPU seconds of everything that was ever seen to be the run's; what has ended keeps its last reading.
#[derive(Debug, Default)]
struct Account {
    last: HashMap<String, f64>,
}

impl Account {
    fn take(&mut self, own: &Own, containers: &[(String, i64)]) {
        for (id, pid) in containers {
            self.note(id.clone(), proc::container_cpu(id, *pid));
        }
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        for process in proc::processes() {
            if own.groups.contains(&process.group) || process.pid == me {
                self.note(process.pid.to_string(), Some(process.cpu));
            }
        }
    }

    fn note(&mut self, key: String, cpu: Option<f64>) {
        if let Some(cpu) = cpu {
            let last = self.last.entry(key).or_default();
            *last = last.max(cpu);
        }
    }

    fn total(&self) -> f64 {
        self.last.values().sum()
    }
}

/// Running containers of the stack with their first processes.
async fn containers(engine: &Engine, stack: &str) -> Vec<(String, i64)> {
    if stack.is_empty() {
        return Vec::new();
    }
    let label = format!("com.docker.stack.namespace={stack}");
    let Ok(list) = engine.get(&format!("/containers/json?{}", filters(&[("label", &label)]))).await else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for id in list.as_array().into_iter().flatten().filter_map(|c| c["Id"].as_str()) {
        let Ok(container) = engine.get(&format!("/containers/{id}/json")).await else { continue };
        if let Some(pid) = container["State"]["Pid"].as_i64().filter(|pid| *pid > 0) {
            found.push((id.to_owned(), pid));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_keeps_its_last_reading() {
        let mut account = Account::default();
        account.note("a".into(), Some(2.0));
        account.note("b".into(), Some(1.0));
        account.note("a".into(), None);
        account.note("b".into(), Some(0.5));
        assert!((account.total() - 3.0).abs() < 1e-9);
    }
}
