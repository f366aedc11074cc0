//! `scripts/promote` on a real swarm: a good release becomes the canonical, a bad one does not, and the one before is kept
//! and put back.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use e2e::row::{Neighbours, script};
use e2e::{docker, first, objects_named, records, root};
use lib_common::swarm::label::SERVICE_NAME;
use serde_json::Value;

const VERSION: &str = "0.2.0+v0.4.158";
const BROKEN: &str = "0.3.0+v0.4.160";

/// The neighbours, a forge, a folder for canonicals, and a copy of the recipes.
struct Canon {
    _neighbours: Neighbours,
    dir: e2e::folder::Folder,
}

impl Canon {
    fn new() -> Self {
        let canon = Self { _neighbours: Neighbours::up(), dir: e2e::folder::Folder::new() };
        let copied =
            Command::new("cp").arg("-a").arg(root().join("ground/rows")).arg(canon.recipes()).status();
        assert!(copied.unwrap().success());
        canon
    }

    fn recipes(&self) -> PathBuf {
        self.dir.path().join("recipes")
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("canon/bluesky-pds")
    }

    /// Merges the fix of the pull request into the harness.
    fn merge_fix(&self) {
        let patch = self.recipes().join("bluesky-pds/fixes/leased-domain/patch");
        let mut apply = Command::new("git");
        apply
            .arg("apply")
            .arg(patch)
            .current_dir(self.recipes())
            .env("GIT_CEILING_DIRECTORIES", self.dir.path());
        assert!(apply.status().unwrap().success());
    }

    fn promote(&self, args: &[&str]) -> Output {
        let mut promote = script("scripts/promote", self.dir.path());
        promote.args(args).env("REDFIX_RECIPES", self.recipes()).stderr(Stdio::piped());
        promote.output().unwrap()
    }

    fn canonical(&self) -> Value {
        serde_json::from_slice(&fs::read(self.home().join("canonical.json")).unwrap()).unwrap()
    }

    /// The id of the account `alice`, as the server at the canonical's domain says.
    fn alice(&self) -> String {
        let stack = self.canonical()["domain"].as_str().unwrap().replace('.', "_");
        let service = format!("label={SERVICE_NAME}={stack}_app");
        let container = docker(["ps", "-q", "--filter", &service]);
        let ask = "import sqlite3; print(sqlite3.connect('/data/pds.db').execute(\"SELECT did FROM accounts WHERE handle LIKE 'alice.%'\").fetchone()[0])";
        docker(["exec", container.trim(), "python3", "-c", ask]).trim().to_owned()
    }
}

impl Drop for Canon {
    fn drop(&mut self) {
        let down = |args: &[&str]| script("scripts/promote", self.dir.path()).args(args).status();
        let _ = down(&["bluesky-pds", "--retire"]);
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn red_cases(junit: &Path) -> usize {
    fs::read_to_string(junit).unwrap().matches("<failure ").count()
}

#[test]
fn under_the_old_names_nothing_is_promoted_and_nothing_live_is_touched() {
    let canon = Canon::new();
    let before = objects_named("");
    let live = Neighbours::tasks_of("warm-keycloak_ci_example");
    let junit = canon.dir.path().join("promote.xml");
    for (recipe, why) in [
        ("keycloak", "namespace: stack warm-keycloak_ci_example is taken"),
        ("bluesky-pds", "fail in stage promote"),
    ] {
        let output = canon.promote(&[recipe, "--junit", junit.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains(why), "{}", told(&output));
        assert!(output.stdout.is_empty(), "no record of what is not so");
        assert_eq!(red_cases(&junit), 1);
    }
    let steady =
        |all: Vec<String>| all.into_iter().filter(|o| !o.contains("redfix-slot")).collect::<Vec<_>>();
    assert_eq!(steady(objects_named("")), steady(before));
    assert_eq!(Neighbours::tasks_of("warm-keycloak_ci_example"), live);
}

#[test]
fn a_release_is_promoted_kept_advanced_and_put_back() {
    let canon = Canon::new();
    canon.merge_fix();
    let output = canon.promote(&["bluesky-pds", "--version", "7.7.7"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("has no such tag"), "{}", told(&output));

    let output = canon.promote(&["bluesky-pds"]);
    assert!(output.status.success(), "{}", told(&output));
    let promoted = records(&output.stdout);
    let record = first(&promoted, "canon.promoted");
    assert_eq!(
        (&record["version"], &record["trial"], &record["ref"]["kind"]),
        (&VERSION.into(), &false.into(), &"tag".into())
    );
    let (kept, alice) = (canon.canonical(), canon.alice());
    assert_eq!((&kept["version"], &kept["domain"]), (&record["version"], &record["domain"]));
    assert!(canon.home().join("snapshot/volumes/data.tar").exists());

    // The second promotion starts from the snapshot, at the same domain.
    let output = canon.promote(&["bluesky-pds"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!((&canon.canonical()["domain"], canon.alice()), (&kept["domain"], alice.clone()));

    // A release that does not start does not become the canonical: the one before is put back with its data.
    let releases = canon.recipes().join("bluesky-pds/releases");
    let broken = releases.join(BROKEN);
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([releases.join(VERSION), broken.clone()])
            .status()
            .unwrap()
            .success()
    );
    fs::write(broken.join("pds.py"), "raise SystemExit('index.js is not there')\n").unwrap();
    let compose =
        fs::read_to_string(broken.join("compose.yml")).unwrap().replace("PDS_VERSION:-v1", "PDS_VERSION:-v2");
    fs::write(broken.join("compose.yml"), compose).unwrap();
    fs::remove_dir_all(canon.dir.path().join("forge/recipe-maintainers/bluesky-pds.git")).unwrap();
    let output = canon.promote(&["bluesky-pds", "--version", BROKEN]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains(&format!("putting {VERSION} back")), "{}", told(&output));
    assert_eq!((&canon.canonical()["version"], canon.alice()), (&VERSION.into(), alice));
}
