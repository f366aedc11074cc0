//! A scratch folder from which a test runs `swarm-isolate`, with a ledger to be and a namespace of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::{docker, objects_named, records, require_engine, tool, wait_for};

/// A stack with one of each kind of object.
pub const COMPOSE: &str = r#"version: "3.8"
services:
  app:
    image: redfix/busybox:latest
    command: ["sleep", "3600"]
    stop_grace_period: 1s
    networks: [internal]
    volumes: ["data:/data"]
    configs: [{source: c, target: /c}]
    deploy: {endpoint_mode: dnsrr}
networks: {internal: {driver: overlay}}
volumes: {data: {}}
configs: {c: {file: ./c}}
"#;

/// Deploys it as the run's stack.
pub const DEPLOY: &str =
    "docker stack deploy --resolve-image never -c compose.yml $REDFIX_STACK >/dev/null 2>&1 || exit 9; ";

/// A folder and a name of its own.
pub struct Run {
    pub dir: crate::folder::Folder,
    pub name: String,
}

impl Run {
    /// # Panics
    /// Without an engine.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        require_engine();
        let dir = crate::folder::Folder::new();
        std::fs::write(dir.path().join("compose.yml"), COMPOSE).expect("written");
        std::fs::write(dir.path().join("c"), "x").expect("written");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { dir, name: format!("iso-{name}-{:x}x{number}", std::process::id()) }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.path("out/ledger.jsonl")
    }

    /// The tool with a domain, a ledger and wide thresholds (the node of a test is not calm), which options overrule.
    /// Operands are the caller's.
    #[must_use]
    pub fn tool(&self, options: &[&str]) -> Command {
        let domain = format!("{}.ci.example", self.name);
        let ours = [
            ("--domain", domain.as_str()),
            ("--recipe", "t"),
            ("--max-foreign-cpu", "2"),
            ("--max-pressure", "100"),
            ("--min-free", "1MiB"),
            ("--grace", "2s"),
        ];
        let mut command = Command::new(tool("swarm-isolate"));
        for (option, value) in ours.iter().filter(|(option, _)| !options.contains(option)) {
            command.args([option, value]);
        }
        command.args(options).env("REDFIX_LEDGER", self.ledger()).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    /// The same call, made by another program that is given the tool's arguments.
    #[must_use]
    pub fn by(&self, mut program: Command, call: &Command) -> Command {
        let variables = call.get_envs().filter_map(|(name, value)| Some((name, value?)));
        program.args(call.get_args()).envs(variables).current_dir(self.dir.path()).stdin(Stdio::null());
        program
    }

    /// The same with a shell script as the command.
    #[must_use]
    pub fn script(&self, options: &[&str], script: &str) -> Command {
        let mut command = self.tool(options);
        command.args(["--", "sh", "-c", script]);
        command
    }

    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn output(&self, options: &[&str], script: &str) -> Output {
        self.script(options, script).output().expect("starts")
    }

    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(&self, options: &[&str], script: &str) -> Child {
        self.script(options, script).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts")
    }

    /// # Panics
    /// When there is no container in time.
    pub fn wait_until_deployed(&self) {
        wait_for("the stack's container", 180, || {
            objects_named(&self.name).iter().any(|object| object.starts_with("container"))
        });
    }

    /// Every record in the ledger.
    ///
    /// # Panics
    /// Without a ledger.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        records(&std::fs::read(self.ledger()).expect("a ledger"))
    }

    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn last_run(&self) -> Value {
        self.records().into_iter().rfind(|record| record["type"] == "run.finished").expect("a run.finished")
    }

    /// A file of the last run's evidence.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn evidence(&self, name: &str) -> String {
        let folder = self.path("out").join(self.last_run()["attempt_id"].as_str().expect("an id"));
        let bytes = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// # Panics
    /// When something is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(objects_named(&self.name), Vec::<String>::new());
        let format = "{{range $key, $value := .Spec.Labels}}{{$key}}={{$value}} {{end}}";
        let slots = docker(["config", "ls", "-q", "--filter", "name=redfix-slot"]);
        for slot in slots.lines() {
            let labels = docker(["config", "inspect", slot, "--format", format]);
            assert!(!labels.contains("state=held"), "{labels}");
        }
        let attempts = std::fs::read_dir(self.path("out")).into_iter().flatten().flatten();
        let attempts = attempts.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let groups: Vec<PathBuf> = attempts.flat_map(|id| cgroups(&format!("redfix-{id}-"))).collect();
        assert_eq!(groups, Vec::<PathBuf>::new(), "control groups");
    }
}

/// Control groups whose name starts so and whose maker is gone: its process id ends the name.
fn cgroups(prefix: &str) -> Vec<PathBuf> {
    fn find(folder: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let maker = name.rsplit('-').next().unwrap_or_default();
            if name.starts_with(prefix) && !Path::new("/proc").join(maker).exists() {
                found.push(entry.path());
            }
            find(&entry.path(), prefix, found);
        }
    }
    let mut found = Vec::new();
    find(Path::new("/sys/fs/cgroup"), prefix, &mut found);
    found
}

/// # Panics
/// When there is no such process.
pub fn kill(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
}

/// What a tool said.
#[must_use]
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
