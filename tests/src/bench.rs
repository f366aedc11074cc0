//! One bench for `swarm-isolate` as it meets faults: a stack to deploy, a ledger, bystanders that must not
//! change, and what must be gone afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lib_common::swarm::label::SERVICE_NAME;
use serde_json::Value;

use crate::stack::{create_service, try_docker};
use crate::{docker, objects_named, records, require_engine, tool, wait_for};

/// A service that ends at once, with one object of every kind.
const COMPOSE: &str = r#"version: "3.8"
services:
  app:
    image: redfix/busybox:latest
    command: ["sleep", "3600"]
    stop_signal: SIGKILL
    networks: [internal]
    volumes: ["data:/data"]
    configs: [{source: c, target: /c}]
    secrets: [{source: s, target: /s}]
    deploy: {endpoint_mode: dnsrr}
networks: {internal: {driver: overlay}}
volumes: {data: {}}
configs: {c: {file: ./c}}
secrets: {s: {file: ./c}}
"#;

pub struct Bench {
    pub dir: crate::folder::Folder,
    /// Every name of a run holds it.
    pub name: String,
    started: Mutex<Vec<u32>>,
}

impl Bench {
    /// # Panics
    /// Without an engine.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, COMPOSE)
    }

    /// With a compose file of the test's own.
    ///
    /// # Panics
    /// Without an engine.
    #[must_use]
    pub fn with(name: &str, compose: &str) -> Self {
        require_engine();
        let dir = crate::folder::Folder::new();
        fs::write(dir.path().join("compose.yml"), compose).expect("written");
        fs::write(dir.path().join("c"), "x").expect("written");
        Self { dir, name: format!("iso-{name}-{:06x}", std::process::id()), started: Mutex::default() }
    }

    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.dir.path().join("out/ledger.jsonl")
    }

    /// The tool, ready to deploy and then run `script`. The node of a test is not calm: thresholds are wide.
    #[must_use]
    pub fn command(&self, options: &[&str], script: &str) -> Command {
        let deploy = "docker stack deploy --resolve-image never -c compose.yml $REDFIX_STACK >/dev/null 2>&1 || exit 9";
        // A machine that is busy with something else is slow, not wrong.
        let asked = options.contains(&"--teardown-timeout");
        let patience: &[&str] = if asked { &[] } else { &["--teardown-timeout", "5m"] };
        let mut command = Command::new(tool("swarm-isolate"));
        command
            .args(["--domain", &format!("{}.ci.example", self.name), "--recipe", "t"])
            .args(["--max-foreign-cpu", "2"])
            .args(patience)
            .arg("--ledger")
            .arg(self.ledger())
            .args(options)
            .args(["--", "sh", "-c", &format!("{deploy}; {script}")])
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(&self, options: &[&str], script: &str) -> Child {
        let mut command = self.command(options, script);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(child.id());
        child
    }

    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, options: &[&str], script: &str) -> Output {
        self.command(options, script).output().expect("starts")
    }

    /// A subcommand of the tool, with this bench's ledger.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn tool(&self, args: &[&str]) -> Output {
        let mut command = Command::new(tool("swarm-isolate"));
        command.arg("--ledger").arg(self.ledger()).args(args).stdin(Stdio::null());
        command.output().expect("starts")
    }

    pub fn wait_until_deployed(&self) {
        wait_for("the stack's container", 180, || {
            objects_named(&self.name).iter().any(|o| o.starts_with("container"))
        });
    }

    /// The runs on record.
    ///
    /// # Panics
    /// When the ledger is not one.
    #[must_use]
    pub fn runs(&self) -> Vec<Value> {
        let text = fs::read(self.ledger()).unwrap_or_default();
        records(&text).into_iter().filter(|r| r["type"] == "run.finished").collect()
    }

    /// Attempts that have begun: their folders.
    #[must_use]
    pub fn begun(&self) -> Vec<String> {
        let folder = self.dir.path().join("out");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let begun = entries.filter(|entry| entry.path().join("begun.json").exists());
        begun.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// # Panics
    /// When something is left, a slot is held, or an attempt that began has not exactly one record.
    #[track_caller]
    pub fn assert_over(&self) {
        assert_eq!(objects_named(&self.name), Vec::<String>::new());
        assert_eq!(held_slots(), Vec::<String>::new());
        let mut recorded: Vec<String> =
            self.runs().iter().map(|run| run["attempt_id"].as_str().unwrap_or_default().to_owned()).collect();
        recorded.sort();
        let mut begun = self.begun();
        begun.sort();
        assert_eq!(recorded, begun, "one record for each attempt that began");
    }

    /// Waits until nothing of it is left and every attempt has its record: its reaper finishes it.
    pub fn wait_until_finished(&self, seconds: u64) {
        wait_for(&format!("{} to be finished", self.name), seconds, || {
            self.runs().len() == self.begun().len()
                && objects_named(&self.name).is_empty()
                && reapers().is_empty()
        });
    }
}

