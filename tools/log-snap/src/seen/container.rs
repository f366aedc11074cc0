//! What was seen of one container: its states, how it ended, and what its health probes said.

use lib_common::swarm::label::{SERVICE_ID, TASK_ID};
use serde_json::Value;

use super::event::Event;
use super::text;
use lib_common::swarm::stamp;

/// Consecutive health probes with the same result and output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When the first and the last of them began, in nanoseconds since 1970.
    pub first: i64,
    pub last: i64,
    pub count: u64,
    pub exit_code: i64,
    pub output: String,
}

/// How far a container got, as far as it was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    #[default]
    Unknown,
    /// It was created, and not seen to run.
    Made,
    Ran,
}

/// How many groups of equal probes are kept of one container; a crash loop of hours must not fill the memory.
const MAX_PROBES: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub service: String,
    pub task: Option<String>,
    /// The index of its node in the recorder's list of peers.
    pub node: usize,
    pub tty: bool,
    /// The command and the arguments that it ran with.
    pub argv: Vec<String>,
    /// The engine's state as last seen (`created`, `running`, `exited`, ...), or `removed`.
    pub state: String,
    life: Life,
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
    /// Why the engine could not start it.
    pub error: String,
    pub started: Option<i64>,
    pub finished: Option<i64>,
    pub restarts: u64,
    pub health: String,
    /// Numbers of the signals that the engine was asked to send it.
    pub signals: Vec<String>,
    pub probes: Vec<Probe>,
    pub probes_dropped: u64,
    pub log_driver: String,
    /// How many bytes its driver keeps in full files at the least, once it has removed some; `None` where it removes none
    /// or keeps one file only.
    pub log_kept: Option<u64>,
    /// Environment as it ran with, image defaults included.
    pub env: Vec<String>,
}

impl Container {
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    #[must_use]
    pub fn is_there(&self) -> bool {
        self.state != "removed"
    }

    /// Notes whether the node's list of containers has it; if not, it was removed.
    pub fn is_listed(&mut self, listed: bool) {
        if !listed {
            self.is_in("removed");
        }
    }

    /// Whether it was created and never ran, because the engine could not start it. Such a container has no log.
    #[must_use]
    pub fn never_ran(&self) -> bool {
        self.life == Life::Made
    }

    fn is_in(&mut self, state: &str) {
        self.life = self.life.max(match state {
            "created" => Life::Made,
            "running" | "paused" | "restarting" | "exited" | "dead" => Life::Ran,
            _ => Life::Unknown,
        });
        state.clone_into(&mut self.state);
    }

    /// Updates it from a row of `/containers/json`.
    pub fn listed(&mut self, row: &Value) {
        self.is_in(&text(&row["State"]));
        if let Some(name) = row["Names"][0].as_str() {
            name.trim_start_matches('/').clone_into(&mut self.name);
        }
        self.labels(&row["Labels"]);
    }

    fn labels(&mut self, labels: &Value) {
        if let Some(task) = labels[TASK_ID].as_str() {
            self.task = Some(task.to_owned());
        }
        if let Some(service) = labels[SERVICE_ID].as_str() {
            service.clone_into(&mut self.service);
        }
    }

    pub fn event(&mut self, event: &Event, labels: &Value) {
        self.labels(labels);
        if let Some(name) = event.attributes.get("name") {
            self.name.clone_from(name);
        }
        match event.action.as_str() {
            "create" => self.is_in("created"),
            "start" => self.is_in("running"),
            "die" => {
                self.is_in("exited");
                self.finished = Some(event.at);
                self.exit_code = event.attributes.get("exitCode").and_then(|code| code.parse().ok());
            }
            "destroy" => self.is_listed(false),
            "oom" => self.oom_killed = true,
            "kill" => self.signals.extend(event.attributes.get("signal").cloned()),
            _ => {}
        }
    }

    /// Updates it from the answer of `/containers/{id}/json`.
    pub fn inspected(&mut self, row: &Value) {
        let state = &row["State"];
        self.labels(&row["Config"]["Labels"]);
        self.is_in(&text(&state["Status"]));
        self.oom_killed |= state["OOMKilled"].as_bool().unwrap_or(false);
        self.error = text(&state["Error"]);
        self.started = state["StartedAt"].as_str().and_then(stamp::parse).filter(|at| *at > 0);
        let finished = state["FinishedAt"].as_str().and_then(stamp::parse).filter(|at| *at > 0);
        self.finished = finished.or(self.finished);
        if self.started.is_some() {
            self.life = Life::Ran;
        }
        if self.finished.is_some() && !self.is_running() {
            self.exit_code = state["ExitCode"].as_i64();
        }
        self.restarts = row["RestartCount"].as_u64().unwrap_or(0);
        self.log_driver = text(&row["HostConfig"]["LogConfig"]["Type"]);
        self.log_kept = log_kept(&row["HostConfig"]["LogConfig"]);
        self.tty = row["Config"]["Tty"].as_bool().unwrap_or(false);
        let words = row["Args"].as_array().into_iter().flatten();
        self.argv =
            [&row["Path"]].into_iter().chain(words).map(text).filter(|word| !word.is_empty()).collect();
        self.env = row["Config"]["Env"].as_array().into_iter().flatten().map(text).collect();
        self.health = text(&state["Health"]["Status"]);
        for probe in state["Health"]["Log"].as_array().into_iter().flatten() {
            self.probe(probe);
        }
    }

