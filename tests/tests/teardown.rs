//! The teardown of `swarm-isolate`: it removes every object of the run, and reports changes of other people's services.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use e2e::bench::{Bench, Bystander, held_slots, told};
use e2e::stack::{IMAGE, try_docker};
use e2e::{docker, first, objects_named, records, wait_for};
use serde_json::json;

/// A shell command that waits until a container of the stack runs.
const RUNNING: &str = "until [ -n \"$(docker ps -q --filter label=com.docker.stack.namespace=$REDFIX_STACK)\" ]; do sleep 0.1; done";

#[test]
fn every_kind_is_created_and_gone_and_what_carries_the_label_too() {
    let bench = Bench::new("kinds");
    let label = "--label redfix.run=$REDFIX_ATTEMPT";
    let script = format!(
        "{RUNNING}; docker run -d {label} --name ${{REDFIX_STACK}}_loose {IMAGE} sleep 600 >/dev/null && \
         docker volume create {label} ${{REDFIX_STACK}}_loose >/dev/null && \
         docker network create {label} ${{REDFIX_STACK}}_loose >/dev/null"
    );
    let output = bench.run(&[], &script);
    assert!(output.status.success(), "{}", told(&output));
    bench.assert_over();
    let run = bench.runs().remove(0);
    let created = run["cleanup"]["created"].to_string();
    for kind in ["service", "container", "network", "config", "secret", "volume"] {
        assert!(created.contains(&format!("{kind}/")), "{kind} in {created}");
    }
    assert_eq!(created.matches("_loose").count(), 3, "{created}");
    assert_eq!((&run["outcome"], &run["cleanup"]["left"]), (&"pass".into(), &json!([])));
    assert!(run.get("harm").is_none() && run["cleanup"].get("unproved").is_none(), "{run:#}");
}

#[test]
fn a_listed_service_that_changes_is_harm_and_another_disturbs() {
    let bench = Bench::new("harm");
    let (listed, other) = (Bystander::new("listed"), Bystander::new("other"));
    let alone = format!("by-alone-{:06x}", std::process::id());
    docker(["run", "-d", "--name", &alone, "--stop-signal", "SIGKILL", IMAGE, "sleep", "3600"]);
    let go = bench.dir.path().join("go");
    let script = format!("until [ -e {} ]; do sleep 0.1; done", go.display());
    let protect = ["--protect", "by-listed-*"];
    let mut child = bench.start(&protect, &script);
    bench.wait_until_deployed();
    listed.disturb();
    other.disturb();
    docker(["restart", &alone]);
    std::fs::write(&go, "").unwrap();
    let status = child.wait().unwrap();
    try_docker(&["rm", "-f", &alone]);
    assert_eq!(status.code(), Some(2));
    bench.assert_over();
    let run = bench.runs().remove(0);
    let harm = run["harm"].to_string();
    assert!(harm.contains(&format!("{}: spec", listed.name)) && !harm.contains(&other.name), "{harm}");
    let reason = run["reason"].as_str().unwrap();
    assert_eq!(run["outcome"], "disturbed");
    assert!(reason.contains(&format!("{}: spec", other.name)), "{reason}");
    assert!(reason.contains(&format!("{alone}: restarted")) && !reason.contains(&listed.name), "{reason}");
}

#[test]
fn a_run_whose_own_names_are_protected_does_not_start() {
    let bench = Bench::new("self");
    let output = bench.run(&["--protect", "iso-self-*"], "true");
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("--protect iso-self-* lists it"), "{}", told(&output));
    assert_eq!(objects_named(&bench.name), Vec::<String>::new());
    assert_eq!(held_slots(), Vec::<String>::new());
}