impl Drop for Bench {
    /// A test that failed takes no other with it: what it started ends, and gives the slot back.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let started = self.started.get_mut().unwrap_or_else(PoisonError::into_inner);
        started.retain(|pid| is_tool(*pid));
        for pid in &*started {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
        for _ in 0..600 {
            if !started.iter().any(|pid| is_tool(*pid)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Whether a process runs the tool under test.
fn is_tool(pid: u32) -> bool {
    let program = tool("swarm-isolate").canonicalize().unwrap_or_default();
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
}

/// Names of the slots that somebody holds.
#[must_use]
pub fn held_slots() -> Vec<String> {
    let format = "{{.Spec.Name}} {{index .Spec.Labels \"redfix.slot.state\"}}";
    let names = docker(["config", "ls", "-q", "--filter", "label=redfix.slot"]);
    let inspect = ["config", "inspect", "--format", format].into_iter().chain(names.lines());
    if names.is_empty() {
        return Vec::new();
    }
    docker(inspect).lines().filter(|line| line.ends_with(" held")).map(ToOwned::to_owned).collect()
}

/// # Panics
/// When it is no process any more.
pub fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill");
    assert!(status.success(), "kill {signal} {pid}");
}

/// Processes of the tool under test that run as its reaper: those of this test, which has a `TMPDIR` of its own
/// (check/on-engine). Of their environment they keep little more.
#[must_use]
pub fn reapers() -> Vec<u32> {
    let own = std::env::var("TMPDIR").map(|folder| format!("TMPDIR={folder}")).unwrap_or_default();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_reaper = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        is_tool(*pid)
            && line.split(|byte| *byte == 0).any(|arg| arg == b"--detached")
            && (own.is_empty() || environ.split(|byte| *byte == 0).any(|entry| entry == own.as_bytes()))
    };
    pids.filter(is_reaper).collect()
}

/// A service of somebody else's, gone when the test ends.
pub struct Bystander {
    pub name: String,
}

impl Bystander {
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn new(name: &str) -> Self {
        require_engine();
        let name = format!("by-{name}-{:06x}", std::process::id());
        create_service(&name, &[], &["sleep", "3600"]);
        Self { name }
    }

    /// Replaces its tasks.
    pub fn disturb(&self) {
        docker(["service", "update", "--quiet", "--force", &self.name]);
    }

    /// Spec, tasks and containers: what must not change.
    #[must_use]
    pub fn state(&self) -> BTreeMap<&'static str, String> {
        let filter = format!("label={SERVICE_NAME}={}", self.name);
        let format = "{{.ID}} {{json .Spec}}";
        BTreeMap::from([
            ("spec", docker(["service", "inspect", "--format", format, &self.name])),
            ("tasks", docker(["service", "ps", "-q", "--no-trunc", &self.name])),
            ("containers", docker(["ps", "-aq", "--no-trunc", "--filter", &filter])),
        ])
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        try_docker(&["service", "rm", &self.name]);
    }
}

/// Small reproducible random numbers (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    /// Below `limit`.
    pub fn roll(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// Kills the private engine's dockerd, does something while there is none, and starts it again.
///
/// # Panics
/// When `DOCKER_HOST` is no engine that scripts/engine made, or it does not come back.
pub fn restart_engine(meanwhile: impl FnOnce()) {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let folder = host.strip_prefix("unix://").and_then(|path| path.strip_suffix("/docker.sock"));
    let folder = folder.expect("the private engine's socket").to_owned();
    let name = folder.strip_prefix("/run/redfix-engine/").and_then(|rest| rest.split_once('/'));
    let name = name.expect("an engine that scripts/engine made").0.to_owned();
    let pid = fs::read_to_string(format!("{folder}/pid")).expect("its pid");
    let pid: u32 = pid.trim().parse().expect("a number");
    kill(pid, "-KILL");
    wait_for("dockerd to end", 180, || !PathBuf::from(format!("/proc/{pid}/exe")).exists());
    meanwhile();
    let up = Command::new(crate::root().join("scripts/engine")).args(["--name", &name, "up"]).output();
    let up = up.expect("scripts/engine");
    assert!(up.status.success(), "{}", told(&up));
}

/// What a tool said, for the message of an assertion.
#[must_use]
pub fn told(output: &Output) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", output.status);
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