    /// Adds a probe, unless an earlier inspection brought it already: the engine keeps the last five probes, so
    /// consecutive inspections overlap.
    fn probe(&mut self, row: &Value) {
        let Some(at) = row["Start"].as_str().and_then(stamp::parse) else { return };
        if self.probes.last().is_some_and(|last| last.last >= at) {
            return;
        }
        let exit_code = row["ExitCode"].as_i64().unwrap_or(0);
        let output = text(&row["Output"]);
        let full = self.probes.len() >= MAX_PROBES;
        match self.probes.last_mut() {
            Some(last) if last.exit_code == exit_code && last.output == output => {
                last.last = at;
                last.count += 1;
            }
            _ if full => self.probes_dropped += 1,
            _ => self.probes.push(Probe { first: at, last: at, count: 1, exit_code, output }),
        }
    }
}

/// The size of all files but the one that is being written, by the options of a log driver that rotates.
fn log_kept(config: &Value) -> Option<u64> {
    let (size, files) = match config["Type"].as_str()? {
        "json-file" => (None, 1),
        "local" => (Some("20m"), 5),
        _ => return None,
    };
    let option = |name: &str| config["Config"][name].as_str();
    let files: u64 = option("max-file").map_or(Some(files), |files| files.parse().ok())?;
    let size = option("max-size").or(size)?.to_ascii_lowercase();
    let size = size.trim_end_matches('b');
    let (number, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
    let unit = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)?.checked_mul(files.checked_sub(1)?).filter(|kept| *kept > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn health(probes: &[(u32, i64, &str)]) -> Value {
        let log: Vec<Value> = probes
            .iter()
            .map(|(at, code, output)| {
                json!({"Start": format!("2026-01-02T03:04:{at:02}Z"), "ExitCode": code, "Output": output})
            })
            .collect();
        json!({"State": {"Status": "running", "Health": {"Status": "starting", "Log": log}}})
    }

    #[test]
    fn each_probe_counts_once_and_equal_ones_are_folded() {
        let mut container = Container::new("c");
        container.inspected(&health(&[(1, 1, "no"), (2, 1, "no"), (3, 0, "ok")]));
        container.inspected(&health(&[(2, 1, "no"), (3, 0, "ok"), (4, 0, "ok"), (5, 1, "no")]));
        let folded: Vec<(u64, i64)> = container.probes.iter().map(|p| (p.count, p.exit_code)).collect();
        assert_eq!(folded, [(2, 1), (2, 0), (1, 1)]);
    }

    #[test]
    fn what_could_not_be_started_never_ran() {
        let action = |action: &str| {
            Event::parse(
                &json!({"Type": "container", "Action": action, "Actor": {"ID": "c", "Attributes": {}}}),
            )
        };
        let mut container = Container::new("c");
        container.event(&action("create"), &Value::Null);
        container.event(&action("destroy"), &Value::Null);
        assert!(container.never_ran());
        container.event(&action("start"), &Value::Null);
        assert!(!container.never_ran());
        let mut found_late = Container::new("c");
        found_late.listed(&json!({"State": "removing"}));
        assert!(!found_late.never_ran(), "nobody knows");
    }

    #[test]
    fn a_death_is_read_from_event_and_inspection() {
        let mut container = Container::new("c");
        let raw = json!({"Type": "container", "Action": "die", "timeNano": 9,
                         "Actor": {"ID": "c", "Attributes": {"exitCode": "137"}}});
        container.event(&Event::parse(&raw), &Value::Null);
        assert_eq!(
            (container.exit_code, container.finished, container.oom_killed),
            (Some(137), Some(9), false)
        );
        container.inspected(&json!({"State": {"Status": "exited", "OOMKilled": true, "ExitCode": 137,
            "StartedAt": "2026-01-02T03:04:05Z", "FinishedAt": "2026-01-02T03:04:06Z"}}));
        assert!(container.oom_killed && container.started < container.finished);
    }

    #[test]
    fn what_a_driver_keeps() {
        let kept = |kind: &str, config: Value| log_kept(&json!({"Type": kind, "Config": config}));
        assert_eq!(kept("json-file", json!({"max-size": "4k", "max-file": "2"})), Some(4096));
        assert_eq!(kept("json-file", json!({"max-size": "10MB", "max-file": "3"})), Some(20 << 20));
        assert_eq!(kept("json-file", json!({"max-size": "10m"})), None, "it keeps one file");
        assert_eq!(kept("json-file", json!({})), None, "it keeps everything");
        assert_eq!(kept("local", json!({})), Some(80 << 20));
        assert_eq!(kept("journald", json!({})), None);
    }
}
