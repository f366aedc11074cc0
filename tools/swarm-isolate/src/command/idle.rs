//! `--idle-timeout`: decides whether the run still makes progress, from the command's output and its stacks' tasks.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use lib_common::docker::{Engine, filters};
use lib_common::swarm::label;
use serde_json::Value;
use tokio::sync::watch;

use super::output::Activity;

/// Returns once neither the command nor its stacks have shown progress for `limit`.
pub async fn wait(
    engine: &Engine,
    stacks: &watch::Receiver<Vec<String>>,
    activity: &Activity,
    limit: Duration,
) {
    let mut progress = Progress::default();
    let every = (limit / 8).clamp(Duration::from_millis(200), Duration::from_secs(5));
    while activity.idle_for() < limit {
        tokio::time::sleep(every.min(limit.saturating_sub(activity.idle_for()) + Duration::from_millis(10)))
            .await;
        let mut tasks = Vec::new();
        let stacks = stacks.borrow().clone();
        for stack in stacks {
            let label = label::of_stack(&stack);
            if let Ok(Value::Array(found)) =
                engine.get(&format!("/tasks?{}", filters(&[("label", &label)]))).await
            {
                tasks.extend(found);
            }
        }
        if progress.note(&tasks) {
            activity.note();
        }
    }
}

/// How far the tasks got. Only a state that was never reached before counts, so a crash loop is no progress.
#[derive(Debug, Default)]
struct Progress {
    /// The furthest state, by service, version of its spec, and slot or node.
    furthest: HashMap<(String, u64, String), usize>,
    /// Services that had tasks once and have none now.
    gone: HashSet<String>,
}

/// The states in which a task makes progress, in the order in which it passes through them.
const STATES: [&str; 8] =
    ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"];

impl Progress {
    fn note(&mut self, tasks: &[Value]) -> bool {
        let mut moved = false;
        let mut alive = HashSet::new();
        for task in tasks {
            let service = task["ServiceID"].as_str().unwrap_or_default().to_owned();
            let place = match task["Slot"].as_u64() {
                Some(slot) => slot.to_string(),
                None => task["NodeID"].as_str().unwrap_or_default().to_owned(),
            };
            let state = task["Status"]["State"].as_str().unwrap_or_default();
            // A task that completes was meant to end, so this is the furthest state of all.
            let rank = if state == "complete" { STATES.len() } else { rank(state) };
            alive.insert(service.clone());
            let key = (service, task["SpecVersion"]["Index"].as_u64().unwrap_or_default(), place);
            let furthest = self.furthest.entry(key).or_default();
            moved |= rank > *furthest;
            *furthest = rank.max(*furthest);
        }
        for (service, _, _) in self.furthest.keys() {
            if !alive.contains(service) {
                moved |= self.gone.insert(service.clone());
            }
        }
        moved
    }
}

/// The position of a state in `STATES`; 0, as for `new`, for states that are no progress.
fn rank(state: &str) -> usize {
    STATES.iter().position(|known| *known == state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(service: &str, version: u64, state: &str) -> Value {
        json!({"ServiceID": service, "Slot": 1, "SpecVersion": {"Index": version}, "Status": {"State": state}})
    }

    #[test]
    fn a_task_on_its_way_up_is_progress_and_a_crash_loop_is_none() {
        let mut progress = Progress::default();
        for (tasks, moved) in [
            (vec![], false),
            (vec![task("a", 1, "preparing")], true),
            (vec![task("a", 1, "preparing")], false),
            (vec![task("a", 1, "running")], true),
            (vec![task("a", 1, "failed")], false),
            (vec![task("a", 1, "failed"), task("a", 1, "starting")], false),
            (vec![task("a", 1, "running")], false),
            (vec![task("a", 2, "preparing")], true),
            (vec![], true),
            (vec![], false),
        ] {
            assert_eq!(progress.note(&tasks), moved, "{tasks:?}");
        }
    }

    #[test]
    fn a_job_that_completes_and_odd_tasks() {
        let mut progress = Progress::default();
        assert!(progress.note(&[task("job", 1, "running")]));
        assert!(progress.note(&[task("job", 1, "complete")]));
        let odd = [task("job", 1, "complete"), json!({}), json!(7)];
        assert!(!progress.note(&odd), "orphans without a state");
    }
}
