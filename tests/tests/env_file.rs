//! An app's env file is read by its grammar, never run, and steers nothing of the run.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::path::Path;
use std::process::Command;

const FILE: &str = r#"# a comment
TYPE=gitea
DOCKER_HOST=unix:///strange
PATH=/strange
REDFIX_STACK=live
LD_PRELOAD=/strange.so
harness_dir=/strange
MOUNTS=/ /var/lib/docker
NAME_OF_APP="Git with a \"cup\" of tea"
SECRET_VERSION=v1 # length=43
export APP_INI_VERSION='v2 # no comment'
RUNS=$(touch ran) `touch ran`
 SPACES =  
HASH=a#b
EMPTY=
LAST=x"#;

#[test]
fn an_env_file_is_read_and_never_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app.env"), FILE).unwrap();
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ground/rows/lib/env.sh").canonicalize().unwrap();
    let script = format!(
        "set -euo pipefail; harness_dir=kept; . {}; read_env app.env; echo \"$harness_dir\"; env",
        lib.display()
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(dir.path()).env_clear().env("PATH", "/usr/bin:/bin");
    let output = bash.env("DOCKER_HOST", "guard").env("REDFIX_STACK", "own").output().unwrap();
    let (out, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{told}");
    for line in [
        "kept",
        "DOCKER_HOST=guard",
        "PATH=/usr/bin:/bin",
        "REDFIX_STACK=own",
        "TYPE=gitea",
        "MOUNTS=/ /var/lib/docker",
        "NAME_OF_APP=Git with a \"cup\" of tea",
        "SECRET_VERSION=v1",
        "APP_INI_VERSION=v2 # no comment",
        "RUNS=$(touch ran) `touch ran`",
        "HASH=a#b",
        "EMPTY=",
        "LAST=x",
    ] {
        assert!(out.lines().any(|one| one == line), "{line} in {out}");
    }
    assert!(!out.contains("strange") && !dir.path().join("ran").exists(), "{out}");
    assert_eq!(told.lines().count(), 5, "what is not taken is told: {told}");
}
