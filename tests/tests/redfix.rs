//! The flow of all recipes: what the sweep and the doctor refuse, and two small recipes from red to gates.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use e2e::{docker, objects_named, pipe, records, require_engine, root, tool, unset, wait_for};
use serde_json::Value;

/// A home for flows, and a folder of recipes that tests may change.
struct Home {
    dir: e2e::folder::Folder,
}

impl Home {
    fn new() -> Self {
        let dir = e2e::folder::Folder::new();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(root().join("examples/recipes"))
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(copied.success());
        Self { dir }
    }

    fn recipes(&self) -> PathBuf {
        self.dir.path().join("recipes")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn script(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(root().join("scripts").join(name));
        command
            .args(args)
            .env("REDFIX_DIR", self.state())
            .env("REDFIX_RECIPES", self.recipes())
            .env("REDFIX_BIN", tool("swarm-isolate").parent().unwrap())
            .env("REDFIX_ENV", "/dev/null")
            // The test's own.
            .env_remove("E2E_BIN_DIR")
            // A node of tests is not calm.
            .env("REDFIX_MAX_FOREIGN_CPU", "2")
            .stdin(Stdio::null());
        command
    }

    /// Runs a script to its end: exit code, standard output, standard error.
    fn run(&self, name: &str, args: &[&str]) -> (i32, String, String) {
        text(&self.script(name, args).output().unwrap())
    }

    /// Changes one recipe's recipe.json.
    fn tell(&self, recipe: &str, change: impl FnOnce(&mut Value)) {
        let path = self.recipes().join(recipe).join("recipe.json");
        let mut about: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut about);
        fs::write(path, about.to_string()).unwrap();
    }

    fn runs(&self, flow: &str, recipe: &str) -> usize {
        let folder = self.state().join(flow);
        let ledger = ["open", "last"].map(|end| folder.join(format!("{recipe}.{end}/ledger.jsonl")));
        let text = ledger.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"type\":\"run.finished\"")).count()
    }
}

fn text(output: &Output) -> (i32, String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), read(&output.stdout), read(&output.stderr))
}

#[track_caller]
fn assert_nothing_left() {
    for part in ["iso-", "cold-", "redfix-lease"] {
        assert_eq!(objects_named(part), Vec::<String>::new());
    }
}

