//! `swarm-guard` without the other tools: as a long-running socket, and in front of one command.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use e2e::run::said;
use e2e::stack::{IMAGE, try_docker};
use e2e::{docker, first, objects_named, records, require_engine, tool, wait_for};
use serde_json::Value;

/// A service that belongs to somebody else. It is removed when the test ends.
struct Stranger(String);

impl Stranger {
    fn new() -> Self {
        let name = format!("live-{}", std::process::id());
        docker(["service", "create", "-d", "--no-resolve-image", "--name", &name, "--replicas", "0", IMAGE]);
        Self(name)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        try_docker(&["service", "rm", &self.0]);
    }
}

/// A guard that runs until it gets SIGTERM.
struct Standing {
    dir: e2e::folder::Folder,
    owner: String,
    child: Option<Child>,
}

impl Standing {
    fn start(owner: &str, options: &[&str]) -> Self {
        require_engine();
        let mut standing = Self {
            dir: e2e::folder::Folder::new(),
            owner: format!("{owner}{}", std::process::id()),
            child: None,
        };
        standing.begin(options);
        standing
    }

    /// Starts the guard, or starts it again after it ended.
    fn begin(&mut self, options: &[&str]) {
        let told = File::options().append(true).create(true).open(self.told()).unwrap();
        let mut command = Command::new(tool("swarm-guard"));
        command.arg("--socket").arg(self.socket()).args(options).stdout(told).stdin(Stdio::null());
        if !options.contains(&"--policy") {
            command.args(["--owner", &self.owner]);
        }
        let before = self.records().len();
        self.child = Some(command.spawn().unwrap());
        wait_for("the guard", 60, || {
            self.records()[before..].iter().any(|one| one["type"] == "guard.started")
        });
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    fn told(&self) -> PathBuf {
        self.dir.path().join("told.jsonl")
    }

    /// The records that the guard has printed so far.
    fn records(&self) -> Vec<Value> {
        records(&fs::read(self.told()).unwrap())
    }

    fn docker(&self, args: &[&str]) -> Output {
        let host = format!("unix://{}", self.socket().display());
        Command::new("docker").args(args).env("DOCKER_HOST", host).stdin(Stdio::null()).output().unwrap()
    }

    /// Sends SIGTERM and returns the exit code and the last record.
    fn end(&mut self) -> (Option<i32>, Value) {
        let mut child = self.child.take().unwrap();
        e2e::run::kill(&child, "-TERM");
        let status = child.wait().unwrap();
        let last = self.records().pop().unwrap();
        assert_eq!(last["type"], "guard.finished", "{last:#}");
        (status.code(), last)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        try_docker(&["service", "rm", &format!("{}_app", self.owner)]);
    }
}

#[test]
fn a_standing_guard_lets_its_owner_touch_what_it_created_and_nothing_else() {
    let mut guard = Standing::start("ci", &[]);
    let stranger = Stranger::new();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(guard.socket()), 0o600);
    let name = format!("{}_app", guard.owner);
    let create =
        ["service", "create", "-d", "--no-resolve-image", "--name", &name, "--replicas", "0", IMAGE, "true"];
    let service = guard.docker(&create);
    assert!(service.status.success(), "{}", said(&service));
    let label = ["service", "inspect", "--format", "{{index .Spec.Labels \"redfix.run\"}}", &name];
    assert_eq!(docker(label).trim(), guard.owner, "the owner's name is the stamp");
    for call in [
        &["service", "rm", &stranger.0][..],
        &["service", "update", "-d", "--replicas", "1", &stranger.0],
        &["service", "create", "-d", "--name", "anything", IMAGE],
        &["swarm", "leave", "--force"],
        &["run", "--rm", "-v", "/:/host", IMAGE, "true"],
        &["run", "--rm", "--network", "host", IMAGE, "true"],
    ] {
        let refused = guard.docker(call);
        let told = said(&refused);
        assert!(!refused.status.success() && told.contains("swarm-guard: refused: "), "{call:?}: {told}");
    }
    assert!(objects_named(&stranger.0).len() == 1, "the stranger stands");
    assert!(guard.docker(&["service", "rm", &name]).status.success());