#[test]
fn a_kept_stack_stands_until_it_is_released() {
    let bench = Bench::new("kept");
    let failed = bench.run(&["--keep-on-success"], "exit 3");
    assert_eq!(failed.status.code(), Some(3), "{}", told(&failed));
    bench.assert_over();
    let passed = bench.run(&["--keep-on-success"], RUNNING);
    assert!(passed.status.success(), "{}", told(&passed));
    let run = bench.runs().pop().unwrap();
    let stack = run["stack"].as_str().unwrap();
    assert_eq!((&run["cleanup"]["kept"], &run["cleanup"]["left"]), (&json!([stack]), &json!([])));
    assert_eq!(held_slots(), Vec::<String>::new(), "a kept stack holds no slot");
    let app = format!("service {stack}_app");
    let reap = bench.tool(&["reap"]);
    assert!(reap.status.success() && objects_named(stack).contains(&app), "{}", told(&reap));
    let listed = records(&bench.tool(&["kept"]).stdout);
    let kept = first(&listed, "stack.kept");
    assert_eq!((&kept["stacks"], &kept["attempt_id"]), (&json!([stack]), &run["attempt_id"]));
    assert_eq!(bench.tool(&["kept", "release", "nobody"]).status.code(), Some(2));
    assert!(told(&bench.tool(&["kept", "release", "-n", stack])).contains("would tear down"));
    assert!(objects_named(stack).contains(&app));
    let release = bench.tool(&["kept", "release", stack]);
    assert!(release.status.success(), "{}", told(&release));
    bench.assert_over();
    assert!(bench.tool(&["kept"]).stdout.is_empty());
}

/// A small shared network that is removed when the test ends.
struct Shared(String);

impl Shared {
    fn new() -> Self {
        let name = format!("proxy-{:06x}", std::process::id());
        docker(["network", "create", "-d", "overlay", "--subnet", "10.99.77.0/28", &name]);
        Self(name)
    }

    /// The number of free addresses, counted by taking all of them.
    fn room(&self) -> usize {
        let name = |at: usize| format!("room-{:06x}-{at}", std::process::id());
        let create = ["service", "create", "--quiet", "--no-resolve-image", "--detach", "--replicas", "0"];
        for at in 0..16 {
            docker(create.iter().copied().chain(["--network", &self.0, "--name", &name(at), IMAGE]));
        }
        let all: Vec<String> = (0..16).map(name).collect();
        let given = || {
            let format = "{{range .Endpoint.VirtualIPs}}{{.Addr}}{{end}}";
            let inspect = ["service", "inspect", "--format", format].into_iter();
            let list = docker(inspect.chain(all.iter().map(String::as_str)));
            list.lines().filter(|line| !line.is_empty()).count()
        };
        // The manager assigns addresses one after the other. The network is full when the count no longer grows.
        let mut last = 0;
        wait_for("the last address", 180, || std::mem::replace(&mut last, given()) == last && last > 0);
        docker(["service", "rm"].into_iter().chain(all.iter().map(String::as_str)));
        last
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let removed = || try_docker(&["network", "rm", &self.0]).status.success();
        let gone = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            removed()
        });
        assert!(gone || std::thread::panicking(), "{} is not gone", self.0);
    }
}

#[test]
fn twenty_deploys_in_a_row_leak_no_address_of_a_small_shared_network() {
    let shared = Shared::new();
    let compose = format!(
        r#"version: "3.8"
services:
  app:
    image: {IMAGE}
    command: ["sleep", "3600"]
    stop_signal: SIGKILL
    networks: [internal, proxy]
    deploy: {{endpoint_mode: dnsrr}}
networks:
  internal: {{driver: overlay}}
  proxy: {{external: true, name: {}}}
"#,
        shared.0
    );
    let bench = Bench::with("addr", &compose);
    let output = bench.run(&["--runs", "20", "--allow", &format!("network={}", shared.0)], RUNNING);
    assert!(output.status.success(), "{}", told(&output));
    bench.assert_over();
    let runs = bench.runs();
    assert_eq!(runs.len(), 20);
    for run in &runs {
        assert_eq!(run["outcome"], "pass", "{run:#}");
        let expected = json!([{"network": shared.0, "before": 0, "after": 0, "size": 13}]);
        assert_eq!(run["cleanup"]["networks"], expected);
    }
    // The node itself needs one address while one of its tasks is on the network.
    assert_eq!(shared.room(), 13, "every address is free again");
}
