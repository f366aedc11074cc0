//! The guard where nothing of others is named and they would feel it all the same: folders that are swapped, names, routes,
//! ports and logs; what the engine makes by itself; what is done past the guard. The strangers are really there.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use e2e::guard::Guarded;
use e2e::run::said;
use e2e::stack::{IMAGE, Stack, try_docker};
use e2e::{docker, pipe, records, require_engine, tool, wait_for};
use serde_json::{Value, json};

/// A call of the docker client through the guard that must succeed.
#[track_caller]
fn through(guarded: &Guarded, args: &[&str]) -> String {
    let output = guarded.client("docker", args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(guarded: &Guarded, method: &str, target: &str, body: &Value, rule: &str) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, answer) = guarded.send(method, target, &body);
    let is_refused = status == 403 && answer.contains(&format!("swarm-guard: refused: {rule}: "));
    assert!(is_refused, "{method} {target} {body}: {status} {answer}");
    answer
}

/// The engine's own client, past every guard.
fn past() -> String {
    format!(
        "nsenter --target {} --mount docker -H {}",
        std::process::id(),
        std::env::var("DOCKER_HOST").unwrap()
    )
}

/// Whether this is a place of a mount, in anybody's namespace.
fn is_mounted(place: &str) -> bool {
    let lists = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path().join("mountinfo"));
    let mut texts = lists.filter_map(|list| fs::read_to_string(list).ok());
    texts.any(|text| text.lines().any(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(place))))
}

#[test]
fn a_folder_that_is_swapped_is_still_the_one_that_was_looked_at() {
    let dir = e2e::folder::Folder::new();
    let work = dir.path().canonicalize().unwrap();
    let guarded = Guarded::start(&["--allow", &format!("path={}", work.display())]);
    let swap = |name: &str| {
        fs::rename(work.join(name), work.join(format!("{name}-before"))).unwrap();
        symlink("/", work.join(name)).unwrap();
    };
    for name in ["container", "service"] {
        fs::create_dir(work.join(name)).unwrap();
        fs::write(work.join(name).join("mark"), "inside").unwrap();
    }
    let look = "cat /host/mark; ls /host; [ ! -e /host/etc ]";
    let container = format!("{}_c", guarded.stack);
    let bind = format!("{}:/host", work.join("container").display());
    through(&guarded, &["create", "--name", &container, "-v", &bind, IMAGE, "sh", "-c", look]);
    swap("container");
    for _ in 0..2 {
        assert_eq!(through(&guarded, &["start", "-a", &container]), "insidemark\n");
    }
    let service = format!("{}_s", guarded.stack);
    let mount = format!("type=bind,source={},target=/host", work.join("service").display());
    let create =
        ["service", "create", "-d", "--no-resolve-image", "--name", &service, "--stop-signal", "KILL"];
    let command = format!("{look} && echo; exec sleep 1000");
    through(&guarded, &[&create[..], &["--mount", &mount, IMAGE, "sh", "-c", &command]].concat());
    let logs = || through(&guarded, &["service", "logs", "--raw", &service]);
    wait_for("the first task", 60, || logs().lines().count() >= 2);
    swap("service");
    through(&guarded, &["service", "update", "-d", "--no-resolve-image", "--force", &service]);
    wait_for("the second task", 60, || logs().lines().count() >= 4);
    assert_eq!(logs().matches("insidemark").count(), 2, "{}", logs());

    // What is missing is made as the engine would, and a file can be mounted alone.
    let new = format!("{}:/new", work.join("new/folder").display());
    let file = format!("{}:/file:ro", work.join("service-before/mark").display());
    let read = ["run", "--rm", "-v", &new, "-v", &file, IMAGE, "sh", "-c", "touch /new/x; cat /file"];
    assert_eq!(through(&guarded, &read), "inside");
    assert!(work.join("new/folder/x").exists());
    let out = format!("{}:/out", work.join("container").display());
    let told = said(&guarded.client("docker", &["run", "--rm", "-v", &out, IMAGE, "true"]).output().unwrap());
    assert!(told.contains("refused: host path: "), "{told}");

    let source = docker(["inspect", "--format", "{{(index .Mounts 0).Source}}", &container]);
    let place = Path::new(source.trim()).parent().unwrap().display().to_string();
    assert!(place.starts_with("/run/swarm-guard/") && is_mounted(&place), "{place}");
    let run = guarded.finish();
    assert_eq!(run["outcome"], "pass", "{run:#}");
    assert!(!is_mounted(&place), "nothing is left of {place}");
    assert_eq!(fs::read_to_string(work.join("service-before/mark")).unwrap(), "inside");
}

