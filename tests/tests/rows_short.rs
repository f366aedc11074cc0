//! The decisive runs of the longer rows: one run that is red for the true reason, and one for each level or fix that makes
//! it green. The whole rows are in row_*.rs. From so few runs, no verdict may be concluded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::row::{Neighbours, latest, plan, script};
use e2e::{docker, pipe, records, require_engine, root, tool};
use serde_json::{Value, json};

/// An investigation of one recipe that makes one planned run at a time.
struct Row {
    recipe: &'static str,
    dir: e2e::folder::Folder,
}

/// The records that one run added to the ledger.
struct Run {
    finished: Value,
    tests: BTreeMap<String, Value>,
}

impl Row {
    fn new(recipe: &'static str) -> Self {
        require_engine();
        Self { recipe, dir: e2e::folder::Folder::new() }
    }

    fn ledger(&self) -> Vec<u8> {
        latest(self.dir.path(), self.recipe)
            .and_then(|folder| fs::read(folder.join("ledger.jsonl")).ok())
            .unwrap_or_default()
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        records(&self.ledger()).into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// The level of the factor `fix` for this fix.
    fn fix(&self, id: &str) -> String {
        let patch = recipe(self.recipe).join("fixes").join(id).join("patch");
        let said =
            pipe(Command::new("git").args(["patch-id", "--stable"]), &fs::read(patch).expect("the patch"));
        String::from_utf8_lossy(&said.stdout).split(' ').next().unwrap_or_default().to_owned()
    }

    /// Runs the recipe once with these levels of factors.
    #[track_caller]
    fn run(&self, levels: &[(&str, &str)]) -> Run {
        let before = self.all("run.finished").len();
        let status = script("scripts/investigate", self.dir.path())
            .arg("--plan")
            .arg(plan(&root().join("ground/rows"), self.recipe, levels, self.dir.path()))
            .arg(self.recipe)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .status()
            .expect("the script starts");
        assert!(status.success(), "{levels:?}: {status}");
        let runs = self.all("run.finished");
        assert_eq!(runs.len(), before + 1, "{levels:?}");
        let finished = runs[before].clone();
        assert_eq!(finished["cleanup"]["left"], json!([]), "{finished:#}");
        let of_run = |test: &Value| test["attempt_id"] == finished["attempt_id"];
        let tests = self.all("test.finished").into_iter().filter(of_run);
        let tests = tests.map(|test| (test["test"].as_str().unwrap_or_default().to_owned(), test)).collect();
        Run { finished, tests }
    }

    /// Checks that no verdict is concluded from so few runs.
    #[track_caller]
    fn assert_undecided(&self) {
        let said = pipe(Command::new(tool("flake-classify")).arg("--accept-correlated"), &self.ledger());
        let verdicts = records(&said.stdout).into_iter().filter(|record| record["type"] == "flake.verdict");
        let verdicts: Vec<Value> = verdicts.map(|verdict| verdict["verdict"].clone()).collect();
        assert!(!verdicts.is_empty() && verdicts.iter().all(|one| one == "inconclusive"), "{verdicts:?}");
    }
}

impl Run {
    /// Checks that the run was green and has a result of each of these tests.
    #[track_caller]
    fn is_green(&self, tests: &[&str]) -> &Self {
        assert_eq!(self.finished["outcome"], "pass", "{:#}", self.finished);
        for test in tests {
            assert_eq!(self.tests[*test]["outcome"], "pass", "{test}");
        }
        self
    }

