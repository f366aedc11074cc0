//! What examples/ shows, run as it stands there.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use e2e::{docker, objects_named, require_engine, root, tool};

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    require_engine();
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn example(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(root().join("examples").join(name));
    command
        .env("REDFIX_DIR", dir)
        .env("REDFIX_BIN", tool("swarm-isolate").parent().unwrap())
        .env("REDFIX_ENV", "/dev/null")
        .env("REDFIX_MAX_FOREIGN_CPU", "2")
        .env("REDFIX_ACCEPT_CORRELATED", "true")
        .stdin(Stdio::null());
    command
}

#[test]
fn another_ci_runs_in_the_place_of_our_life_cycle() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let output = example("other-ci/hello.sh", dir.path()).output().unwrap();
    let (report, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{report}{said}");
    assert!(report.contains("GATE M1 PASS 1/1") && report.contains("GATE M2 PASS 1/1"), "{report}");
    assert_eq!(objects_named("hell-"), Vec::<String>::new(), "what it named itself is gone");
}

#[test]
fn an_image_is_replaced() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mine = "registry.example/busybox:mine";
    docker(["tag", "redfix/busybox:latest", mine]);
    // One run tells which image the engine was given.
    let output = example("own-image/hello.sh", dir.path())
        .envs([("IMAGE_BUSYBOX", mine), ("REDFIX_STEP", "0")])
        .output();
    docker(["rmi", mine]);
    assert!(output.unwrap().status.success());
    let runs = fs::canonicalize(dir.path().join("hello.open")).unwrap();
    let used = Command::new("grep").arg("-rlF").arg(mine).arg(&runs).output().unwrap();
    assert!(!used.stdout.is_empty(), "no evidence below {} names it", runs.display());
}