/// A network that a run may join, with a service of somebody else's on it, and an image of his.
struct Shared {
    stack: Stack,
    network: String,
}

impl Shared {
    fn new() -> Self {
        let stack = Stack::new();
        let network = format!("net-{}", stack.name);
        docker(["network", "create", "-d", "overlay", "--attachable", "--subnet", "10.77.7.0/24", &network]);
        let service = format!("{}_app", stack.name);
        let create = [
            "service",
            "create",
            "-d",
            "--no-resolve-image",
            "--endpoint-mode",
            "dnsrr",
            "--stop-signal",
            "KILL",
        ];
        let label = format!("com.docker.stack.namespace={}", stack.name);
        let net = format!("name={network},alias=app,alias=shop");
        let more = [
            "--name",
            &service,
            "--label",
            &label,
            "--network",
            &net,
            "--publish",
            "mode=host,published=64111,target=80",
        ];
        docker([&create[..], &more, &[IMAGE, "sleep", "1000"]].concat());
        docker(["tag", IMAGE, &format!("{}/image:1", stack.name)]);
        wait_for("the stranger", 60, || {
            docker(["ps", "-q", "--filter", &format!("name={service}")]).lines().count() == 1
        });
        Self { stack, network }
    }

    fn state(&self) -> Vec<String> {
        let name = &self.stack.name;
        vec![
            docker([
                "ps",
                "--no-trunc",
                "--filter",
                &format!("name={name}_app"),
                "--format",
                "{{.ID}} {{.Ports}}",
            ]),
            docker(["service", "inspect", "--format", "{{json .Spec}}", &format!("{name}_app")]),
            docker(["network", "inspect", "--format", "{{json .IPAM}}", &self.network]),
        ]
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        try_docker(&["service", "rm", &format!("{}_app", self.stack.name)]);
        try_docker(&["rmi", &format!("{}/image:1", self.stack.name)]);
        wait_for("the network to go", 120, || try_docker(&["network", "rm", &self.network]).status.success());
    }
}

