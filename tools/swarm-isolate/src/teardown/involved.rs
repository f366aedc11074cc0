//! Watches which nodes the run's tasks are put on: their containers and volumes must be proved gone, also
//! when the task's record is long forgotten.

use lib_common::swarm::nodes::Nodes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::look;
use super::objects::Target;
use super::order::Task;

/// The manager keeps the last records of each slot of a service: none comes and goes unseen in between.
const EVERY: Duration = Duration::from_secs(2);

pub struct Involved {
    seen: Arc<Mutex<BTreeSet<String>>>,
    watcher: JoinHandle<()>,
}

impl Involved {
    /// From now on.
    pub fn watch(nodes: &Nodes, target: &Target) -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let (note, nodes, target) = (Arc::clone(&seen), nodes.clone(), target.clone());
        let watcher = tokio::spawn(async move {
            // A swarm of one node has nothing to tell.
            while nodes.members().await.is_ok_and(|members| members.len() == 1) {
                tokio::time::sleep(EVERY * 10).await;
            }
            loop {
                let tasks = look::tasks(&nodes, &target).await.unwrap_or_default();
                add(&note, tasks);
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { seen, watcher }
    }

    /// Ids of the nodes seen so far.
    pub fn nodes(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn add(seen: &Mutex<BTreeSet<String>>, tasks: Vec<Task>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.extend(tasks.into_iter().filter_map(|task| task.node));
}

impl Drop for Involved {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
