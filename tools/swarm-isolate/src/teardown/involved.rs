//! Notes which nodes get tasks of the run. Containers and volumes on them have to be proved gone, even when the manager
//! has long forgotten the task's record.

use lib_common::swarm::nodes::Nodes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::look;
use super::objects::Target;
use super::order::Task;

/// How often tasks are listed. The manager keeps the last few records of each slot, so none is missed in between.
const EVERY: Duration = Duration::from_secs(2);

pub struct Involved {
    seen: Arc<Mutex<BTreeSet<String>>>,
    watcher: JoinHandle<()>,
}

impl Involved {
    /// Watches from now on.
    pub fn watch(nodes: &Nodes, target: &Target) -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let (note, nodes, target) = (Arc::clone(&seen), nodes.clone(), target.clone());
        let watcher = tokio::spawn(async move {
            // With one node there is nothing to find out; look now and then whether others have joined.
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
