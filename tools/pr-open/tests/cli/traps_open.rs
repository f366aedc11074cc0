//! The traps of real forges around opening a pull request, one test each: `trap_NN_...`, numbered in the order in which
//! they were found.

use serde_json::json;

use crate::forge::{BRANCH, Forge};

/// 409 means that somebody was faster; the open pull request is looked for, and found.
#[test]
fn trap_01_conflict_means_somebody_was_faster() {
    let forge = Forge::opened();
    forge.fake.state().traps.hide_until_post = true;
    let record = forge.run(&[]).opened();
    assert_eq!((&record["action"], &record["number"]), (&json!("unchanged"), &json!(1)));
    forge.asks("token repo base list past create list");
    assert_eq!(forge.fake.state().pulls.len(), 1);

    let forge = Forge::new();
    forge.fake.state().traps.refuse = vec![("POST", "/repos/{owner}/{repo}/pulls", 409, "already exists")];
    forge.run(&[]).refused(2, &["HTTP 409 already exists", "may not see"]);
    forge.asks("token repo base list past create list");
}

/// A forge accepts a pull request without any difference, so none is opened.
#[test]
fn trap_02_no_difference_no_pull_request() {
    let forge = Forge::new();
    let head = forge.world.branch("main");
    forge.world.git_in(&forge.world.bare(), &["update-ref", "refs/heads/fix/mumble/empty", &head]);
    let ran = forge.run_branch("fix/mumble/empty", &[]);
    ran.refused(1, &["nothing to do"]);
    assert_eq!(ran.records("pr.skipped")[0]["state"], "nothing-to-do");
    forge.asks("token repo base list past");
}

/// Filters of lists are not relied on, and `head` is the branch's name alone; otherwise every second run would end with
/// 409.
#[test]
fn trap_03_filters_are_applied_here() {
    let forge = Forge::new();
    let head = forge.world.commit_on("bob", "gitea/lifecycle", "bob\n");
    for base in ["main", "release"] {
        for branch in ["bob", "fix/mumble/readiness-2", "readiness"] {
            forge.fake.state().put_pull(branch, base, "t", "", &head);
        }
    }
    assert_eq!(forge.run(&[]).opened()["number"], 7);
    let log = forge.fake.state().log.clone();
    let create = log.iter().find(|e| e.method == "POST").unwrap().body.clone().unwrap();
    assert_eq!(create["head"], BRANCH);
    assert!(log.iter().any(|e| e.path.ends_with("/pulls?state=open&limit=50&page=1")));
    forge.asks("token repo base list past create list");
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
}

/// A search by base and head may find an old closed pull request although one is open, so the open ones are read first.
#[test]
fn trap_04_an_old_one_does_not_hide_the_open_one() {
    let forge = Forge::opened();
    forge.fake.state().pulls[0]["state"] = json!("closed");
    forge.run(&["--reopen"]).opened();
    forge.asks("token repo base list past closed create list");
    let record = forge.run(&[]).opened();
    assert_eq!((&record["action"], &record["number"]), (&json!("unchanged"), &json!(2)));
    forge.asks("token repo base list");
}

/// A slash in the base is escaped, one in the head is not.
#[test]
fn trap_04_slashes() {
    let forge = Forge::new();
    let head = forge.world.branch("main");
    forge.world.git_in(&forge.world.bare(), &["update-ref", "refs/heads/release/1", &head]);
    forge.run(&["--base", "release/1"]).opened();
    let paths: Vec<String> = forge.fake.state().log.iter().map(|e| e.path.clone()).collect();
    assert!(paths.contains(&"/repos/o/n/pulls/release%2F1/fix/mumble/readiness".to_owned()), "{paths:?}");
    assert!(paths.contains(&"/repos/o/n/branches/release/1".to_owned()), "{paths:?}");
    forge.asks("token repo head list past create list");
}

/// Our pull request may be on any page of the list.
#[test]
fn trap_05_all_pages_are_looked_at() {
    let forge = Forge::opened();
    let head = forge.head();
    let ours = forge.fake.state().pulls.remove(0);
    for n in 0..5 {
        forge.fake.state().put_pull(&format!("other-{n}"), "main", "t", "", &head);
    }
    forge.fake.state().pulls.push(ours);
    forge.fake.state().traps.max_page = 2;
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list list:2 list:3");
}

