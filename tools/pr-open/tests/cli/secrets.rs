//! No secret leaves: not in a commit, a text or a name, nor in what git says.

use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Ran, bin, run};
use crate::forge::{Forge, TOKEN, run_hiding};

impl Forge {
    /// Refused with the place, and nothing was pushed or written.
    fn keeps(&self, ran: &Ran, place: &str) {
        ran.refused(1, &[place, "it holds a secret", "nothing was pushed or sent"]);
        assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
        let refs = self.world.git_in(&self.world.bare(), &["for-each-ref", "--format=%(refname)"]);
        assert_eq!(refs, "refs/heads/main");
        self.asks("token repo base");
    }
}

#[test]
fn a_token_in_the_patch_the_title_or_the_explanation_is_refused() {
    let forge = Forge::new();
    forge.world.fix("readiness", &[("mumble/lifecycle", &format!("one\ntwo\n{TOKEN}\nthree\n"))]);
    forge.keeps(&forge.run(&[]), "mumble/lifecycle, line 1");
    forge.keeps(&forge.run(&["--dry-run"]), "mumble/lifecycle, line 1");
    forge.world.fix("readiness", &[("mumble/lifecycle", &format!("one\0{TOKEN}\0"))]);
    forge.keeps(&forge.run(&[]), "mumble/lifecycle");
    forge.mend();
    forge.keeps(&forge.run(&["--title", &format!("mumble: use {TOKEN}")]), "the title line 1");
    let patch = forge.world.fix_dir("readiness").join("patch");
    let diff = std::fs::read_to_string(&patch).unwrap();
    std::fs::write(&patch, format!("From 0\nSubject: x\n\nWhy.\nUse {TOKEN}.\n---\n\n{diff}")).unwrap();
    forge.keeps(&forge.run(&[]), "the explanation before the patch line 2");
}

/// The kind that says of itself what it is.
#[test]
fn so_is_a_secret_that_nobody_told_us() {
    let forge = Forge::new();
    forge
        .world
        .fix("readiness", &[("mumble/lifecycle", "one\ntwo\nPOSTGRES_PASSWORD=s3cretvalue9\nthree\n")]);
    let ran = forge.run(&[]);
    assert!(!ran.stderr.contains("s3cretvalue9"), "{}", ran.stderr);
    forge.keeps(&ran, "mumble/lifecycle, line 1");
}

#[test]
fn names_hold_none_either() {
    let forge = Forge::new();
    forge.keeps(&forge.run(&["--fix-id", TOKEN]), "the branch's name");
    forge.keeps(&forge.run(&["--label", TOKEN]), "a label");
    forge.keeps(&forge.run(&["--author", &format!("Bot <{TOKEN}@example.org>")]), "the commit's message");
}

/// A commit in the middle of somebody's branch is published with the branch.
#[test]
fn a_branch_is_looked_through_commit_by_commit() {
    let forge = Forge::new();
    let (clone, bare) = (forge.world.path("clone"), forge.world.bare());
    forge.world.git_in(forge.world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]);
    forge.world.git_in(&clone, &["checkout", "-q", "-b", "fix/mumble/by-hand"]);
    for text in [TOKEN, "by hand"] {
        std::fs::write(clone.join("mumble/lifecycle"), format!("{text}\n")).unwrap();
        forge.world.git_in(&clone, &["commit", "-q", "-am", "more"]);
    }
    let ran = forge.run_branch("fix/mumble/by-hand", &["--repo-dir", clone.to_str().unwrap()]);
    forge.keeps(&ran, "mumble/lifecycle, line 1");
}

/// git's trace of what it sends has the token in it: no variable of the caller turns it on, and no message has it.
#[test]
fn what_git_says_is_hidden() {
    let forge = Forge::new();
    let hook = forge.world.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    // A server that says aloud what it was sent.
    std::fs::write(&hook, format!("#!/bin/sh\necho 'you are {TOKEN}' >&2\nexit 1\n")).unwrap();
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = bin();
    command.arg("--fix").arg(forge.world.fix_dir("readiness")).args([
        "--forge",
        &forge.fake.url,
        "--repo",
        "o/n",
    ]);
    command.arg("--token-file").arg(forge.world.path("token")).args(["--grace", "0s"]);
    let trace = forge.world.path("trace");
    for name in [
        "GIT_TRACE",
        "GIT_TRACE_CURL",
        "GIT_CURL_VERBOSE",
        "GIT_TRACE_PACKET",
        "GIT_TRACE2",
        "GIT_TRACE2_ENV_VARS",
    ] {
        command.env(name, if name == "GIT_TRACE" { trace.to_str().unwrap() } else { "1" });
    }
    command.env("GIT_TRACE_REDACT", "0");
    let ran = run_hiding(command);
    ran.refused(1, &["pushing the branch", "you are [REDACTED:exact"]);
    assert!(!trace.exists() && !ran.stderr.contains("http.c"), "{}", ran.stderr);
    forge.asks("token repo base list past");
}

/// What a forge trusts us with is asked for before anything is changed.
#[test]
fn a_scope_that_is_lacking_is_named_before_the_push() {
    let forge = Forge::new();
    forge.fake.state().users.insert(TOKEN.into(), crate::fake::bot("write:repository"));
    forge.run(&["--testme"]).refused(2, &["it lacks the scope write:issue"]);
    forge.asks("token");
    forge.fake.state().users.insert(TOKEN.into(), crate::fake::bot("read:repository write:issue"));
    forge.run(&[]).refused(2, &["it lacks the scope write:repository"]);
    forge.asks("token");
    forge.fake.state().users.insert(TOKEN.into(), crate::fake::bot("all"));
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list past create list comment");
    let mut command = bin();
    command.arg("--fix").arg(forge.world.fix_dir("readiness")).args([
        "--forge",
        &forge.fake.url,
        "--repo",
        "o/n",
    ]);
    let mut state = forge.fake.state();
    state.traps.repo = serde_json::json!({"permissions": {"admin": false, "push": false, "pull": true}});
    drop(state);
    run(command, "").refused(2, &["without a token", "--token-file"]);
    forge.asks("repo");
}
