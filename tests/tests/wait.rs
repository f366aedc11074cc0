//! `swarm-wait` on real services: it tells services that converge from those that never will, and names the cause.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::process::{Command, Output, Stdio};
use std::thread;

use e2e::stack::{IMAGE, Stack, try_docker};
use e2e::{docker, first, records, require_engine, tool, wait_for};
use lib_common::swarm::label;
use serde_json::Value;

/// A stack whose services are created one by one, each with the options that it needs.
struct Services(Stack);

impl Services {
    fn new() -> Self {
        Self(Stack::new())
    }

    fn create(&self, name: &str, options: &[&str], command: &[&str]) {
        self.create_of(IMAGE, name, options, command);
    }

    fn create_of(&self, image: &str, name: &str, options: &[&str], command: &[&str]) {
        let stack = &self.0.name;
        let (label, name) = (label::of_stack(stack), format!("{stack}_{name}"));
        let fixed = ["service", "create", "-d", "--no-resolve-image", "--stop-grace-period", "1s"];
        let named = ["--label", &label, "--container-label", &label, "--name", &name];
        docker([&fixed[..], &named, options, &[image], command].concat());
    }

    fn wait(&self, options: &[&str]) -> (Output, Value) {
        let output = wait(&[&[self.0.name.as_str()], options].concat());
        let record = first(&records(&output.stdout), "stack.checked").clone();
        (output, record)
    }

    #[track_caller]
    fn wedges(&self, options: &[&str], cause: &str, words: &str) {
        let (output, record) = self.wait(options);
        assert_eq!((output.status.code(), record["state"].as_str()), (Some(1), Some("wedged")), "{record}");
        assert_eq!(record["cause"], cause, "{record}");
        assert!(record["message"].to_string().contains(words), "{record}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("hint: "));
    }
}

impl Drop for Services {
    /// Engine 20.10 leaves the containers of a finished job behind when its service is removed, so they are removed here.
    fn drop(&mut self) {
        try_docker(&["stack", "rm", &self.0.name]);
        try_docker(&["container", "prune", "-f", "--filter", &self.0.label()]);
    }
}

fn wait(args: &[&str]) -> Output {
    let mut command = Command::new(tool("swarm-wait"));
    command.args(args).stdin(Stdio::null()).env("REDFIX_ATTEMPT", "01ATTEMPT").output().unwrap()
}

const DNSRR: [&str; 2] = ["--endpoint-mode", "dnsrr"];
const FOREVER: [&str; 2] = ["sleep", "3600"];

#[test]
fn every_mode_converges_and_an_update_is_waited_for() {
    require_engine();
    assert_eq!(wait(&["no-such-stack"]).status.code(), Some(2));
    let stack = Services::new();
    stack.create("two", &["--endpoint-mode", "dnsrr", "--replicas", "2"], &FOREVER);
    stack.create("none", &["--endpoint-mode", "dnsrr", "--replicas", "0"], &FOREVER);
    stack.create("all", &["--endpoint-mode", "dnsrr", "--mode", "global"], &FOREVER);
    stack.create("once", &["--endpoint-mode", "dnsrr", "--restart-condition", "none"], &["true"]);
    stack.create("job", &["--mode", "replicated-job", "--replicas", "2"], &["true"]);
    let (output, record) = stack.wait(&[]);
    assert!(output.status.success(), "{record}");
    assert_eq!(
        (record["state"].as_str(), record["attempt_id"].as_str()),
        (Some("converged"), Some("01ATTEMPT"))
    );
    let services = record["services"].as_array().unwrap();
    let told: Vec<_> =
        services.iter().map(|s| (s["name"].as_str().unwrap(), s["up"].as_u64().unwrap())).collect();
    assert_eq!(told, [("all", 1), ("job", 2), ("none", 0), ("once", 1), ("two", 2)]);

    // Right after the update the old tasks still run: they must not count as converged.
    let name = format!("{}_two", stack.0.name);
    docker(["service", "update", "-d", "--force", &name]);
    let (output, record) = stack.wait(&[]);
    assert!(output.status.success(), "{record}");
    let ids = docker(["service", "ps", "-q", "--filter", "desired-state=running", "--no-trunc", &name]);
    let forced = |id: &str| docker(["inspect", "--format", "{{.Spec.ForceUpdate}} {{.Status.State}}", id]);
    assert!(ids.lines().count() == 2 && ids.lines().all(|id| forced(id).trim() == "1 running"));
}

#[test]
fn an_answer_that_nobody_could_read_is_not_a_good_one() {
    require_engine();
    let stack = Services::new();
    stack.create("none", &["--endpoint-mode", "dnsrr", "--replicas", "0"], &FOREVER);
    assert!(stack.wait(&[]).0.status.success());
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for stdout in [Stdio::from(closed), Stdio::from(full)] {
        let mut command = Command::new(tool("swarm-wait"));
        let output = command.arg(&stack.0.name).stdin(Stdio::null()).stdout(stdout).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("writing a record: standard output: "), "{told}");
    }
}

