//! A repository, a fix and a ledger to run `pr-open` with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

pub const CASE: &str = "mumble@1/custom/test_x.py::test_y";

/// A temporary `dir:` forge with one repository, and one fix.
pub struct World {
    pub root: tempfile::TempDir,
}

impl World {
    /// A copy of the world that this process's first test made, because making one with git is slow.
    pub fn new() -> Self {
        static FIRST: OnceLock<World> = OnceLock::new();
        let first = FIRST.get_or_init(Self::made);
        let world = Self { root: tempfile::tempdir().unwrap() };
        copy(first.root.path(), world.root.path());
        world
    }

    fn made() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        let seed = world.path("seed");
        for (name, text) in [
            ("mumble/lifecycle", "one\ntwo\nthree\n"),
            ("mumble/custom/test_x.py", "assert True\n"),
            ("gitea/lifecycle", "one\n"),
        ] {
            std::fs::create_dir_all(seed.join(name).parent().unwrap()).unwrap();
            std::fs::write(seed.join(name), text).unwrap();
        }
        world.git_in(&seed, &["init", "-q", "--template=", "-b", "main"]);
        world.git_in(&seed, &["add", "."]);
        world.git_in(&seed, &["commit", "-q", "-m", "seed"]);
        std::fs::create_dir_all(world.path("forge/o")).unwrap();
        world.git_in(&seed, &["clone", "-q", "--template=", "--bare", ".", world.bare().to_str().unwrap()]);
        world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nready\nthree\n")]);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn bare(&self) -> PathBuf {
        self.path("forge/o/n.git")
    }

    pub fn forge(&self) -> String {
        format!("dir:{}", self.path("forge").display())
    }

    pub fn fix_dir(&self, id: &str) -> PathBuf {
        self.path(&format!("recipes/mumble/fixes/{id}"))
    }

    /// Adds a fix that writes these files. Its patch is made with `git diff` in a clone, as people make one.
    pub fn fix(&self, id: &str, files: &[(&str, &str)]) {
        let seed = self.path("seed");
        for (name, text) in files {
            std::fs::create_dir_all(seed.join(name).parent().unwrap()).unwrap();
            std::fs::write(seed.join(name), text).unwrap();
        }
        self.git_in(&seed, &["add", "."]);
        let diff = self.git_in(&seed, &["diff", "--cached", "--binary"]);
        self.git_in(&seed, &["reset", "-q", "--hard"]);
        let dir = self.fix_dir(id);
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in [
            ("patch", format!("{diff}\n\n").as_str()),
            ("repo", "harness\n"),
            ("route", "harness-pr\n"),
            ("title", "mumble: wait until it is ready\n"),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }

    pub fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(dir)
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgSign=false"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("HOME", self.root.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Commits a file on a branch of the bare repository, as another person.
    pub fn commit_on(&self, branch: &str, file: &str, text: &str) -> String {
        let clone = self.path(&format!("clone-{}", branch.replace('/', "-")));
        self.git_in(
            self.root.path(),
            &["clone", "-q", self.bare().to_str().unwrap(), clone.to_str().unwrap()],
        );
        let known =
            Command::new("git").current_dir(&clone).args(["checkout", "-q", branch]).output().unwrap();
        if !known.status.success() {
            self.git_in(&clone, &["checkout", "-q", "-b", branch]);
        }
        std::fs::create_dir_all(clone.join(file).parent().unwrap()).unwrap();
        std::fs::write(clone.join(file), text).unwrap();
        self.git_in(&clone, &["add", "."]);
        self.git_in(&clone, &["commit", "-q", "-m", "by hand"]);
        self.git_in(&clone, &["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
        let head = self.git_in(&clone, &["rev-parse", "HEAD"]);
        std::fs::remove_dir_all(clone).unwrap();
        head
    }

    pub fn branch(&self, name: &str) -> String {
        self.git_in(&self.bare(), &["rev-parse", &format!("refs/heads/{name}")])
    }

    /// Lines of the review queue.
    pub fn queue(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("forge/queue.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn events(&self, kind: &str) -> Vec<Value> {
        self.queue().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Appends an event, as a person or CI would.
    pub fn append(&self, event: &Value) {
        let path = self.path("forge/queue.jsonl");
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.lock().unwrap();
        let id = std::fs::read_to_string(&path).unwrap().lines().count() + 1;
        let mut event = event.clone();
        event["id"] = json!(id);
        event["repo"] = json!("o/n");
        event["ts"] = json!("2026-01-01T00:00:00.000Z");
        writeln!(file, "{event}").unwrap();
    }

    pub fn command(&self, extra: &[&str]) -> Command {
        let mut command = bin();
        command.arg("--fix").arg(self.fix_dir("readiness"));
        command.args(["--forge", &self.forge(), "--repo", "o/n"]).args(extra);
        command
    }

    /// Runs against the `dir:` forge with a ledger that supports the fix.
    pub fn run(&self, extra: &[&str]) -> Ran {
        run(self.command(extra), &ledger())
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            std::fs::create_dir_all(to.join(&name)).unwrap();
            copy(&path, &to.join(&name));
        } else {
            std::fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

/// The binary, without any settings of the caller's environment.
pub fn bin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pr-open"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REDFIX_")) {
        command.env_remove(name);
    }
    command
}

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The records of this type that `pr-open` wrote.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        let lines = self.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["type"] == kind).collect()
    }

    pub fn opened(&self) -> Value {
        let mut records = self.records("pr.opened");
        assert_eq!((self.code, records.len()), (0, 1), "{}\n{}", self.stdout, self.stderr);
        records.remove(0)
    }

    pub fn checked(&self) -> Value {
        let mut records = self.records("pr.checked");
        assert_eq!(records.len(), 1, "{}\n{}", self.stdout, self.stderr);
        records.remove(0)
    }

    /// Asserts that it was refused with this exit code, and with these words on standard error.
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.records("pr.opened").is_empty());
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in: {}", self.stderr);
        }
    }
}