    /// Checks that only this test failed, and that its message has all of these words.
    #[track_caller]
    fn is_red(&self, test: &str, words: &[&str]) -> &Self {
        assert_eq!(self.finished["outcome"], "fail", "{:#}", self.finished);
        let red: Vec<&String> =
            self.tests.iter().filter(|(_, one)| one["outcome"] == "fail").map(|(name, _)| name).collect();
        assert_eq!(red, [test]);
        let message = self.tests[test]["message"].to_string();
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
        self
    }
}

fn recipe(name: &str) -> PathBuf {
    root().join("ground/rows").join(name)
}

/// Runs the validation on a release of discourse: whether it passed, and its output.
fn validate(tree: &Path) -> (bool, String) {
    let output = Command::new(root().join("ground/rows/lib/validate")).arg(tree).output().expect("validate");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bluesky_pds_its_name_decides_who_answers() {
    let neighbours = Neighbours::up();
    let row = Row::new("bluesky-pds");
    let test = "promote/test_promote.py::test_the_domain_serves_its_own_pages";
    let warm = [("path", "warm"), ("domain", "warm")];
    row.run(&warm).is_red(test, &["https://warm-bluesky-pds.ci.example"]);
    row.run(&[("path", "warm"), ("domain", "leased")]).is_green(&[test]);
    let patch = row.fix("unique-alias");
    row.run(&[warm[0], warm[1], ("fix", &patch)]).is_green(&[test]);

    // Recorded while the red stack existed. The result of `probe` is not checked: the stack is so new that it varies.
    let audited = row.all("domain.audited");
    assert!(audited.iter().any(|one| one["kind"] == "alias-answered-by-strangers"), "{audited:#?}");
    row.assert_undecided();
    assert_eq!(neighbours.logins()["failed"], 0);
}

#[test]
fn gitea_advanced_in_place_cannot_save_its_secret() {
    let _neighbours = Neighbours::up();
    let row = Row::new("gitea");
    let data = "promote/test_data.py::test_repositories_are_there";
    row.run(&[("path", "warm")]).is_red("promote", &["app.ini", "read-only file system"]);
    row.run(&[("path", "cold")]).is_green(&["promote", data]);
    let patch = row.fix("writable-ini");
    row.run(&[("path", "warm"), ("fix", &patch)]).is_green(&["promote", data]);
    row.assert_undecided();
}

#[test]
fn discourse_one_time_out_is_three_things() {
    e2e::calm::require();
    let row = Row::new("discourse");
    let deploy = "deploy/test_deploy.py::test_converges";
    let upgrade = "upgrade/test_upgrade.py::test_upgrade_runs_the_head";
    // Under load, the deployment times out, and the run has no result of the upgrade.
    let loaded = row.run(&[("load", "loaded"), ("test", "stale")]);
    loaded.is_red(deploy, &["is not healthy after 40 s"]);
    assert_eq!(loaded.tests.len(), 1);
    // Without load it is deployed in time, and the upgrade is red with the stale test and green with the current one.
    let stale = row.run(&[("test", "stale")]);
    stale.is_red(upgrade, &["official"]);
    assert_eq!(stale.tests[deploy]["outcome"], "pass");
    let current = row.run(&[("test", "current")]);
    current.is_green(&[deploy, upgrade]);
    assert_eq!(stale.finished["ref"], current.finished["ref"]);
    assert_ne!(stale.finished["tests"], current.finished["tests"]);
    row.assert_undecided();

    // The third cause is found by validation, without a run.
    let tree = recipe("discourse").join("releases/0.8.1+3.5.0");
    let (valid, said) = validate(&tree);
    assert!(!valid && said.contains("compose.smtpauth.yml") && said.contains("sidekiq"), "{said}");
    let fixed = row.dir.path().join("fixed");
    assert!(Command::new("cp").arg("-a").arg(&tree).arg(&fixed).status().expect("cp").success());
    let patch = recipe("discourse").join("fixes/sidekiq/patch");
    let mut apply = Command::new("git");
    apply.arg("apply").arg(patch).current_dir(&fixed).env("GIT_CEILING_DIRECTORIES", row.dir.path());
    assert!(apply.status().expect("git").success());
    let (valid, said) = validate(&fixed);
    assert!(valid, "{said}");
    assert_eq!(docker(["ps", "--quiet"]), "", "nothing of it is left");
}
