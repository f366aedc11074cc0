//! What was seen of one task: where it ran, and every state that it had.

use serde_json::Value;

use super::text;
use lib_common::swarm::stamp;

/// One state of a task, from when it was first seen until anything of it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it began, in nanoseconds since 1970, by the clock of the task's node.
    pub at: i64,
    pub state: String,
    pub desired: String,
    pub message: String,
    /// The engine's whole error text.
    pub error: String,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    pub service: String,
    pub slot: Option<u64>,
    pub node: String,
    pub container: Option<String>,
    pub image: String,
    pub exit_code: Option<i64>,
    pub steps: Vec<Step>,
}

impl Task {
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            service: String::new(),
            slot: None,
            node: String::new(),
            container: None,
            image: String::new(),
            exit_code: None,
            steps: Vec::new(),
        }
    }

    /// Updates it from a row of `/tasks`.
    pub fn see(&mut self, row: &Value, now: i64) {
        let status = &row["Status"];
        let ran = &status["ContainerStatus"];
        self.service = text(&row["ServiceID"]);
        self.slot = row["Slot"].as_u64();
        self.node = text(&row["NodeID"]);
        self.image = text(&row["Spec"]["ContainerSpec"]["Image"]);
        if let Some(id) = ran["ContainerID"].as_str().filter(|id| !id.is_empty()) {
            self.container = Some(id.to_owned());
        }
        // A task that was shut down before it ran has exit code 0 too, so 0 counts only if the task completed.
        let code = ran["ExitCode"].as_i64().unwrap_or(0);
        if status["State"] == "complete" || code != 0 {
            self.exit_code = Some(code);
        }
        let step = Step {
            at: status["Timestamp"].as_str().and_then(stamp::parse).unwrap_or(now),
            state: text(&status["State"]),
            desired: text(&row["DesiredState"]),
            message: text(&status["Message"]),
            error: text(&status["Err"]),
        };
        let same = |last: &Step| {
            (&last.state, &last.desired, &last.error) == (&step.state, &step.desired, &step.error)
        };
        if !self.steps.last().is_some_and(same) {
            self.steps.push(step);
        }
    }

    #[must_use]
    pub fn state(&self) -> &str {
        self.steps.last().map_or("", |step| &step.state)
    }

    #[must_use]
    pub fn error(&self) -> &str {
        self.steps.iter().rev().map(|step| step.error.as_str()).find(|error| !error.is_empty()).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_timeline_keeps_each_change_once() {
        let mut task = Task::new("t");
        let row = |state: &str, error: &str| {
            json!({"ServiceID": "s", "NodeID": "n", "Slot": 1, "DesiredState": "running",
                   "Status": {"State": state, "Err": error, "Timestamp": "2026-01-02T03:04:05Z",
                              "ContainerStatus": {"ContainerID": "c", "ExitCode": 3}}})
        };
        for (state, error) in
            [("preparing", ""), ("running", ""), ("running", ""), ("failed", "task: non-zero exit (3)")]
        {
            task.see(&row(state, error), 1);
        }
        let states: Vec<&str> = task.steps.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(states, ["preparing", "running", "failed"]);
        assert_eq!(
            (task.state(), task.error(), task.exit_code),
            ("failed", "task: non-zero exit (3)", Some(3))
        );
    }

    #[test]
    fn an_unknown_state_is_kept_as_it_is() {
        let mut task = Task::new("t");
        task.see(&json!({"Status": {"State": "hibernating"}}), 5);
        assert_eq!((task.state(), task.steps[0].at, task.exit_code), ("hibernating", 5, None));
    }
}