/// A pull request is not ours if its head's repository is gone or a fork, or if it was made with `AGit` and has no
/// branch.
#[test]
fn trap_06_heads_of_others() {
    let forge = Forge::new();
    let head = forge.world.commit_on("bob", "gitea/lifecycle", "bob\n");
    for (label, repo) in [(BRANCH, json!(77)), ("", json!(5)), (BRANCH, json!(-1))] {
        forge.fake.state().put_pull("bob", "main", "t", "", &head);
        let mut state = forge.fake.state();
        let pull = state.pulls.last_mut().unwrap();
        (pull["head"]["label"], pull["head"]["repo_id"]) = (json!(label), repo);
    }
    assert_eq!(forge.run(&[]).opened()["number"], 4);
    forge.asks("token repo base list past create list");
}

#[test]
fn trap_07_a_draft_is_a_title_that_says_so() {
    let forge = Forge::new();
    forge.fake.state().traps.draft_prefix = Some("mumble:");
    let ran = forge.run(&[]);
    assert!(ran.opened()["warnings"][0].as_str().unwrap().contains("draft"), "{}", ran.stderr);
    assert!(ran.stderr.contains("draft"));
    forge.asks("token repo base list past create list");
    forge.run(&["--title", &"x".repeat(256)]).refused(2, &["at most 255"]);
}

/// `mergeable` is false while the forge is still checking, so it is not used.
#[test]
fn trap_08_mergeable_says_nothing() {
    let forge = Forge::opened();
    assert_eq!(forge.fake.state().pulls[0]["mergeable"], false);
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
}

/// An edit is answered with 201, and sends only title and body: labels in it would replace those that people have set.
#[test]
fn trap_09_an_edit_leaves_the_rest_alone() {
    let forge = Forge::opened();
    forge.fake.state().pulls[0]["title"] = json!("by hand");
    forge.fake.state().pulls[0]["labels"] = json!([{"id": 99, "name": "people"}]);
    assert_eq!(forge.run(&["--label", "flake"]).opened()["action"], "updated");
    assert_eq!(forge.fake.state().log.last().unwrap().status, 201);
    forge.asks("token repo base list edit");
    assert_eq!(forge.fake.state().pulls[0]["labels"][0]["id"], 99);
}

/// Labels are sent as ids. Unknown ones are named and dropped ones noticed; with `--strict` either is an error.
#[test]
fn trap_10_labels_that_are_not_there() {
    let forge = Forge::new();
    forge.fake.state().traps.drop_labels = true;
    let ran = forge.run(&["--label", "flake,nope"]);
    let warnings = ran.opened()["warnings"].clone();
    assert!(warnings[0].as_str().unwrap().contains("no label 'nope'"), "{warnings}");
    assert!(warnings[1].as_str().unwrap().contains("dropped the label 'flake'"), "{warnings}");
    forge.asks("token repo base list past labels org-labels create list");

    let forge = Forge::new();
    forge.fake.state().traps.max_page = 1;
    forge.run(&["--label", "harness"]).opened();
    forge.asks("token repo base list past labels labels:2 create list");
    let strict = Forge::new();
    let ran = strict.run(&["--strict", "--label", "nope"]);
    assert_eq!((ran.code, ran.records("pr.opened").len()), (1, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("no label 'nope'") && ran.stderr.contains("--strict"), "{}", ran.stderr);
    strict.asks("token repo base list past labels org-labels create list");
}

/// Reviewers are asked in a separate request, which every version has; a refusal is a warning.
#[test]
fn trap_11_reviewers() {
    for status in [403, 404, 422] {
        let forge = Forge::new();
        forge.fake.state().traps.no_reviewers = Some(status);
        let ran = forge.run(&["--reviewer", "ann"]);
        let warning = ran.opened()["warnings"][0].as_str().unwrap().to_owned();
        assert!(warning.contains("no review was asked of ann") && warning.contains("not a collaborator"));
        let create =
            forge.fake.state().log.iter().find(|e| e.method == "POST").unwrap().body.clone().unwrap();
        assert!(create.get("reviewers").is_none());
        forge.asks("token repo base list past create review list");
    }
}

#[test]
fn trap_12_permissions_to_create() {
    for (status, message, words) in [
        (403, "user should be a collaborator", ["HTTP 403", "collaborator with write access"]),
        (403, "user is blocked", ["blocked", "its owner has blocked"]),
        (423, "repo is archived", ["HTTP 423", "is archived"]),
        (413, "quota exceeded", ["HTTP 413", "quota is used up"]),
        (404, "not found", ["HTTP 404", "pull requests switched on"]),
        (422, "base and head must be branches", ["HTTP 422", "two different branches"]),
    ] {
        let forge = Forge::new();
        forge.fake.state().traps.refuse = vec![("POST", "/repos/{owner}/{repo}/pulls", status, message)];
        forge.run(&[]).refused(2, &words);
        forge.asks("token repo base list past create");
    }
}