#[test]
fn every_wedge_is_named() {
    require_engine();
    let scenarios: [(&str, fn()); 9] = [
        ("crash loop", crash_loop),
        ("image missing", image_missing),
        ("no suitable node", no_suitable_node),
        ("no free address", no_free_address),
        ("gave up", gave_up),
        ("rolled back", rolled_back),
        ("update paused", update_paused),
        ("ready", ready),
        ("slow start", slow_start),
    ];
    // Run all scenarios at once, because each of them mostly waits.
    let running = scenarios.map(|(name, scenario)| (name, thread::spawn(scenario)));
    let failed: Vec<&str> =
        running.into_iter().filter_map(|(name, run)| run.join().is_err().then_some(name)).collect();
    assert_eq!(failed, Vec::<&str>::new(), "see above");
}

fn crash_loop() {
    let stack = Services::new();
    stack.create("app", &["--endpoint-mode", "dnsrr", "--restart-delay", "500ms"], &["sh", "-c", "exit 3"]);
    stack.wedges(&["--same-error", "3"], "crash-loop", "non-zero exit (3), 3 times");
}

fn image_missing() {
    let stack = Services::new();
    stack.create_of("redfix/never-built:1", "app", &DNSRR, &[]);
    stack.wedges(&["--same-error", "2"], "image-missing", "No such image: redfix/never-built:1");
}

fn no_suitable_node() {
    let stack = Services::new();
    stack.create("app", &["--endpoint-mode", "dnsrr", "--constraint", "node.labels.no==where"], &FOREVER);
    stack.wedges(&["--stuck-after", "3s"], "no-suitable-node", "scheduling constraints not satisfied");
}

fn no_free_address() {
    let stack = Services::new();
    let network = format!("{}-tiny", stack.0.name);
    let label = label::of_stack(&stack.0.name);
    docker(["network", "create", "-d", "overlay", "--label", &label, "--subnet", "10.213.7.0/29", &network]);
    stack.create("app", &["--endpoint-mode", "dnsrr", "--network", &network, "--replicas", "7"], &FOREVER);
    stack.wedges(&["--stuck-after", "8s"], "no-free-address", "10.213.7.0/29: 5 of 5 addresses in use");
    docker(["service", "rm", &format!("{}_app", stack.0.name)]);
    wait_for("the network to go", 180, || {
        let rm = Command::new("docker").args(["network", "rm", &network]).output().unwrap();
        rm.status.success()
    });
}

fn gave_up() {
    let stack = Services::new();
    let options = ["--endpoint-mode", "dnsrr", "--restart-condition", "none"];
    stack.create("app", &options, &["sh", "-c", "exit 4"]);
    stack.wedges(&["--settle", "3s"], "gave-up", "non-zero exit (4), and its restart policy");
}

/// Updates `app` to a command that fails. `action` is the service's policy for that case.
fn update_to_failure(stack: &Services, action: &str) {
    let options = ["--endpoint-mode", "dnsrr", "--replicas", "2", "--restart-condition", "none"];
    let policy = ["--update-failure-action", action, "--update-monitor", "3s", "--update-delay", "1s"];
    stack.create("app", &[&options[..], &policy].concat(), &FOREVER);
    let (output, record) = stack.wait(&[]);
    assert!(output.status.success(), "{record}");
    docker(["service", "update", "-d", "--args", "sh -c 'exit 5'", &format!("{}_app", stack.0.name)]);
}

fn rolled_back() {
    let stack = Services::new();
    update_to_failure(&stack, "rollback");
    stack.wedges(&[], "rolled-back", "rollback");
}

fn update_paused() {
    let stack = Services::new();
    update_to_failure(&stack, "pause");
    stack.wedges(&["--settle", "60s"], "update-paused", "update paused due to failure");
}

fn ready() {
    let stack = Services::new();
    stack.create("app", &DNSRR, &FOREVER);
    let dir = e2e::folder::Folder::new();
    let calls = dir.path().join("calls");
    let command = format!("echo x >>{0}; test $(wc -l <{0}) -gt 2", calls.display());
    let (output, record) = stack.wait(&["--ready", &command, "--stable", "3"]);
    assert!(output.status.success(), "{record}");
    let count = std::fs::read_to_string(&calls).unwrap().lines().count();
    assert_eq!(count, 5, "two failures, then three in a row");
    let (output, record) = stack.wait(&["--ready", "echo no >&2; false", "--deadline", "8s"]);
    assert_eq!((output.status.code(), record["state"].as_str()), (Some(75), Some("deadline")), "{record}");
    assert!(record["message"].to_string().contains("exit status: 1: no"), "{record}");
    stack.wedges(&["--ready", "false", "--idle-timeout", "3s"], "not-ready", "nothing new for 3 s");
}

/// A service that fails three times and then stays up, like an app that waits for its database.
fn slow_start() {
    let stack = Services::new();
    let volume = format!("type=volume,source={}-tries,target=/v", stack.0.name);
    let script = "echo x >>/v/tries; [ $(wc -l </v/tries) -gt 3 ] || exit 1; sleep 3600";
    let options = ["--endpoint-mode", "dnsrr", "--restart-delay", "500ms", "--mount", &volume];
    stack.create("app", &options, &["sh", "-c", script]);
    let (output, record) = stack.wait(&["--settle", "4s"]);
    assert!(output.status.success(), "{record}");
}
