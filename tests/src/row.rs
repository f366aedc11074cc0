//! Runs a row of the proving ground as an operator runs it, in a shortened form: the runs follow each other at once on
//! one machine (`REDFIX_ACCEPT_CORRELATED`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lib_common::clock::{Clock, SystemClock, rfc3339};
use lib_common::swarm::label;
use serde_json::{Value, json};

use crate::{docker, objects_named, records, require_engine, require_images, root, tool};

/// One of our scripts, named by its path in the checkout, that keeps its state in `dir` and calls the tools under test.
///
/// # Panics
/// When the tools are not built.
#[must_use]
pub fn script(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(root().join(name));
    command
        .env("REDFIX_DIR", dir)
        .env("REDFIX_BIN", tool("swarm-isolate").parent().expect("a folder"))
        .env("REDFIX_ACCEPT_CORRELATED", "true")
        .stdin(Stdio::null());
    command
}

/// The conclusions in these ledgers are those in their recipes' `expect.jsonl`. With `all`, every recipe that has such a
/// file must have a ledger.
///
/// # Panics
/// Where they differ.
#[track_caller]
pub fn assert_as_expected(recipes: &Path, ledgers: &[PathBuf], all: bool) {
    let mut compare = script("check/expected.sh", &std::env::temp_dir());
    compare.env("REDFIX_RECIPES", recipes).args(all.then_some("--all")).args(ledgers);
    let output = compare.output().expect("the script starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
}

/// Writes the plan of a run of this recipe with these levels of factors, from now on, for `investigate --plan`.
///
/// # Panics
/// When nothing is recorded as red with the recipe, or `dir` cannot be written.
#[must_use]
pub fn plan(recipes: &Path, recipe: &str, levels: &[(&str, &str)], dir: &Path) -> PathBuf {
    let failed = script("scripts/case-failed", dir)
        .env("REDFIX_RECIPES", recipes)
        .arg(recipes.join(recipe).join("sweep.xml"))
        .args(["--recipe", recipe])
        .output()
        .expect("case-failed starts");
    let case = records(&failed.stdout)[0]["case"].clone();
    let mut factors = BTreeMap::from([("load", "isolated"), ("fix", "none")]);
    factors.extend(levels.iter().copied());
    let plan = json!({"type": "run.planned", "v": 1, "ts": rfc3339(SystemClock.now()), "investigation": "short",
        "tool": "tests/1", "case": case, "factors": factors, "why": "decisive", "minimum_runs": 1,
        "expected_runs": 1, "if_pass": "the mechanism", "if_fail": "the mechanism"});
    let file = dir.join("plan");
    fs::write(&file, plan.to_string()).expect("the plan");
    file
}

/// The folder of a recipe's latest investigation below `dir`, which is a state folder or a flow's.
#[must_use]
pub fn latest(dir: &Path, recipe: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(dir.join(recipe)).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|folder| folder.join("ledger.jsonl").exists()).max()
}

/// The folder of the last sweep below `dir`.
///
/// # Panics
/// When there was none.
#[must_use]
pub fn sweep(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir).expect("a state folder").flatten().map(|entry| entry.path());
    entries.filter(|folder| folder.join("failed.jsonl").exists()).max().expect("a sweep")
}

/// The folders that `redfix run` made below `dir`, in the order of their making.
#[must_use]
pub fn flows(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = entries.filter(|folder| folder.join("recipes").exists()).collect();
    all.sort_by_key(|folder| folder.join("sweep").metadata().and_then(|data| data.modified()).ok());
    all
}

/// One investigation that is over.
pub struct Row {
    recipe: &'static str,
    pub dir: crate::folder::Folder,
    pub report: String,
}

