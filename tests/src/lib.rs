//! Helpers of the end-to-end tests: the built tools, the engine of `make test`, and what must be gone after.

pub mod bench;
pub mod calm;
pub mod folder;
pub mod guard;
pub mod relay;
pub mod row;
pub mod run;
pub mod schema;
pub mod snap;
pub mod snippet;
pub mod stack;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Every tool, by the name of its program.
pub const TOOLS: [&str; 8] = [
    "warm-domain-alloc",
    "swarm-guard",
    "swarm-isolate",
    "swarm-wait",
    "log-snap",
    "flake-classify",
    "pr-open",
    "redfix-report",
];

/// A built tool: from `E2E_BIN_DIR`, else from beside the test's own binary.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().expect("the test's own path");
        test.parent().and_then(Path::parent).expect("target/debug").to_owned()
    };
    let path = std::env::var_os("E2E_BIN_DIR").map_or_else(beside, PathBuf::from).join(name);
    assert!(path.exists(), "{} is not built: run 'make test' or 'cargo build --workspace'", path.display());
    path
}

/// A tool of the build without any operator's settings: nothing on its standard input, its outputs are read.
#[must_use]
pub fn unset(name: &str) -> Command {
    let mut command = Command::new(tool(name));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REDFIX_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The checkout.
///
/// # Panics
/// Never: this crate lies in it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_owned()
}

/// Fails loudly where there is no engine: a test that needs one must not pass without.
///
/// # Panics
/// Without a swarm manager at `DOCKER_HOST`.
pub fn require_engine() {
    assert!(
        std::env::var_os("DOCKER_HOST").is_some(),
        "this test needs a private engine: run 'make test', or eval \"$(scripts/engine env)\" after 'scripts/engine up'"
    );
    assert_eq!(
        docker(["info", "--format", "{{.Swarm.ControlAvailable}}"]).trim(),
        "true",
        "DOCKER_HOST manages no swarm"
    );
}

/// The engine has these images of the proving ground, built and loaded when they were not.
///
/// # Panics
/// When one cannot be built.
pub fn require_images(names: &[&str]) {
    let output = Command::new(root().join("ground/images/build")).arg("--quiet").args(names).output();
    let output = output.expect("ground/images/build");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Output of the docker client.
///
/// # Panics
/// When it fails.
pub fn docker<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> String {
    let output = Command::new("docker").args(args).output().expect("the docker client");
    assert!(output.status.success(), "docker: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every object on the engine whose name holds `part`, as `kind name`: what must be empty after a run.
#[must_use]
pub fn objects_named(part: &str) -> Vec<String> {
    let lists: [(&str, &[&str]); 6] = [
        ("service", &["service", "ls", "--format", "{{.Name}}"]),
        ("container", &["ps", "-a", "--format", "{{.Names}}"]),
        ("network", &["network", "ls", "--format", "{{.Name}}"]),
        ("config", &["config", "ls", "--format", "{{.Name}}"]),
        ("secret", &["secret", "ls", "--format", "{{.Name}}"]),
        ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
    ];
    let named = |(kind, args): (&str, &[&str])| {
        let found: Vec<String> = docker(args)
            .lines()
            .filter(|name| name.contains(part))
            .map(|name| format!("{kind} {name}"))
            .collect();
        found
    };
    lists.into_iter().flat_map(named).collect()
}

/// Polls until `check` holds: soon at first, then rarely, since most looks are programs of their own that take the machine
/// from what is waited for.
///
/// # Panics
/// After `seconds`, naming what was waited for.
pub fn wait_for(what: &str, seconds: u64, mut check: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut pause = Duration::from_millis(50);
    while !check() {
        assert!(Instant::now() < until, "waited {seconds} s in vain for: {what}");
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(500));
    }
}

/// The JSON lines of a tool's standard output, of a ledger, or of a script. What a test made up itself names no tool, or
/// one with a name of one letter; every other record must be as its schema says.
///
/// # Panics
/// When a line is not JSON, or a record is not as it must be.
#[must_use]
#[track_caller]
pub fn records(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).expect("UTF-8");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let all: Vec<Value> = text.lines().map(parse).collect();
    let ours = |record: &&Value| record["tool"].as_str().is_some_and(|tool| tool.find('/') != Some(1));
    for record in all.iter().filter(ours) {
        assert_eq!(schema::faults(record), [""; 0], "{record:#}");
    }
    all
}

/// The first record of a type.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn first<'r>(records: &'r [Value], kind: &str) -> &'r Value {
    records
        .iter()
        .find(|record| record["type"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {records:#?}"))
}

/// Runs a command with `input` on its standard input and returns what came out.
///
/// # Panics
/// When it cannot be started.
pub fn pipe(command: &mut Command, input: &[u8]) -> Output {
    use std::io::Write;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().expect("ends");
    let _ = writer.join();
    output
}
