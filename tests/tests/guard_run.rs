//! The guard as part of a run: the command finds it wherever it looks for an engine, the companion gets the secrets' values,
//! and bypassing it is detected.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::Command;

use e2e::guard::{Guarded, isolate};
use e2e::run::{DEPLOY, Run, said};
use e2e::stack::IMAGE;
use e2e::{docker, first, objects_named, records, require_engine, tool, wait_for};
use serde_json::Value;

/// The path of the engine's socket.
fn engine() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap();
    host.strip_prefix("unix://").expect("the private engine listens on a socket").to_owned()
}

#[track_caller]
fn run(options: &[&str], script: &str) -> (Value, String) {
    let output = isolate(options, script).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let all = records(&output.stdout);
    assert!(!all.is_empty(), "{told}");
    (first(&all, "run.finished").clone(), told)
}

#[test]
fn the_command_finds_the_guard_wherever_it_looks_for_an_engine() {
    require_engine();
    let refused = format!("run --privileged {IMAGE} true 2>&1 | grep -q 'swarm-guard: refused' || exit 9");
    let script = format!(
        "docker {refused}; env -u DOCKER_HOST docker {refused}; docker -H unix:///var/run/docker.sock {refused}; \
         docker -H unix://{} {refused}; docker --context default {refused}; \
         [ \"$(stat -c %a ${{DOCKER_HOST#unix://}} $(dirname ${{DOCKER_HOST#unix://}}) | tr '\\n' ' ')\" = '600 700 ' ] || exit 8",
        engine()
    );
    let (run, told) = run(&["-vv"], &script);
    assert_eq!((&run["outcome"], &run["exit_code"]), (&"pass".into(), &0.into()), "{told}");
    assert_eq!(run["guard"]["refused"], 5, "{run:#}");
    // Guards of other tests put a file there and take it away, too; a socket would be the machine's own.
    wait_for("nothing is left behind", 60, || {
        let there = std::fs::metadata("/run/docker.sock");
        there.is_ok_and(|data| data.file_type().is_socket()) || !Path::new("/run/docker.sock").exists()
    });
}

#[test]
fn what_goes_around_the_guard_is_no_evidence() {
    require_engine();
    // In the test's own mount namespace the engine's socket is not covered by the guard.
    let around = format!("nsenter --target {} --mount docker -H unix://{}", std::process::id(), engine());
    let gone = format!(
        "{around} config create ${{REDFIX_STACK}}_c /etc/hostname && {around} config rm ${{REDFIX_STACK}}_c"
    );
    let (run_gone, told) = run(&["-vv"], &gone);
    assert_eq!(run_gone["outcome"], "guard-bypassed", "{told}");
    let unseen = run_gone["guard"]["unseen"].to_string();
    assert!(unseen.contains("config iso-guard-") && run_gone["reason"].is_string(), "{run_gone:#}");
    let kept =
        format!("{around} volume create ${{REDFIX_STACK}}_v; docker volume create ${{REDFIX_STACK}}_w");
    let (run_kept, told) = run(&["-vv"], &kept);
    assert_eq!(run_kept["outcome"], "guard-bypassed", "{told}");
    let unseen = run_kept["guard"]["unseen"].as_array().unwrap();
    assert!(unseen.len() == 1 && unseen[0].as_str().unwrap().ends_with("_v"), "{unseen:?}");
    assert_eq!(objects_named("iso-guard"), Vec::<String>::new());
}

#[test]
fn strangers_that_come_and_go_are_no_bypass() {
    let guarded = Guarded::start(&[]);
    let stranger = format!("stranger-{}", std::process::id());
    docker(["run", "--rm", "--name", &stranger, IMAGE, "true"]);
    docker(["volume", "create", &stranger]);
    docker(["volume", "rm", &stranger]);
    let run = guarded.finish();
    assert_eq!(run["outcome"], "pass", "{run:#}");
}

#[test]
fn secret_values_reach_the_companion_and_nobody_else() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let seen = dir.path().join("seen");
    let companion = format!("cat /proc/self/fd/$REDFIX_SECRETS_FD >{}", seen.display());
    let script = "env | grep -q REDFIX_SECRETS_FD && exit 9; printf hunter-two | docker secret create ${REDFIX_STACK}_pw_v1 -";
    let (run, told) = run(&["-vv", "--companion", &companion], script);
    assert_eq!(run["outcome"], "pass", "{told}");
    let line: Value = serde_json::from_str(std::fs::read_to_string(seen).unwrap().trim()).unwrap();
    assert_eq!(line["value_base64"], "aHVudGVyLXR3bw==");
    assert!(line["name"].as_str().unwrap().ends_with("_pw_v1"), "{line}");
    assert!(!run.to_string().contains("hunter") && !run.to_string().contains("aHVudGVy"), "{run:#}");
}

