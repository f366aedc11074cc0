//! Clients work through the guard as without it: each installed version of the docker client, stacks, docker-compose, and
//! bidirectional streams.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::guard::Guarded;
use e2e::stack::{IMAGE, try_docker};
use e2e::{docker, pipe, wait_for};
use lib_common::swarm::label;
use serde_json::Value;

/// One docker client of each version that is on the PATH.
fn clients() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let mut versions = Vec::new();
    let mut found = Vec::new();
    for client in std::env::split_paths(&path).map(|dir| dir.join("docker")).filter(|path| path.exists()) {
        let version = Command::new(&client).arg("--version").output().unwrap().stdout;
        if !versions.contains(&version) {
            versions.push(version);
            found.push(client);
        }
    }
    assert!(!found.is_empty(), "no docker client");
    found
}

struct Client<'g> {
    guarded: &'g Guarded,
    program: &'g Path,
}

impl Client<'_> {
    fn command(&self, args: &[&str]) -> Command {
        self.guarded.client(self.program.to_str().unwrap(), args)
    }

    /// Standard output of a call that must succeed.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        self.pipe(args, "")
    }

    #[track_caller]
    fn pipe(&self, args: &[&str], input: &str) -> String {
        let output = pipe(&mut self.command(args), input.as_bytes());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {args:?}: {told}", self.program.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The shared network `proxy`. It is removed when dropped if this value created it (`true`).
struct Proxy(bool);

impl Proxy {
    fn new() -> Self {
        Self(try_docker(&["network", "create", "-d", "overlay", "--attachable", "proxy"]).status.success())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The engine may still be releasing an address of the network, so the removal is repeated.
        if self.0 {
            wait_for("the proxy network to go", 180, || {
                try_docker(&["network", "rm", "proxy"]).status.success()
            });
        }
    }
}

const STACK: &str = r#"version: "3.8"
services:
  app:
    image: redfix/busybox:latest
    command: ["sh", "-c", "while true; do echo tick; sleep 0.1; done"]
    stop_signal: SIGKILL
    networks: [internal, proxy]
    volumes: ["data:/data"]
    configs: [c]
    secrets: [s]
    labels: {container: label}
    deploy: {endpoint_mode: dnsrr, labels: {traefik.enable: "true"}}
networks: {internal: {driver: overlay}, proxy: {external: true}}
volumes: {data: {}}
configs: {c: {file: ./f}}
secrets: {s: {file: ./f}}
"#;

/// Every operation of a recipe's harness on a stack.
fn stack(client: &Client, dir: &Path) {
    let name = &client.guarded.stack;
    let compose = dir.join("compose.yml");
    std::fs::write(&compose, STACK).unwrap();
    std::fs::write(dir.join("f"), "content-of-a-file").unwrap();
    let deploy = ["stack", "deploy", "--resolve-image", "never", "-c", compose.to_str().unwrap(), name];
    client.run(&deploy);
    client.run(&deploy);
    let filter = format!("label={}", label::of_stack(name));
    let running = ["ps", "-q", "--filter", &filter];
    wait_for("the stack's container", 180, || !client.run(&running).is_empty());
    let container = client.run(&running).lines().next().unwrap().to_owned();
    assert_eq!(client.run(&["exec", &container, "cat", "/run/secrets/s"]), "content-of-a-file");
    let service = format!("{name}_app");
    client.run(&["service", "update", "-d", "--no-resolve-image", "--env-add", "A=b", &service]);
    client.run(&["service", "rollback", "-d", &service]);
    assert!(client.run(&["stack", "services", name]).contains(&service));
    let labels = client.run(&["service", "inspect", "--format", "{{json .Spec}}", &service]);
    let spec: Value = serde_json::from_str(&labels).unwrap();
    for labels in [&spec["Labels"], &spec["TaskTemplate"]["ContainerSpec"]["Labels"]] {
        assert_eq!(labels["redfix.run"], client.guarded.attempt.as_str());
    }
    let mut logs =
        client.command(&["service", "logs", "-f", &service]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(logs.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("tick"), "{line}");
    logs.kill().unwrap();
    logs.wait().unwrap();
    client.run(&["stack", "rm", name]);
    wait_for("the stack to go", 180, || client.run(&["ps", "-aq", "--filter", &filter]).is_empty());
}

/// Whether the client can build with `BuildKit` without a guard. Newer clients need a plugin for it; 20.10 must be able to.
fn has_buildkit(program: &Path, dir: &Path) -> bool {
    let mut build = Command::new(program);
    let output = build.args(["build", "-q"]).arg(dir).env("DOCKER_BUILDKIT", "1").output().unwrap();
    let version = Command::new(program).arg("--version").output().unwrap().stdout;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        docker(["rmi", String::from_utf8_lossy(&output.stdout).trim()]);
    }
    assert!(output.status.success() || !String::from_utf8_lossy(&version).contains(" 20.10."), "{told}");
    output.status.success()
}

/// Tests containers, streams and builds.
fn containers(client: &Client, dir: &Path) {
    let stack = &client.guarded.stack;
    let (name, web) = (format!("{stack}_a"), format!("{stack}/web:1"));
    client.run(&[
        "run",
        "-d",
        "--name",
        &name,
        "--stop-signal",
        "KILL",
        IMAGE,
        "sh",
        "-c",
        "echo up; sleep 1000",
    ]);
    assert_eq!(client.pipe(&["exec", "-i", &name, "cat"], "both ways"), "both ways");
    let large = "x".repeat(1_000_000);
    assert_eq!(client.pipe(&["exec", "-i", &name, "cat"], &large).len(), large.len());
    // The client closes its input while output still arrives (half-close).
    let half =
        client.pipe(&["run", "--rm", "-i", IMAGE, "sh", "-c", "wc -c; sleep 0.3; echo after"], "12345");
    assert_eq!(half, "5\nafter\n");
    let exec = format!("{} exec -it {name} sh -c 'test -t 0 && tty'", client.program.display());
    let output = client.guarded.client("script", &["-qec", &exec, "/dev/null"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("/dev/pts/"), "{told}");
    assert_eq!(client.command(&["exec", &name, "sh", "-c", "exit 7"]).status().unwrap().code(), Some(7));
    let mut logs = client.command(&["logs", "-f", &name]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(logs.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    client.run(&["cp", dir.join("f").to_str().unwrap(), &format!("{name}:/f")]);
    assert_eq!(client.run(&["exec", &name, "cat", "/f"]), "content-of-a-file");
    assert!(client.run(&["cp", &format!("{name}:/f"), "-"]).contains("content-of-a-file"));
    std::fs::write(dir.join("Dockerfile"), format!("FROM {IMAGE}\nRUN echo built >/x\nCMD cat /x\n"))
        .unwrap();
    let builders = if has_buildkit(client.program, dir) { &["0", "1"][..] } else { &["0"] };
    for builder in builders {
        let mut build = client.command(&["build", "-q", "-t", &web, dir.to_str().unwrap()]);
        let output = build.env("DOCKER_BUILDKIT", builder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(client.run(&["run", "--rm", &web]), "built\n");
    }
    let saved = dir.join("web.tar");
    let saved = saved.to_str().unwrap();
    client.run(&["save", "-o", saved, &web]);
    client.run(&["rmi", &web]);
    client.run(&["load", "-i", saved]);
    assert_eq!(client.run(&["run", "--rm", &web]), "built\n");
    client.run(&["tag", IMAGE, &format!("{stack}/renamed:1")]);
    // An archive with a name that is not the owner's; through the guard nobody gets one of what is not his.
    docker(["save", "-o", saved, IMAGE]);
    let output = client.command(&["save", "-o", saved, IMAGE]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("swarm-guard: refused: of others"));
    let output = client.command(&["load", "-i", saved]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("swarm-guard: refused: image"), "{told}");
    let (network, volume) = (format!("{stack}_n"), format!("{stack}_v"));
    client.run(&["network", "create", &network]);
    client.run(&[
        "run",
        "--rm",
        "--network",
        &network,
        "--network-alias",
        "z",
        "-v",
        &format!("{volume}:/v"),
        IMAGE,
        "touch",
        "/v/x",
    ]);
    client.run(&["volume", "rm", &volume]);
    client.run(&["network", "connect", &network, &name]);
    client.run(&["network", "disconnect", &network, &name]);
    client.run(&["network", "rm", &network]);
    let events = client.run(&[
        "events",
        "--since",
        "5m",
        "--until",
        "0s",
        "--filter",
        &format!("container={name}"),
        "--format",
        "{{.Action}}",
    ]);
    assert!(events.contains("start"), "{events}");
    client.run(&["rm", "-f", &name]);
    assert!(logs.wait().unwrap().success(), "logs -f ends with its container");
    let output = client.command(&["rm", "nowhere"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("No such container: nowhere"));
    let output = client.command(&["run", "--privileged", IMAGE]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(125) && told.contains("swarm-guard: refused: privileged"), "{told}");
}

#[test]
fn each_docker_client_works_as_without_a_guard() {
    let guarded = Guarded::start(&[]);
    let _proxy = Proxy::new();
    let dir = e2e::folder::Folder::new();
    for program in clients() {
        let client = Client { guarded: &guarded, program: &program };
        stack(&client, dir.path());
        containers(&client, dir.path());
    }
    let stack = guarded.stack.clone();
    let run = guarded.finish();
    assert_eq!(run["outcome"], "pass", "{run:#}");
    assert_eq!(run["guard"]["refused"], 3 * clients().len(), "{run:#}");
    // What was built, loaded and named stays for the teardown.
    let images = docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert!(images.contains(IMAGE) && !images.contains(&stack), "{images}");
    let made = run["cleanup"]["created"].to_string();
    assert!(made.contains(&format!("image/{stack}/web:1")) && made.contains("/renamed:1"), "{made}");
}

const COMPOSE: &str = r#"version: "3.8"
services:
  app:
    build: .
    command: sh -c 'while true; do echo tick; sleep 0.1; done'
    stop_signal: SIGKILL
    volumes: ["data:/data", "/anonymous"]
    networks: {default: {aliases: [zz]}}
  side: {image: "redfix/busybox:latest", command: sleep 1000, stop_signal: SIGKILL, depends_on: [app]}
volumes: {data: {}}
"#;

#[test]
fn docker_compose_works_as_without_a_guard() {
    let guarded = Guarded::start(&[]);
    let dir = e2e::folder::Folder::new();
    std::fs::write(dir.path().join("docker-compose.yml"), COMPOSE).unwrap();
    std::fs::write(dir.path().join("Dockerfile"), format!("FROM {IMAGE}\nRUN echo built >/x\n")).unwrap();
    let compose = |args: &[&str]| {
        let mut command = guarded.client("docker-compose", args);
        command
            .current_dir(dir.path())
            .env("COMPOSE_PROJECT_NAME", &guarded.stack)
            .env("DOCKER_BUILDKIT", "0");
        let output = command.output().expect("docker-compose: check/fetch test installs it");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    };
    compose(&["up", "-d"]);
    assert!(compose(&["ps"]).contains("Up"));
    assert_eq!(compose(&["exec", "-T", "app", "cat", "/x"]), "built\n");
    assert!(compose(&["logs", "--tail", "1", "app"]).contains("tick"));
    assert_eq!(compose(&["run", "--rm", "-T", "side", "echo", "one-off"]), "one-off\n");
    compose(&["up", "-d", "--force-recreate", "-t", "0"]);
    compose(&["restart", "-t", "0", "side"]);
    compose(&["down", "-v", "-t", "0", "--rmi", "local"]);
    assert_eq!(e2e::objects_named(&guarded.stack), Vec::<String>::new());
    let run = guarded.finish();
    assert_eq!((&run["outcome"], &run["guard"]["refused"]), (&"pass".into(), &0.into()), "{run:#}");
}

/// Opens a connection and upgrades it, as `docker attach` does.
fn upgraded(socket: &Path, target: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(5))).unwrap();
    write!(stream, "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

#[test]
fn the_end_of_one_side_leaves_the_other_open() {
    let guarded = Guarded::start(&[]);
    let name = format!("{}_cat", guarded.stack);
    let host = format!("unix://{}", guarded.socket.display());
    docker([
        "-H",
        &host,
        "create",
        "-i",
        "--name",
        &name,
        IMAGE,
        "sh",
        "-c",
        "cat; sleep 0.2; echo after the end",
    ]);
    let target = format!("/containers/{name}/attach?stream=1&stdin=1&stdout=1");
    let (mut stream, head) = upgraded(&guarded.socket, &target);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    docker(["-H", &host, "start", &name]);
    stream.write_all(b"one\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let text = String::from_utf8_lossy(&rest).into_owned();
    assert!(text.contains("one\n") && text.contains("after the end\n"), "{text:?}");
    docker(["-H", &host, "rm", "-f", &name]);
    assert_eq!(guarded.finish()["outcome"], "pass");
}