#[test]
fn others_keep_their_names_routes_ports_and_addresses() {
    let shared = Shared::new();
    let before = shared.state();
    let (live, network) = (&shared.stack.name, &shared.network);
    let guarded = Guarded::start(&["--allow", &format!("network={network}")]);
    let own = &guarded.stack;
    let service = |aliases: Value, labels: Value, more: Value| {
        let mut spec = json!({"Name": format!("{own}_web"), "Labels": labels, "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "StopSignal": "KILL"},
            "Networks": [{"Target": network, "Aliases": aliases}]}, "EndpointSpec": {"Mode": "dnsrr"}});
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        spec
    };
    let create = "/services/create";
    for alias in
        [format!("{live}_app"), format!("TASKS.{live}_app"), "shop".into(), "live.example.org".into()]
    {
        refused(&guarded, "POST", create, &service(json!(["web", alias]), json!({}), json!({})), "name");
    }
    for (key, value) in [
        (format!("traefik.http.router\u{17f}.{live}.rule"), "Host(`live.example.org`)"),
        (format!("traefik.http.routers.{own}.service"), "api@internal"),
        (format!("traefik.http.services.{own}.loadbalancer.server.url"), "http://127.0.0.1:8080"),
        (format!("traefik.udp.routers.{own}.service"), "x"),
    ] {
        refused(&guarded, "POST", create, &service(json!(["web"]), json!({key: value}), json!({})), "route");
    }
    for mode in ["host", "ingress"] {
        let ports = json!({"EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 64111, "PublishMode": mode}]}});
        let told = refused(&guarded, "POST", create, &service(json!(["web"]), json!({}), ports), "port");
        assert!(told.contains(&format!("service {live}_app")), "{told}");
    }
    let bound = json!({"Image": IMAGE, "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "64111"}]}}});
    refused(&guarded, "POST", "/containers/create", &bound, "port");
    let logs = json!({"Image": IMAGE, "HostConfig": {"LogConfig": {"Type": "fluentd", "Config": {"fluentd-address": "unix:///run/x"}}}});
    refused(&guarded, "POST", "/containers/create", &logs, "log driver");
    refused(&guarded, "GET", &format!("/images/get?names={live}/image:1"), &Value::Null, "of others");

    let net = |subnet: &str| json!({"Name": format!("{own}_n"), "Driver": "bridge", "IPAM": {"Config": [{"Subnet": subnet}]}});
    // Documentation's range is nobody's own; the other is the stranger's; the last is that of the engine's bridge.
    let bridge = docker(["network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "bridge"]);
    for subnet in ["198.51.100.0/24", "1.1.1.0/24", "10.77.0.0/16", bridge.trim(), "127.0.0.0/24"] {
        refused(&guarded, "POST", "/networks/create", &net(subnet), "range");
    }
    let told = refused(&guarded, "POST", "/networks/create", &net("10.77.7.128/25"), "range");
    let free = told.split("or take ").nth(1).unwrap().split('"').next().unwrap();
    let (status, answer) = guarded.send("POST", "/networks/create", &net(free).to_string());
    assert_eq!(status, 201, "{free}: {answer}");

    // What an ordinary recipe does passes: its own short name, also where others have it, and an alias of its own.
    let labels = json!({format!("traefik.http.routers.{own}.rule"): format!("Host(`{}`)", guarded.domain)});
    let mut ordinary = service(json!(["app", "web"]), labels, json!({}));
    ordinary["Name"] = format!("{own}_app").into();
    let (status, answer) = guarded.send("POST", create, &ordinary.to_string());
    assert_eq!(status, 201, "{answer}");

    // A container of one's own does not come to a network of others by the way of another one.
    let container = format!("{own}_c");
    through(
        &guarded,
        &[
            "run",
            "-d",
            "--name",
            &container,
            "--network",
            &format!("{own}_n"),
            "--stop-signal",
            "KILL",
            IMAGE,
            "sleep",
            "1000",
        ],
    );
    let id = docker(["network", "inspect", "--format", "{{.Id}}", "bridge"]);
    let connect = json!({"Container": container, "EndpointConfig": {"NetworkID": id.trim()}});
    refused(&guarded, "POST", &format!("/networks/{own}_n/connect"), &connect, "of others");
    let address =
        json!({"Container": container, "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.77.7.200"}}});
    refused(&guarded, "POST", &format!("/networks/{network}/connect"), &address, "address");
    through(&guarded, &["network", "connect", network, &container]);

    assert_eq!(shared.state(), before, "the stranger has what he had");
    let run = guarded.finish();
    assert_eq!(run["outcome"], "pass", "{run:#}");
}

/// The tool in front of a shell script; its last word, and what it said.
fn alone(owner: &str, script: &str) -> (Value, Output) {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let told = dir.path().join("told.jsonl");
    let mut command = Command::new(tool("swarm-guard"));
    command.args(["--owner", owner, "--records"]).arg(&told).args(["--", "sh", "-ec", script]);
    let output = command.output().unwrap();
    let last = records(&fs::read(&told).unwrap()).pop().unwrap();
    assert_eq!(last["type"], "guard.finished", "{}", said(&output));
    (last, output)
}

#[test]
fn what_the_engine_makes_for_a_call_that_passed_is_the_runs_own() {
    let guarded = Guarded::start(&[]);
    let own = &guarded.stack;
    let yaml = format!(
        "version: \"3.8\"\nservices:\n  app:\n    image: {IMAGE}\n    command: sleep 1000\n    stop_signal: SIGKILL\n    \
         volumes: [\"/data\"]\n    healthcheck: {{test: \"true\", interval: 1s}}\n    deploy: {{endpoint_mode: dnsrr}}\n"
    );
    let mut deploy =
        guarded.client("docker", &["stack", "deploy", "--resolve-image", "never", "-c", "-", own]);
    let deployed = pipe(deploy.stdin(std::process::Stdio::piped()), yaml.as_bytes());
    assert!(deployed.status.success(), "{}", said(&deployed));
    let create = ["service", "create", "-d", "--no-resolve-image", "--stop-signal", "KILL", "--name"];
    through(
        &guarded,
        &[&create[..], &[&format!("{own}_s"), "--mount", "type=volume,dst=/x", IMAGE, "sleep", "1000"]]
            .concat(),
    );
    through(&guarded, &["run", "--rm", "--mount", "type=volume,dst=/x", "-v", "/y", IMAGE, "true"]);
    through(&guarded, &["create", "--mount", "type=volume,dst=/x", IMAGE, "true"]);
    // Somebody else builds an image that says of itself that it is this stack's.
    let dir = e2e::folder::Folder::new();
    let stranger = format!("theirs-{}", std::process::id());
    fs::write(
        dir.path().join("Dockerfile"),
        format!("FROM {IMAGE}\nLABEL com.docker.stack.namespace={own}\nRUN true\n"),
    )
    .unwrap();
    let script = format!(
        "DOCKER_BUILDKIT=0 docker build -q -t {stranger} {}; ! docker run --rm {stranger} true; docker rmi {stranger}",
        dir.path().display()
    );
    let (last, output) = alone(&stranger, &script);
    assert!(
        output.status.success() && said(&output).contains("refused: namespace: stack "),
        "{}",
        said(&output)
    );
    assert_eq!((&last["unseen"], &last["refused"]), (&Value::Null, &json!(1)), "{last:#}");
    let tasks = || docker(["ps", "-q", "--filter", &format!("name={own}_")]).lines().count();
    wait_for("the tasks", 60, || tasks() == 2);
    wait_for("a health check", 60, || {
        docker(["ps", "--filter", &format!("name={own}_app"), "--format", "{{.Status}}"])
            .contains("(healthy)")
    });
    let run = guarded.finish();
    assert_eq!((&run["outcome"], &run["guard"]["refused"]), (&json!("pass"), &json!(0)), "{run:#}");
    assert_eq!(run["cleanup"]["left"], json!([]), "{run:#}");
}

#[test]
fn what_is_done_past_the_guard_is_seen() {
    require_engine();
    let stranger = format!("live-{}", std::process::id());
    docker(["run", "-d", "--name", &stranger, "--stop-signal", "KILL", IMAGE, "sleep", "1000"]);
    let past = past();
    let keep = format!("docker run -d --name past_c --stop-signal KILL {IMAGE} sleep 1000 >/dev/null");
    let service = format!(
        "docker service create -q -d --no-resolve-image --stop-signal KILL --replicas 0 --name past_s {IMAGE} true >/dev/null"
    );
    for (script, words) in [
        (
            format!("{keep}; {past} exec past_c true; docker exec past_c true; docker rm -f past_c"),
            "exec of container past_c",
        ),
        (format!("{keep}; {past} rename past_c past_d; docker rm -f past_d"), "rename of container past_d"),
        (
            format!(
                "{service}; {past} service update -q -d --no-resolve-image --mount-add type=bind,src=/,dst=/h past_s; docker service rm past_s"
            ),
            "update of service past_s",
        ),
        (format!("{past} volume create past-x; {past} volume rm past-x"), "volume past-x"),
        (format!("{past} volume create past.x; {past} volume rm past.x"), "volume past.x"),
    ] {
        let (last, output) = alone("past", &script);
        let told = last["unseen"].to_string();
        assert!(
            output.status.code() == Some(1) && told.contains(words),
            "{script}: {}\n{last:#}",
            said(&output)
        );
    }
    // Whoever acts on others' objects may be their owner: it is told, and no bypass.
    let (last, output) = alone(
        "past",
        &format!(
            "{past} exec {stranger} true; {keep}; docker update --cpu-shares 100 past_c; docker rm -f past_c"
        ),
    );
    docker(["rm", "-f", &stranger]);
    assert_eq!(
        (output.status.code(), &last["unseen"]),
        (Some(0), &Value::Null),
        "{}\n{last:#}",
        said(&output)
    );
    assert_eq!(last["beside"], json!([format!("exec of container {stranger}")]), "{last:#}");
}

#[test]
fn large_bodies_and_many_connections_are_bounded() {
    let guarded = Guarded::start(&[]);
    let deep = format!("{{\"Image\":\"x\",\"Cmd\":[{}\"\"]}}", "[],".repeat(600_000));
    let long = format!("{{\"Image\":\"{}\"}}", "x".repeat(16 << 20));
    for body in [deep, long] {
        let (status, answer) = guarded.send("POST", "/containers/create", &body);
        assert!(status == 403 && answer.contains("refused: body: more than "), "{status} {answer}");
    }
    let idle: Vec<_> =
        (0..1000).map(|_| std::os::unix::net::UnixStream::connect(&guarded.socket).unwrap()).collect();
    drop(idle);
    assert_eq!(guarded.send("GET", "/_ping", "").0, 200, "and it still answers");
    assert_eq!(guarded.finish()["outcome"], "pass");
}
