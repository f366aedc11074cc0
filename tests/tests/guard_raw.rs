//! The guard against raw HTTP: it refuses every forbidden request however it is spelled, while other people's objects exist
//! beside the run.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use e2e::docker;
use e2e::guard::Guarded;
use e2e::stack::{IMAGE, Stack, try_docker};
use serde_json::{Value, json};

/// An object of each kind that belongs to somebody else.
struct Strangers {
    stack: Stack,
    exec: String,
}

impl Strangers {
    fn new() -> Self {
        let stack = Stack::new();
        let name = &stack.name;
        docker(["volume", "create", &format!("{name}_v")]);
        docker(["network", "create", "-d", "bridge", &format!("{name}_n")]);
        docker([
            "run",
            "-d",
            "--name",
            &format!("{name}_c"),
            "--stop-signal",
            "KILL",
            IMAGE,
            "sleep",
            "1000",
        ]);
        docker(["tag", IMAGE, &format!("{name}/image:1")]);
        for kind in ["config", "secret"] {
            docker([kind, "create", &format!("{name}_{kind}"), "/etc/hostname"]);
        }
        let service = format!("{name}_s");
        docker([
            "service",
            "create",
            "-d",
            "--no-resolve-image",
            "--replicas",
            "0",
            "--name",
            &service,
            IMAGE,
        ]);
        let exec = Self::exec(name);
        Self { stack, exec }
    }