pub fn run(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Ignore EPIPE: a tool that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    Ran::of(child.wait_with_output().unwrap())
}

fn record(kind: &str, body: Value) -> String {
    let mut head = json!({
        "type": kind, "v": 1, "ts": "2026-01-01T00:00:00.000Z",
        "investigation": "01JZZZZZZZZZZZZZZZZZZZZZZZ", "tool": "test/0",
    });
    let Value::Object(fields) = body else { panic!("not an object") };
    head.as_object_mut().unwrap().extend(fields);
    format!("{head}\n")
}

pub fn finished(attempt: &str, load: &str, outcome: &str, proved: bool) -> String {
    record(
        "run.finished",
        json!({
            "attempt_id": attempt, "recipe": "mumble", "version": "1", "cases": [CASE], "engine": "20.10",
            "node": "n", "boot_id": "b", "stack": "s", "factors": {"load": load, "fix": "none"},
            "outcome": outcome, "started": "2026-01-01T00:00:00.000Z", "duration_ms": 5,
            "isolation": {"proved": proved, "slots_held": 1, "slots_total": 3, "other_deploys": 0},
            "cleanup": {"created": [], "left": [], "duration_ms": 1, "others_unchanged": true},
            "evidence": {"path": attempt, "blake3": format!("hash-of-{attempt}")},
        }),
    )
}

pub fn verdict(verdict: &str, routes: &[&str]) -> String {
    record(
        "flake.verdict",
        json!({
            "case": CASE, "verdict": verdict, "isolated": {"fail": 0, "pass": 2},
            "loaded": {"fail": 2, "pass": 0}, "ratios": {"half": 1.0, "det": 1.0, "clean": 1.0, "load": 30.5},
            "thresholds": {"t": 20.0, "t_load": 20.0, "cap": 40, "eps": 0.05}, "attempts": ["a1", "a2"],
            "cause": "load", "routes": routes, "sentence": "It is red only under load.",
        }),
    )
}

pub fn fix_verdict(patch: &str, verdict: &str) -> String {
    record(
        "fix.verdict",
        json!({
            "case": CASE, "fix": patch, "verdict": verdict, "under": {"load": "loaded"},
            "before": {"fail": 2, "pass": 0}, "after": {"fail": 0, "pass": 9}, "ratio": 99.0,
            "threshold": 20.0, "attempts": ["b1"], "further_runs": 0, "sentence": "Nine green runs.",
        }),
    )
}

/// Two proved runs and a verdict that sends the fix to the harness.
pub fn ledger() -> String {
    finished("a1", "isolated", "pass", true)
        + &finished("a2", "loaded", "fail", true)
        + &verdict("load-flake", &["harness-pr"])
}