    let (code, last) = guard.end();
    assert_eq!((code, &last["refused"], &last["unseen"]), (Some(0), &6.into(), &Value::Null), "{last:#}");
    assert!(!guard.socket().exists(), "no socket file is left");
    let told = guard.records();
    let created = first(&told, "guard.created");
    assert_eq!((&created["kind"], &created["name"]), (&"service".into(), &name.into()), "{created:#}");
    let refused = first(&told, "guard.refused");
    assert_eq!((&refused["rule"], &refused["owner"]), (&"of others".into(), &guard.owner.clone().into()));
    let passed = told.iter().filter(|one| one["type"] == "guard.passed").count();
    assert_eq!(passed, 2, "the create and the removal");
}

#[test]
fn an_owner_keeps_what_is_its_own_when_its_guard_comes_again() {
    let mut guard = Standing::start("again", &[]);
    let name = format!("{}_app", guard.owner);
    let create =
        ["service", "create", "-d", "--no-resolve-image", "--name", &name, "--replicas", "0", IMAGE, "true"];
    assert!(guard.docker(&create).status.success());
    // A killed guard leaves its socket file.
    let mut killed = guard.child.take().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(guard.socket().exists());
    guard.begin(&[]);
    assert!(guard.docker(&["service", "update", "-d", "--env-add", "A=b", &name]).status.success());
    assert!(guard.docker(&["service", "rm", &name]).status.success());
    let (code, last) = guard.end();
    assert_eq!((code, &last["unseen"]), (Some(0), &Value::Null), "it was there before: {last:#}");
}

#[test]
fn a_policy_in_a_file_says_the_same_as_options() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let file = dir.path().join("policy.json");
    let net = format!("net-{}", std::process::id());
    docker(["network", "create", "-d", "bridge", &net]);
    fs::create_dir(dir.path().join("work")).unwrap();
    let work = dir.path().join("work").display().to_string();
    let policy = serde_json::json!({"owner": "file", "allow": [
        {"kind": "network", "value": net}, {"kind": "path", "value": work}, {"kind": "stack", "value": "job-*"}]});
    fs::write(&file, policy.to_string()).unwrap();
    let allow =
        [format!("--allow=network={net}"), format!("--allow=path={work}"), "--allow=stack=job-*".into()];
    for options in [&["--policy", file.to_str().unwrap()][..], &allow.each_ref().map(String::as_str)] {
        let mut guard = Standing::start("file", options);
        let mount = format!("{work}:/work");
        let run = ["run", "--rm", "--name", "job-7_a", "--network", &net, "-v", &mount, IMAGE, "true"];
        let made = guard.docker(&run);
        assert!(made.status.success(), "{options:?}: {}", said(&made));
        let above = format!("{}:/work", dir.path().display());
        let told = said(&guard.docker(&["run", "--rm", "-v", &above, IMAGE, "true"]));
        assert!(told.contains(&format!("or what lies in {work}")), "{told}");
        assert_eq!(guard.end().0, Some(0));
    }
    docker(["network", "rm", &net]);
}

#[test]
fn two_owners_on_one_engine_see_and_change_only_their_own() {
    let stranger = Stranger::new();
    let mut guards = ["team-a", "team-b"].map(|team| Standing::start(team, &["--hide-others"]));
    let app = |guard: &Standing| format!("{}_app", guard.owner);
    for guard in &guards {
        let name = app(guard);
        let create = [
            "service",
            "create",
            "-d",
            "--no-resolve-image",
            "--name",
            &name,
            "--replicas",
            "0",
            IMAGE,
            "true",
        ];
        assert!(guard.docker(&create).status.success());
    }
    for (own, other) in [(0, 1), (1, 0)] {
        let (guard, theirs) = (&guards[own], app(&guards[other]));
        let list = guard.docker(&["service", "ls", "--format", "{{.Name}}"]);
        assert_eq!(String::from_utf8(list.stdout).unwrap().trim(), app(guard));
        for call in [
            &["service", "inspect", &theirs][..],
            &["service", "rm", &theirs],
            &["service", "inspect", &stranger.0],
        ] {
            assert!(said(&guard.docker(call)).contains("swarm-guard: refused: of others: "), "{call:?}");
        }
    }
    let mut board = Standing::start("board", &["--read-only"]);
    let list = board.docker(&["service", "ls", "--format", "{{.Name}}"]);
    assert!(String::from_utf8(list.stdout).unwrap().contains(&stranger.0), "it sees everybody's");
    let create = board.docker(&["config", "create", &format!("{}_c", board.owner), "/etc/hostname"]);
    assert!(said(&create).contains("swarm-guard: refused: read only: "), "{}", said(&create));
    assert_eq!(board.end().0, Some(0));
    for guard in &mut guards {
        assert!(guard.docker(&["service", "rm", &app(guard)]).status.success());
        assert_eq!(guard.end().0, Some(0));
    }
}