#[test]
fn options_admit_what_belongs_to_a_run_besides_its_own() {
    require_engine();
    let name = format!("gopt{}", std::process::id());
    docker(["network", "create", "-d", "bridge", &format!("{name}-net")]);
    docker(["run", "-d", "--name", &format!("{name}-bot"), "--stop-signal", "KILL", IMAGE, "sleep", "1000"]);
    let script = format!(
        "docker run --rm --network {name}-net --name {name}_app \
           --label 'traefik.http.routers.{name}.rule=Host(`dep.example`)' {IMAGE} true || exit 4; \
         docker exec {name}-bot true || exit 5; docker tag {IMAGE} {name}img/x:1 || exit 6; docker rmi {name}img/x:1 || exit 7; \
         docker secret create {name}_pw_v1 /etc/hostname || exit 8; \
         docker secret rm {name}_pw_v1 || exit 9"
    );
    let (net, bot, image) = (format!("{name}-net"), format!("{name}-bot"), format!("{name}img/"));
    let namespace = format!("{}*", &name[..name.len() - 1]);
    let kinds = [("network", &net), ("exec", &bot), ("image", &image), ("stack", &namespace)];
    let allow = kinds.map(|(kind, value)| format!("--allow={kind}={value}"));
    let options = [&["-vv", "--allow", "domain=dep.example"], &allow.each_ref().map(String::as_str)[..]];
    let (allowed, told) = run(&options.concat(), &script);
    let (denied, _) = run(&["-vv"], &script);
    docker(["rm", "-f", &format!("{name}-bot")]);
    docker(["network", "rm", &format!("{name}-net")]);
    assert_eq!((&allowed["outcome"], &allowed["guard"]["refused"]), (&"pass".into(), &0.into()), "{told}");
    assert_eq!(denied["exit_code"], 4, "{denied:#}");
}

/// Process ids of the guards that a process has started.
fn guards_of(parent: u32) -> Vec<u32> {
    let program = tool("swarm-guard").canonicalize().unwrap();
    let children = Command::new("pgrep").args(["--parent", &parent.to_string()]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    let is_guard = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    children.lines().filter_map(|line| line.parse().ok()).filter(is_guard).collect()
}

#[test]
fn a_run_whose_guard_dies_is_invalid_and_torn_down() {
    let run = Run::new("killed");
    // The command never ends by itself. It prints what it gets from its engine after the guard has died.
    let script = format!(
        "{DEPLOY} touch deployed; while docker version >/dev/null 2>&1; do sleep 0.1; done; \
         docker config create ${{REDFIX_STACK}}_late /etc/hostname >late 2>&1; sleep 1000"
    );
    let child = run.start(&["-v"], &script);
    run.wait_until_deployed();
    wait_for("the whole stack", 180, || run.path("deployed").exists());
    let [guard] = guards_of(child.id())[..] else { panic!("one guard") };
    e2e::bench::kill(guard, "-KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    let last = run.last_run();
    assert_eq!(last["outcome"], "infra", "{last:#}");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.starts_with("the guard died (signal: 9"), "{reason}");
    assert_eq!(last["isolation"]["proved"], false, "{last:#}");
    assert!(last["cleanup"]["created"].to_string().contains("service/"), "{last:#}");
    assert_eq!(last["cleanup"]["left"], serde_json::json!([]), "{last:#}");
    assert!(!last["cleanup"]["created"].to_string().contains("_late"), "{last:#}");
    run.assert_nothing_left();
}

#[test]
fn a_run_without_a_guard_is_none() {
    let run = Run::new("alone");
    let copy = run.path("swarm-isolate");
    std::fs::copy(tool("swarm-isolate"), &copy).unwrap();
    let mut alone = run.by(Command::new(copy), &run.script(&[], "touch ran"));
    let output = alone.env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("looking for the guard: swarm-guard: ") && told.contains("hint: "), "{told}");
    assert!(!run.path("ran").exists());
    run.assert_nothing_left();
}
