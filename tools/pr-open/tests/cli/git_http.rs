//! Real git over smart HTTP, with a token, and a server that protects its branches.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::fixture::{Ran, bin, run};
use crate::forge::{BRANCH, Forge, TOKEN, run_hiding};

/// A hook that refuses pushes in the words of a forge.
const HOOK: &str = r#"#!/bin/sh
while read old new ref; do
  case $ref in
    refs/heads/main | refs/heads/protected/*) printf "\\nerror:\\nerror: Not allowed to push to protected branch %s\\n" "${ref#refs/heads/}" >&2; exit 1 ;;
    refs/heads/fix/gitea/*) echo "Forgejo: Not allowed to push to protected branch ${ref#refs/heads/}" >&2; exit 1 ;;
  esac
done
"#;

impl Forge {
    fn protected() -> Self {
        let forge = Self::new();
        let hook = forge.world.bare().join("hooks/pre-receive");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, HOOK).unwrap();
        std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
        forge
    }

    /// Runs without --git-url, so that git finds the repository at the forge's address.
    fn run_all_http(&self, extra: &[&str]) -> Ran {
        let mut command = bin();
        command.arg("--fix").arg(self.world.fix_dir("readiness")).args([
            "--forge",
            &self.fake.url,
            "--repo",
            "o/n",
        ]);
        command.arg("--token-file").arg(self.world.path("token")).args(["--grace", "0s"]).args(extra);
        run_hiding(command)
    }

    /// How many pushes git has made.
    fn pushes(&self) -> usize {
        self.fake.state().seen.iter().filter(|request| request.path.ends_with("/git-receive-pack")).count()
    }
}

#[test]
fn pushed_opened_and_updated() {
    let forge = Forge::protected();
    let first = forge.run_all_http(&["--testme"]).opened();
    assert_eq!((&first["action"], &first["head"]), (&json!("created"), &json!(forge.head())));
    forge.asks("token repo base list past create list comment");
    let seen = forge.fake.state().seen.clone();
    let git: Vec<_> = seen.iter().filter(|request| request.path.contains(".git/")).collect();
    assert!(git.iter().all(|request| request.path.starts_with("/o/n.git/") && !request.path.contains(TOKEN)));
    assert!(git.iter().any(|request| request.header("authorization").starts_with("Basic ")));
    assert_eq!(forge.pushes(), 1);

    assert_eq!(forge.run_all_http(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    assert_eq!(forge.run_all_http(&[]).opened()["action"], "updated");
    forge.asks("token repo base list head edit");
    assert_eq!(forge.pushes(), 2);
}

#[test]
fn a_big_patch_goes_in_pieces() {
    let forge = Forge::protected();
    // More than git sends in one request (http.postBuffer), of data that does not compress.
    let mut seed = 1u64;
    let mut noise = String::new();
    while noise.len() < 3 << 20 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.push_str(&seed.to_string());
        noise.push('\n');
    }
    forge.world.fix("readiness", &[("mumble/lifecycle", &noise)]);
    forge.run_all_http(&[]).opened();
    let chunked = |r: &&crate::fake::Incoming| {
        r.header("transfer-encoding") == "chunked" && r.path.ends_with("receive-pack")
    };
    assert!(forge.fake.state().seen.iter().find(chunked).is_some());
    forge.asks("token repo base list past create list");
}

/// If the API does not say that the branch is protected but a hook refuses the push, nothing is opened.
#[test]
fn a_hook_that_refuses_is_a_no_that_says_why() {
    let forge = Forge::protected();
    let main = forge.world.branch("main");
    let ran = forge.run_all_http(&["--recipe", "gitea", "--no-verdict"]);
    ran.refused(1, &["pushing the branch", "protected branch fix/gitea/readiness", "may the bot push"]);
    forge.asks("token repo base list past");
    assert!(forge.fake.state().pulls.is_empty());
    assert_eq!(forge.world.branch("main"), main);
}

/// Neither the base nor the default branch is pushed to, whatever the settings: no push reaches the server.
#[test]
fn the_base_is_never_pushed_to() {
    let forge = Forge::protected();
    let main = forge.world.branch("main");
    let clone = forge.world.path("clone");
    let bare = forge.world.bare();
    forge.world.git_in(forge.world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]);
    std::fs::write(clone.join("mumble/lifecycle"), "mine\n").unwrap();
    forge.world.git_in(&clone, &["commit", "-q", "-am", "mine"]);
    let mut command = bin();
    command.args([
        "--branch",
        "main",
        "--route",
        "harness-pr",
        "--title",
        "t",
        "--no-verdict",
        "--recipe",
        "mumble",
    ]);
    command.args(["--forge", &forge.fake.url, "--repo", "o/n", "--repo-dir"]).arg(&clone);
    command.arg("--token-file").arg(forge.world.path("token"));
    run(command, "").refused(1, &["people merge into this one"]);
    forge.asks("token repo base");
    assert_eq!((forge.pushes(), forge.world.branch("main")), (0, main));
}

#[test]
fn a_wrong_token_is_named() {
    let forge = Forge::protected();
    std::fs::write(forge.world.path("token"), "another-token\n").unwrap();
    forge.run_all_http(&[]).refused(2, &["HTTP 401", "--token-file"]);
    forge.asks("token");
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let forge = Forge::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/o/n.git", silent.local_addr().unwrap());
    let mut command = bin();
    command.arg("--fix").arg(forge.world.fix_dir("readiness")).args([
        "--forge",
        &forge.fake.url,
        "--repo",
        "o/n",
    ]);
    command.arg("--token-file").arg(forge.world.path("token"));
    command.args(["--git-url", &url, "--git-timeout", "300ms", "--no-verdict"]);
    run(command, "").refused(75, &["not done after", "--git-timeout"]);
    forge.asks("token repo base");
}

/// If somebody else pushes between our reading the branch and our push, the lease refuses the push; the next run
/// succeeds.
#[test]
fn a_lease_is_never_broken() {
    let forge = Forge::protected();
    forge.run_all_http(&[]).opened();
    forge.asks("token repo base list past create list");
    let theirs = forge.world.commit_on(BRANCH, "mumble/lifecycle", "by ann\n");
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    forge.run_all_http(&[]).refused(1, &["somebody else has committed"]);
    assert_eq!(forge.head(), theirs);
    forge.asks("token repo base list");
}