#[test]
fn a_sweep_of_nothing_is_an_error_and_a_recipe_left_out_is_red() {
    let home = Home::new();
    for recipe in ["hello", "notes"] {
        home.tell(recipe, |about| about["enrolled"] = false.into());
    }
    let (code, _, said) = home.run("sweep", &["--recorded"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("without a reason"), "{said}");

    for recipe in ["hello", "notes"] {
        home.tell(recipe, |about| about["reason"] = "its name is taken by \"a & b\"".into());
    }
    let (code, _, said) = home.run("sweep", &["--recorded"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("none is enrolled"), "{said}");

    home.tell("hello", |about| about["enrolled"] = Value::Null);
    let (code, _, said) = home.run("sweep", &["--recorded"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("does not say whether it is enrolled"), "{said}");

    home.tell("hello", |about| about["enrolled"] = true.into());
    let (code, _, said) = home.run("sweep", &["--recorded"]);
    assert_eq!(code, 1, "{said}");
    let failed = records(&fs::read(home.state().join("sweep.last/failed.jsonl")).unwrap());
    assert_eq!(failed.len(), 2);
    let left_out = failed.iter().find(|case| case["recipe"] == "notes").unwrap();
    assert_eq!(left_out["stage"], "enrol");
    assert_eq!(left_out["message"], "its name is taken by \"a & b\"");

    let (code, out, said) = home.run("redfix", &["plan"]);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("2 cases: ") && out.contains(" hours"), "{out}");
    let (code, _, said) = home.run("redfix", &["plan", "--sweep", "/nowhere"]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn the_doctor_says_what_is_missing_and_what_is_wrong() {
    require_engine();
    let home = Home::new();
    let (code, out, said) = home.run("redfix", &["doctor"]);
    assert_eq!(code, 1, "{out}{said}");
    for name in ["REDFIX_BASE_DOMAIN", "REDFIX_PROTECT", "REDFIX_FORGE", "REDFIX_OWNER", "REDFIX_AUTHOR"] {
        assert!(out.lines().any(|line| line.starts_with("missing") && line.contains(name)), "{name}: {out}");
    }
    assert_eq!(home.run("redfix", &["doctor", "now"]).0, 2);

    let token = home.dir.path().join("token");
    fs::write(&token, "secret").unwrap();
    let mut wrong = home.script("redfix", &["doctor"]);
    // What a tool refuses, the doctor refuses, and so it does a name that nobody reads.
    let refused = [
        ("REDFIX_BUGDET", "1h"),
        ("REDFIX_WAIT", "90"),
        ("REDFIX_BUDGET", "soon"),
        ("REDFIX_CAP", "13"),
        ("REDFIX_COLOR", "pink"),
        ("REDFIX_ACCEPT_CORRELATED", "perhaps"),
        ("REDFIX_FORGE", "https://127.0.0.1:9"),
        ("REDFIX_TOKEN_FILE", token.to_str().unwrap()),
        ("REDFIX_PROTECT", "no-such-*"),
    ];
    let (code, out, _) = text(&wrong.envs(refused).output().unwrap());
    assert_eq!(code, 1);
    for (name, _) in refused {
        assert!(out.lines().any(|line| line.starts_with("wrong") && line.contains(name)), "{name}: {out}");
    }
    assert!(!out.contains("secret"), "{out}");

    let live = format!("live-{:x}", std::process::id());
    docker([
        "service",
        "create",
        "--detach",
        "--quiet",
        "--name",
        &live,
        "--replicas",
        "0",
        "redfix/busybox:latest",
        "true",
    ]);
    let mut right = home.script("redfix", &["doctor"]);
    right
        .env("REDFIX_BASE_DOMAIN", "ci.test.example")
        .env("REDFIX_PROTECT", &live)
        .env("REDFIX_OWNER", "mirrors");
    right
        .env("REDFIX_FORGE", format!("dir:{}", home.dir.path().display()))
        .env("REDFIX_AUTHOR", "A <a@b.example>");
    let (code, out, said) = text(&right.output().unwrap());
    docker(["service", "rm", &live]);
    assert_eq!(code, 0, "{out}{said}");
}

/// Two recipes to the end with a kill between; then the same with their fixes swapped.
#[test]
fn two_recipes_survive_a_kill_and_swapped_fixes_do_not_pass() {
    require_engine();
    let home = Home::new();
    assert_eq!(home.run("sweep", &["--recorded"]).0, 1);
    let mut killed = home.script("redfix", &["run", "--short"]);
    let mut child = killed.process_group(0).stdout(Stdio::null()).spawn().unwrap();
    wait_for("three runs", 300, || {
        home.runs("redfix.open", "hello") + home.runs("redfix.open", "notes") >= 3
            || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let before = home.runs("redfix.open", "hello") + home.runs("redfix.open", "notes");
    assert!(before >= 3, "it was killed on its way");
    assert_eq!(home.run("redfix", &["run"]).0, 2, "an interrupted flow is not forgotten");

    let (code, out, said) = home.run("redfix", &["resume"]);
    assert_eq!(code, 0, "{out}{said}");
    assert!(out.starts_with("SHORTENED"), "{out}");
    assert!(out.contains("GATE M1 PASS 2/2") && out.contains("GATE M2 PASS 2/2"), "{out}");
    let made = said.lines().filter(|line| line.ends_with(" s)") && line.contains(": ")).count();
    let after = home.runs("redfix.last", "hello") + home.runs("redfix.last", "notes");
    assert!(after <= before + made + 1, "{before} before the kill, {made} after it, {after} on record");
    assert_nothing_left();

    let (code, out, said) = home.run("recheck", &["--reviewer", "ada", "--state-dir", "/dev/null/x"]);
    assert_eq!(code, 2, "{out}{said}");
    one_run_more(&fs::canonicalize(home.state().join("redfix.last/notes.last/ledger.jsonl")).unwrap());
    let status = home.dir.path().join("docs");
    let (code, out, said) =
        home.run("recheck", &["--reviewer", "ada", "--state-dir", status.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{said}");
    assert!(fs::read_to_string(status.join("STATUS-redfix.md")).unwrap().contains("## DONE"), "{out}{said}");
    tamper(&fs::canonicalize(home.state().join("redfix.last/hello.last/ledger.jsonl")).unwrap());
    assert_eq!(home.run("recheck", &["--no-runs"]).0, 1, "a verdict that was edited is found out");

    let fix = |recipe: &str, id: &str| home.recipes().join(recipe).join("fixes").join(id);
    for file in ["patch", "title"] {
        let (one, other) = (fix("hello", "folder").join(file), fix("notes", "index").join(file));
        let (first, second) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
        fs::write(&one, second).unwrap();
        fs::write(&other, first).unwrap();
    }
    assert_eq!(home.run("sweep", &["--recorded"]).0, 1);
    let (code, out, said) = home.run("redfix", &["run", "--short"]);
    assert_eq!(code, 1, "{out}{said}");
    assert!(out.contains("GATE M1 PASS 2/2") && out.contains("GATE M2 FAIL"), "{out}");
    assert_nothing_left();
}

/// Appends the first isolated run once more, as one that came after its verdict was decided, and what is derived then.
fn one_run_more(ledger: &Path) {
    let text = fs::read_to_string(ledger).unwrap();
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &'static str| all.iter().filter(move |record| record["type"] == kind);
    let alone = |run: &&Value| run["factors"]["load"] == "isolated" && run["factors"]["fix"] == "none";
    let first = of("run.finished").find(alone).unwrap();
    let mut more = String::new();
    for record in of("test.finished").filter(|t| t["attempt_id"] == first["attempt_id"]).chain([first]) {
        let mut record = record.clone();
        record["attempt_id"] = "01ZZZZZZZZZZZZZZZZZZZZZZZZ".into();
        if record["type"] == "run.finished" {
            record["started"] = "2099-01-01T00:00:00Z".into();
        }
        more.push_str(&record.to_string());
        more.push('\n');
    }
    let mut classify = unset("flake-classify");
    classify.arg("--accept-correlated");
    fs::write(ledger, pipe(&mut classify, (text + &more).as_bytes()).stdout).unwrap();
}

/// Turns a recorded verdict round.
fn tamper(ledger: &Path) {
    let text = fs::read_to_string(ledger).unwrap();
    fs::write(ledger, text.replace("\"verdict\":\"genuine\"", "\"verdict\":\"load-flake\"")).unwrap();
}