/// The tool in front of a shell script.
fn before(options: &[&str], script: &str) -> Output {
    require_engine();
    let mut command = Command::new(tool("swarm-guard"));
    command.args(["--owner", "job"]).args(options).args(["--", "sh", "-c", script]);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_command_finds_the_guard_and_its_own_exit_code_passes_through() {
    let dir = e2e::folder::Folder::new();
    let told = dir.path().join("told.jsonl");
    let engine = std::env::var("DOCKER_HOST").unwrap();
    let refused = format!("run --privileged {IMAGE} true 2>&1 | grep -q 'swarm-guard: refused' || exit 9");
    let script = format!(
        "docker {refused}; env -u DOCKER_HOST docker {refused}; docker -H {engine} {refused}; echo said; exit 3"
    );
    let output = before(&["--records", told.to_str().unwrap()], &script);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(output.stdout, b"said\n", "standard output is the command's");
    let last = records(&fs::read(told).unwrap()).pop().unwrap();
    assert_eq!((&last["type"], &last["refused"]), (&"guard.finished".into(), &3.into()), "{last:#}");
    let missing =
        Command::new(tool("swarm-guard")).args(["--owner", "job", "--", "no-such-command"]).output();
    assert_eq!(missing.unwrap().status.code(), Some(127));
}

#[test]
fn a_guard_that_is_asked_to_go_asks_its_command() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let (runs, asked) = (dir.path().join("runs"), dir.path().join("asked"));
    let script = format!(
        "trap 'touch {}; exit 4' TERM; touch {}; while :; do sleep 0.1; done",
        asked.display(),
        runs.display()
    );
    let mut command = Command::new(tool("swarm-guard"));
    let mut guard = command.args(["--owner", "job", "--", "sh", "-c", &script]).spawn().unwrap();
    wait_for("the command", 60, || runs.exists());
    e2e::run::kill(&guard, "-TERM");
    assert_eq!((guard.wait().unwrap().code(), asked.exists()), (Some(4), true));
}

#[test]
fn going_around_it_is_told_and_no_success() {
    let around = format!("nsenter --target {} --mount docker -H $ENGINE", std::process::id());
    let script = format!("{around} config create job_c /etc/hostname && {around} config rm job_c");
    let engine = std::env::var("DOCKER_HOST").unwrap();
    let output = before(&[], &script.replace("$ENGINE", &engine));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("somebody went around the guard: config job_c"), "{}", said(&output));
}

#[test]
fn secrets_are_told_to_a_pipe_that_the_command_does_not_inherit() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let told = dir.path().join("told");
    let script = format!(
        "exec 7> >(cat >{}); {} --owner job --secrets 7 -- sh -c '[ ! -e /proc/self/fd/7 ] || exit 9; \
           printf hunter-two | docker secret create job_pw - && docker secret rm job_pw'",
        told.display(),
        tool("swarm-guard").display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    wait_for("the secret", 10, || fs::read_to_string(&told).is_ok_and(|text| text.ends_with('\n')));
    let line: Value = serde_json::from_str(&fs::read_to_string(told).unwrap()).unwrap();
    assert_eq!((&line["name"], &line["value_base64"]), (&"job_pw".into(), &"aHVudGVyLXR3bw==".into()));
}