    /// Creates an exec that is not started, as its owner would.
    fn exec(name: &str) -> String {
        let socket = std::env::var("DOCKER_HOST").unwrap();
        let socket = socket.strip_prefix("unix://").unwrap();
        let body = r#"{"Cmd":["true"]}"#;
        let request = format!(
            "POST /containers/{name}_c/exec HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (_, answer) = e2e::guard::raw(socket.as_ref(), request.as_bytes());
        let start = answer.find('{').unwrap();
        let value: Value = serde_json::from_str(answer[start..].trim()).unwrap();
        value["Id"].as_str().unwrap().to_owned()
    }

    fn state(&self) -> Vec<String> {
        let name = &self.stack.name;
        let mut all = e2e::objects_named(name);
        all.push(docker(["inspect", "--format", "{{.State.StartedAt}} {{.Name}}", &format!("{name}_c")]));
        all.push(docker(["service", "inspect", "--format", "{{.Version.Index}}", &format!("{name}_s")]));
        all.push(docker(["image", "ls", "--format", "{{.Repository}}", &format!("{name}/image")]));
        all.push(docker(["network", "inspect", "--format", "{{.Containers}}", &format!("{name}_n")]));
        all
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let name = &self.stack.name;
        try_docker(&["rm", "-f", &format!("{name}_c")]);
        try_docker(&["service", "rm", &format!("{name}_s")]);
        try_docker(&["rmi", &format!("{name}/image:1")]);
        for kind in ["config", "secret"] {
            try_docker(&[kind, "rm", &format!("{name}_{kind}")]);
        }
        try_docker(&["volume", "rm", &format!("{name}_v")]);
        try_docker(&["network", "rm", &format!("{name}_n")]);
    }
}

/// Checks that the request was refused: 403, in the format of the engine's errors, naming the rule.
#[track_caller]
fn assert_refused(answer: &(u16, String), request: &str) {
    assert!(answer.0 == 403 && answer.1.contains("swarm-guard: refused: "), "{request}: {answer:?}");
}

#[test]
fn strangers_cannot_be_touched_however_it_is_spelled() {
    let strangers = Strangers::new();
    let before = strangers.state();
    let guarded = Guarded::start(&[]);
    let (name, exec) = (strangers.stack.name.clone(), strangers.exec.clone());
    let id = docker(["inspect", "--format", "{{.Id}}", &format!("{name}_c")]);
    let short = &id[..12];
    let requests = [
        ("POST", format!("/containers/{name}_c/stop?t=0"), ""),
        ("POST", format!("/v1.41/containers/{name}_c/kill"), ""),
        ("POST", format!("/containers/{short}/kill"), ""),
        ("POST", format!("/containers/{}/kill", id.trim()), ""),
        ("POST", format!("/%63ontainers/{name}_c/%6bill"), ""),
        ("POST", format!("/containers/{}_c/kill", name.replace('s', "%73")), ""),
        ("POST", format!("/v1.41//containers/{name}_c/kill"), ""),
        ("POST", format!("/containers/x/../{name}_c/kill"), ""),
        ("POST", format!("/containers/%2e%2e/containers/{name}_c/kill"), ""),
        ("POST", format!("/v1.12/containers/{name}_c/start"), r#"{"Privileged":true}"#),
        ("POST", format!("/v1.41/v1.41/containers/{name}_c/kill"), ""),
        ("POST", format!("http://x/containers/{name}_c/kill"), ""),
        ("POST", format!("/containers/{name}_c/restart"), ""),
        ("POST", format!("/containers/{name}_c/pause"), ""),
        ("POST", format!("/containers/{name}_c/rename?name={}_x", guarded.stack), ""),
        ("POST", format!("/containers/{name}_c/update"), r#"{"Memory":10000000}"#),
        ("POST", format!("/containers/{name}_c/exec"), r#"{"Cmd":["kill","1"]}"#),
        ("POST", format!("/exec/{exec}/start"), r#"{"Detach":true}"#),
        ("POST", format!("/containers/{name}_c/attach?stream=1&stdin=1"), ""),
        ("GET", format!("/containers/{name}_c/attach/ws?stream=1"), ""),
        ("GET", format!("/containers/{name}_c/logs?stdout=1"), ""),
        ("GET", format!("/containers/{name}_c/export"), ""),
        ("GET", format!("/containers/{name}_c/archive?path=/etc/passwd"), ""),
        ("DELETE", format!("/containers/{name}_c?force=1"), ""),
        ("DELETE", format!("/containers/{short}?force=1"), ""),
        ("DELETE", format!("/services/{name}_s"), ""),
        ("GET", format!("/services/{name}_s/logs?stdout=1"), ""),
        (
            "POST",
            format!("/services/{name}_s/update?version=1"),
            r#"{"Name":"x","TaskTemplate":{"ContainerSpec":{"Image":"x"}}}"#,
        ),
        ("DELETE", format!("/networks/{name}_n"), ""),
        ("DELETE", format!("/volumes/{name}_v?force=1"), ""),
        ("DELETE", format!("/configs/{name}_config"), ""),
        ("DELETE", format!("/secrets/{name}_secret"), ""),
        ("POST", format!("/secrets/{name}_secret/update?version=1"), r#"{"Name":"x"}"#),
        ("DELETE", format!("/images/{name}/image:1"), ""),
        ("DELETE", format!("/images/{IMAGE}?force=1"), ""),
        ("POST", format!("/images/{IMAGE}/tag?repo={name}/other"), ""),
        ("POST", "/images/load".into(), ""),
        ("POST", format!("/images/{name}/image:1/push"), ""),
        ("POST", "/swarm/leave?force=1".into(), ""),
        ("POST", "/swarm/init".into(), "{}"),
        ("GET", "/swarm/unlockkey".into(), ""),
        ("POST", "/nodes/x/update?version=1".into(), "{}"),
        ("POST", "/plugins/pull?remote=x".into(), "[]"),
        ("POST", "/containers/prune".into(), ""),
        ("POST", "/volumes/prune".into(), ""),
        ("POST", "/images/prune".into(), ""),
        ("POST", "/networks/prune".into(), ""),
        ("POST", "/build/prune".into(), ""),
        ("POST", "/grpc".into(), ""),
        ("POST", "/auth".into(), "{}"),
        ("OPTIONS", "/containers/json".into(), ""),
        ("TRACE", "/containers/json".into(), ""),
    ];
    for (method, target, body) in &requests {
        assert_refused(&guarded.send(method, target, body), &format!("{method} {target}"));
    }
    let connect = json!({"Container": format!("{name}_c")}).to_string();
    assert_refused(&guarded.send("POST", "/networks/bridge/connect", &connect), "connect");
    assert_refused(&guarded.send("POST", &format!("/networks/{name}_n/disconnect"), &connect), "disconnect");
    assert_eq!(strangers.state(), before, "nothing of others has changed");
    let run = guarded.finish();
    assert_eq!(run["outcome"], "pass", "{run:#}");
    assert_eq!(run["guard"]["refused"], requests.len() + 2);
    let told = run["refusals"].to_string();
    for rule in ["of others: ", "swarm: ", "prune: ", "grpc: ", "path: ", "version: ", "plugin: ", "image: "]
    {
        assert!(told.contains(rule), "{rule} in {told}");
    }
}

/// Request bodies that would create a container with access to the host.
fn bodies(strangers: &str) -> Vec<String> {
    let host = |host: Value| json!({"Image": IMAGE, "Cmd": ["true"], "HostConfig": host}).to_string();
    let mut all = vec![
        format!(r#"{{"Image":"{IMAGE}","hostconfig":{{"PRIVILEGED":true}}}}"#),
        format!(r#"{{"Image":"{IMAGE}","HostConfig":{{"PRIVILEGED":true}}}}"#),
        format!("{{\"Image\":\"{IMAGE}\",\"Ho\u{17f}tConfig\":{{\"Privileged\":true}}}}"),
        format!(r#"{{"Image":"{IMAGE}","HostConfig":{{"Privileged":false,"Privileged":true}}}}"#),
        format!(
            r#"{{"Image":"{IMAGE}","HostConfig":{{"Privileged":false}},"HostConfig":{{"Privileged":true}}}}"#
        ),
        format!(r#"{{"Image":"{IMAGE}","HostConfig":{{"\u0050rivileged":true}}}}"#),
        format!(r#"{{"Image":"{IMAGE}","HostConfig":{{"Privileged":true}}}}{{"Image":"{IMAGE}"}}"#),
        format!(r#"{{"Image":"{IMAGE}"}}{{"HostConfig":{{"Privileged":true}}}}"#),
    ];
    let ways = [
        json!({"Privileged": true}),
        json!({"CapAdd": ["ALL"]}),
        json!({"Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "r"}]}),
        json!({"DeviceCgroupRules": ["a *:* rwm"]}),
        json!({"PidMode": "host"}),
        json!({"IpcMode": "host"}),
        json!({"UTSMode": "host"}),
        json!({"CgroupnsMode": "host"}),
        json!({"NetworkMode": "host"}),
        json!({"NetworkMode": format!("container:{strangers}_c")}),
        json!({"PidMode": format!("container:{strangers}_c")}),
        json!({"NetworkMode": format!("{strangers}_n")}),
        json!({"VolumesFrom": [format!("{strangers}_c")]}),
        json!({"Binds": ["/:/host"]}),
        json!({"Binds": ["/var/run/docker.sock:/d.sock"]}),
        json!({"Binds": [format!("{strangers}_v:/v")]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x"}]}),
        json!({"Mounts": [{"Type": "volume", "Source": format!("{strangers}_v"), "Target": "/x"}]}),
        json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig":
            {"Name": "local", "Options": {"type": "none", "device": "/", "o": "bind"}}}}]}),
        json!({"SecurityOpt": ["seccomp=unconfined"]}),
        json!({"MaskedPaths": []}),
        json!({"CgroupParent": "/"}),
        json!({"Runtime": "io.containerd.runc.v2"}),
    ];
    all.extend(ways.into_iter().map(host));
    all
}

#[test]
fn no_spelling_makes_a_container_with_a_way_out() {
    let strangers = Strangers::new();
    let guarded = Guarded::start(&[]);
    let bodies = bodies(&strangers.stack.name);
    for body in &bodies {
        let target = "/v1.41/containers/create";
        assert_refused(&guarded.send("POST", target, body), body);
        // The same body in two chunks, split in the middle of a key.
        let at = body.len() / 2 - (0..4).find(|n| body.is_char_boundary(body.len() / 2 - n)).unwrap();
        let (one, two) = (&body.as_bytes()[..at], &body.as_bytes()[at..]);
        let mut chunked = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n{:x}\r\n",
            one.len()
        )
        .into_bytes();
        chunked.extend(
            [one, b"\r\n", format!("{:x}\r\n", two.len()).as_bytes(), two, b"\r\n0\r\n\r\n"].concat(),
        );
        assert_refused(&guarded.raw(&chunked), body);
    }
    let plain = format!(r#"{{"Image":"{IMAGE}"}}"#);
    let post = |head: &str, body: &str| {
        format!("POST {head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let form = "name=iso&HostConfig=x";
    let odd = [
        // A form field overrides the name in the query.
        post(
            "/containers/create?name=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            form,
        ),
        post(
            "/containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: APPLICATION/X-WWW-Form-Urlencoded; charset=x\r\n",
            form,
        ),
        post(
            "/containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=x\r\n",
            form,
        ),
        post("/containers/create?name=live_app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", &plain),
        post(
            &format!(
                "/containers/create?name={0}_a&name=live_app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
                guarded.stack
            ),
            &plain,
        ),
        post("/containers/create?%6eame=live_app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", &plain),
        post("/containers/create?name=a;name=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", &plain),
        // Headers that ask for an upgrade do not make the guard skip its checks.
        post("/containers/create HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", &bodies[8]),
        post("/swarm/leave?force=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n", ""),
        // HTTP/1.0, as an old client sends it.
        post("/swarm/leave HTTP/1.0\r\n", ""),
        post("/containers/create HTTP/1.0\r\n", &bodies[8]),
    ];
    for request in &odd {
        assert_refused(&guarded.raw(request), &String::from_utf8_lossy(request));
    }
    let run = guarded.finish();
    assert_eq!(run["cleanup"]["created"], json!([]), "{run:#}");
}

#[test]
fn framing_tricks_smuggle_nothing() {
    let strangers = Strangers::new();
    let before = strangers.state();
    let guarded = Guarded::start(&[]);
    let name = &strangers.stack.name;
    let hidden = format!("DELETE /containers/{name}_c?force=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    let tricks = [
        // Two lengths; a length and chunks; a second request after a body, and one after a refused upgrade.
        format!(
            "GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: {}\r\n\r\n{hidden}",
            hidden.len()
        ),
        format!(
            "GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
            hidden.len()
        ),
        format!(
            "GET /_ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"),
        format!("GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{hidden}"),
        format!("GET /_ping HTTP/1.1\r\nHost: x\r\nX: y\r\n folded\r\n\r\n{hidden}"),
        format!("GET /containers/json\r\nX: HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"),
        format!("GET /_ping?x=\r\n\r\n{hidden}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for trick in &tricks {
        let mut stream = UnixStream::connect(&guarded.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(trick.as_bytes()).unwrap();
        // The client sends nothing more, so the guard closes the connection after its answer.
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains(" 204 "), "{trick}: {text}");
    }
    assert_eq!(strangers.state(), before);
    assert_eq!(guarded.send("GET", "/_ping", "").0, 200, "and it still answers");
    assert_eq!(guarded.finish()["outcome"], "pass");
}

#[test]
fn reads_pass_without_the_join_tokens() {
    let guarded = Guarded::start(&[]);
    for target in [
        "/version",
        "/v1.41/info",
        "/containers/json?all=1",
        "/%63ontainers/json",
        "/services",
        "/nodes",
        "/swarm",
    ] {
        let (status, body) = guarded.send("GET", target, "");
        assert_eq!(status, 200, "{target}: {body}");
        assert!(!body.contains("SWMTKN-"), "{target}: {body}");
    }
    assert!(guarded.send("GET", "/swarm", "").1.contains("\"ID\""));
    let run = guarded.finish();
    assert_eq!((&run["guard"]["refused"], &run["guard"]["requests"]), (&0.into(), &8.into()), "{run:#}");
}