impl Row {
    /// Runs `scripts/<recipe>.sh` and waits until it ends.
    ///
    /// # Panics
    /// Without an engine.
    #[must_use]
    pub fn run(recipe: &'static str) -> Self {
        require_engine();
        let dir = crate::folder::Folder::new();
        let output = script(&format!("scripts/{recipe}.sh"), dir.path())
            .stderr(Stdio::inherit())
            .output()
            .expect("the script starts");
        Self { recipe, dir, report: String::from_utf8_lossy(&output.stdout).into_owned() }
    }

    /// The investigation's folder.
    ///
    /// # Panics
    /// When the script did not come to its end.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let folder = latest(self.dir.path(), self.recipe).expect("an investigation");
        assert!(folder.join("report.md").exists(), "the investigation was closed");
        folder
    }

    /// # Panics
    /// When there is no ledger.
    #[must_use]
    pub fn ledger(&self) -> Vec<Value> {
        records(&fs::read(self.folder().join("ledger.jsonl")).expect("a ledger"))
    }

    /// All records of this type.
    #[must_use]
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.ledger().into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// The last verdict on each case is the one in the row's `expect.jsonl`, and there are no other cases.
    ///
    /// # Panics
    /// Where they differ.
    #[track_caller]
    pub fn assert_as_expected(&self) {
        let recipes = root().join("ground/rows");
        assert_as_expected(&recipes, &[self.folder().join("ledger.jsonl")], false);
    }

    /// Both gates pass for all cases.
    ///
    /// # Panics
    /// Where one does not.
    #[track_caller]
    pub fn assert_gates(&self) {
        for gate in ["GATE M1 PASS", "GATE M2 PASS"] {
            assert!(self.report.contains(gate), "{gate}:\n{}", self.report);
        }
    }

    /// Every run cleaned up after itself, and no object of a run, lease, trial or CI is left on the engine.
    ///
    /// # Panics
    /// Naming what is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        for run in self.all("run.finished") {
            assert_eq!(run["cleanup"]["left"], Value::Array(Vec::new()), "{run:#}");
            assert_eq!(run["harm"], Value::Null, "{run:#}");
        }
        for part in ["iso-", "cold-", "redfix-lease", "redfix-kept", "redfix-owed"] {
            assert_eq!(objects_named(part), Vec::<String>::new());
        }
    }
}

/// The live services that share the swarm with the recipes. They are removed when the last value of this type is dropped.
pub struct Neighbours {
    dir: crate::folder::Folder,
    lock: Option<fs::File>,
}

impl Neighbours {
    /// # Panics
    /// When they do not come up.
    #[must_use]
    pub fn up() -> Self {
        require_engine();
        let cluster = docker(["info", "--format", "{{.Swarm.Cluster.ID}}"]);
        let path = format!("/run/lock/redfix-neighbours-{}", cluster.trim());
        let lock = fs::File::create(path).expect("the lock of those who use them");
        lock.lock_shared().expect("the lock");
        require_images(&["busybox", "python", "traefik", "caddy"]);
        let dir = crate::folder::Folder::new();
        let up = Self { dir, lock: Some(lock) };
        assert!(up.call("up").is_some(), "the neighbours do not come up");
        up
    }

    fn call(&self, what: &str) -> Option<String> {
        let output = script("ground/neighbours/run", self.dir.path())
            .arg(what)
            .stderr(Stdio::inherit())
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the client of the live identity provider has counted: `logins`, `failed`, `last_failure`.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn logins(&self) -> Value {
        serde_json::from_str(&self.call("logins").expect("the client answers")).expect("a count")
    }

    /// The tasks that run in the stack, with their containers.
    #[must_use]
    pub fn tasks_of(stack: &str) -> Vec<String> {
        let label = format!("label={}", label::of_stack(stack));
        let mut all: Vec<String> =
            docker(["ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}", "--filter", &label])
                .lines()
                .map(ToOwned::to_owned)
                .collect();
        all.sort();
        all
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        drop(self.lock.take());
        let gone = self.call("down").is_some();
        // A second panic would abort and hide the first.
        assert!(gone || std::thread::panicking(), "the neighbours are still there");
    }
}
