//! `--branch`: a branch with the user's own commits is proposed as it is.

use serde_json::json;

use crate::fixture::{Ran, bin, ledger, run};
use crate::forge::Forge;

const MINE: &str = "fix/mumble/by-hand";

impl Forge {
    pub fn run_branch(&self, branch: &str, extra: &[&str]) -> Ran {
        self.run_branch_with(branch, extra, &ledger())
    }

    fn run_branch_with(&self, branch: &str, extra: &[&str], stdin: &str) -> Ran {
        let mut command = bin();
        command.args(["--branch", branch, "--route", "harness-pr", "--title", "mumble: by hand"]);
        command
            .args(["--forge", &self.fake.url, "--repo", "o/n", "--token-file"])
            .arg(self.world.path("token"));
        command
            .arg("--git-url")
            .arg(format!("file://{}", self.world.bare().display()))
            .args(["--grace", "0s"])
            .args(extra);
        run(command, stdin)
    }
}

#[test]
fn a_branch_that_is_there_is_proposed_as_it_is() {
    let forge = Forge::new();
    let head = forge.world.commit_on(MINE, "mumble/lifecycle", "by hand\n");
    let record = forge.run_branch(MINE, &[]).opened();
    assert_eq!(
        (&record["action"], &record["head"], &record["branch"]),
        (&json!("created"), &json!(head), &json!(MINE))
    );
    assert_eq!((&record["fix_id"], &record["route"]), (&json!("by-hand"), &json!("harness-pr")));
    assert_eq!(record["cases"], json!([crate::fixture::CASE]));
    forge.asks("token repo base list past create list");
    assert_eq!(forge.run_branch(MINE, &[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
    let pull = forge.fake.state().pulls[0].clone();
    assert!(pull["body"].as_str().unwrap().contains("<!-- redfix-fix mumble/by-hand patch="), "{pull}");
}

#[test]
fn the_text_from_standard_input_and_the_verdict_from_the_ledger() {
    let forge = Forge::new();
    forge.world.commit_on(MINE, "mumble/lifecycle", "by hand\n");
    let file = forge.world.path("ledger.jsonl");
    std::fs::write(&file, ledger()).unwrap();
    let more = ["--body-file", "-", "--ledger", file.to_str().unwrap()];
    let secret = forge.run_branch_with(MINE, &more, "It waits now.\nPOSTGRES_PASSWORD=s3cretvalue\n");
    secret.refused(1, &["the text line 2: it holds a secret", "nothing was pushed or sent"]);
    assert!(!secret.stderr.contains("s3cretvalue"), "{}", secret.stderr);
    forge.asks("token repo base");
    let ran = forge.run_branch_with(MINE, &more, "It waits now.\n");
    let record = ran.opened();
    assert_eq!((record.get("no_verdict"), ran.stdout.lines().count()), (None, 1));
    assert_eq!(record["investigation"], "01JZZZZZZZZZZZZZZZZZZZZZZZ");
    let body = forge.fake.state().pulls[0]["body"].as_str().unwrap().to_owned();
    assert!(body.starts_with("It waits now.\n"), "{body}");
    forge.asks("token repo base list past create list");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with(&ledger()) && kept.contains("\"pr.opened\""), "{kept}");

    let without = forge.run_branch_with(MINE, &["--body-file", "-"], "text");
    without.refused(1, &["no flake.verdict"]);
    forge.asks("token repo base");
    let own = forge.run_branch_with(MINE, &["--body-file", "-", "--no-verdict"], "text");
    assert_eq!(own.opened()["no_verdict"], true);
    let body = forge.fake.state().pulls[0]["body"].as_str().unwrap().to_owned();
    assert!(body.contains("without a verdict") && body.contains("\ntext\n"), "{body}");
    forge.asks("token repo base list edit");
}

#[test]
fn a_clone_is_pushed_from_and_never_changed() {
    let forge = Forge::new();
    let clone = forge.world.path("clone");
    let bare = forge.world.bare();
    forge.world.git_in(forge.world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]);
    forge.world.git_in(&clone, &["checkout", "-q", "-b", MINE]);
    std::fs::write(clone.join("mumble/lifecycle"), "by hand\n").unwrap();
    forge.world.git_in(&clone, &["commit", "-q", "-am", "by hand"]);
    forge.world.git_in(&clone, &["checkout", "-q", "main"]);
    std::fs::write(clone.join("dirty"), "unsaved\n").unwrap();
    let state = || {
        let status = forge.world.git_in(&clone, &["status", "--porcelain=v2", "--branch"]);
        (
            status,
            forge.world.git_in(&clone, &["for-each-ref"]),
            forge.world.git_in(&clone, &["worktree", "list"]),
        )
    };
    let before = state();
    let from = ["--repo-dir", clone.to_str().unwrap()];
    let record = forge.run_branch(MINE, &from).opened();
    assert_eq!(record["head"], forge.world.git_in(&clone, &["rev-parse", MINE]));
    assert_eq!((record["head"].clone(), state()), (json!(forge.world.branch(MINE)), before));
    forge.asks("token repo base list past create list");

    // A newer commit of ours is pushed; a commit of somebody else is not overwritten.
    forge.world.git_in(&clone, &["checkout", "-q", MINE]);
    forge.world.git_in(&clone, &["commit", "-q", "--allow-empty", "-m", "more"]);
    assert_eq!(forge.run_branch(MINE, &from).opened()["action"], "updated");
    assert_eq!(forge.world.branch(MINE), forge.world.git_in(&clone, &["rev-parse", MINE]));
    forge.asks("token repo base list head");
    forge.world.commit_on(MINE, "mumble/lifecycle", "by ann\n");
    forge.run_branch(MINE, &from).refused(1, &["somebody else has committed", "pull their commits"]);
    forge.asks("token repo base list");
    // The patch mode borrows from it, too.
    assert_eq!(forge.run(&from).opened()["action"], "created");
    forge.asks("token repo base list past create list");
}

#[test]
fn branches_that_cannot_be() {
    let forge = Forge::new();
    forge.run_branch("fix/mumble/nope", &[]).refused(2, &["there is no such branch", "--repo-dir"]);
    forge.asks("token repo base");
    forge.world.commit_on("main", "mumble/lifecycle", "x\n");
    forge.run_branch("main", &["--recipe", "mumble"]).refused(1, &["people merge into this one"]);
    forge.asks("token repo base");
    forge.world.commit_on(MINE, "mumble/custom/test_x.py", "assert 1\n");
    forge.run_branch(MINE, &[]).refused(1, &["changes a test"]);
    forge.asks("token repo base");
    let mut command = bin();
    command.args(["--branch", MINE, "--forge", "dir:/x", "--repo", "o/n"]);
    let ran = run(command, "");
    assert!(
        ran.code == 2 && ran.stderr.contains("--route") && ran.stderr.contains("--title"),
        "{}",
        ran.stderr
    );
}
