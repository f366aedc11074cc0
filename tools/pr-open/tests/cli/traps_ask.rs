//! The traps of real forges around tokens and CI, and what must never happen: `trap_NN_...`, numbered in the order in
//! which they were found. `traps_open.rs` has the first ones.

use serde_json::json;

use crate::fake::Fake;
use crate::forge::{BRANCH, Forge, LOOK, QUICK};

#[test]
fn trap_13_comments_need_another_scope() {
    let forge = Forge::new();
    let message = "token does not have at least one of required scope(s): [write:issue]";
    let template = "/repos/{owner}/{repo}/issues/{index}/comments";
    forge.fake.state().traps.refuse = vec![("POST", template, 403, message)];
    let ran = forge.run(&["--testme"]);
    assert_eq!((ran.code, ran.records("pr.opened").len()), (2, 1));
    for word in ["HTTP 403", "make a token that has the scope write:issue"] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    forge.asks("token repo base list past create list comment");
    // With the right token the next run asks.
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list comments comment");
}

/// A token for one repository may not ask who it is, and the rules of a protection are for admins: neither is asked for.
/// The words in `fake::word` are all that can be. What a token may do is not said everywhere: it is no trouble where not.
#[test]
fn trap_14_15_25_what_is_never_asked() {
    let forge = Forge::new();
    forge.fake.state().traps.no_introspection = true;
    forge.run(&["--testme", "--strict"]).opened();
    let paths: Vec<String> = forge.fake.state().log.iter().map(|e| e.path.clone()).collect();
    for never in ["/user", "/branch_protections", "/collaborators", "/version", "/settings"] {
        assert!(!paths.iter().any(|path| path.contains(never)), "{never}: {paths:?}");
    }
    forge.asks("token repo base list past create list comment");
}

/// The token is in one header, never in an address, and is never sent to another host.
#[test]
fn trap_16_the_token_stays_here() {
    let forge = Forge::new();
    let elsewhere = Fake::new(forge.world.bare());
    forge.fake.state().traps.redirect = Some(elsewhere.url.clone());
    forge.run(&[]).refused(2, &["redirects to", "final address"]);
    assert!(elsewhere.state().seen.is_empty());
    assert!(forge.fake.state().seen.iter().all(|request| !request.path.contains(crate::forge::TOKEN)));
    assert_eq!(forge.fake.state().seen.len(), 1);
}

#[test]
fn trap_17_a_red_on_the_second_page_is_seen() {
    for (max_page, no_total, pages) in [
        (50, false, "statuses statuses:2"),
        (50, true, "statuses statuses:2 statuses:3"),
        (21, false, "statuses statuses:2 statuses:3"),
    ] {
        let forge = Forge::opened();
        let head = forge.head();
        forge.fake.state().put_status(&head, "lint", "failure");
        for n in 0..60 {
            forge.fake.state().put_status(&head, &format!("job-{n}"), "success");
        }
        (forge.fake.state().traps.max_page, forge.fake.state().traps.no_total) = (max_page, no_total);
        let ran = forge.run(&["--wait", "--poll", "20ms", "--settle", "0s"]);
        assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("red")), "{max_page}: {}", ran.stderr);
        assert_eq!(ran.checked()["contexts"].as_array().unwrap().len(), 61);
        let look = if no_total { "token repo base list list:2" } else { "token repo base list" };
        forge.asks(&format!("{look} comments {pages} comments pull"));
    }
}

/// An empty state or an unknown word is neither green nor red; a commit without a status is none.
#[test]
fn trap_18_what_is_not_said_is_not_green() {
    for word in ["", "pending", "whatever"] {
        let forge = Forge::new();
        forge.fake.state().traps.ci = [("ci", word)].into();
        forge.fake.state().traps.odd_words = true;
        let ran = forge.run(&["--testme", "--wait", "--poll", "20ms", "--deadline", "150ms"]);
        assert_eq!((ran.code, &ran.checked()["state"]), (75, &json!("pending")), "{}", ran.stderr);
        let asked = forge.fake.asked();
        assert!(asked.starts_with(&format!("{LOOK} create list comment comments statuses")), "{asked}");
    }
}

/// How versions combine states is not asked: `warning` is red, and where all was skipped nothing was tested.
#[test]
fn trap_19_states_are_combined_here() {
    let all = [
        (vec![("a", "warning"), ("b", "success")], 1, "red"),
        (vec![("a", "skipped"), ("b", "success")], 0, "green"),
        (vec![("a", "skipped")], 1, "red"),
    ];
    for (statuses, code, state) in all {
        let forge = Forge::opened();
        let head = forge.head();
        for (context, status) in statuses {
            forge.fake.state().put_status(&head, context, status);
        }
        let ran = forge.run(&["--wait", "--poll", "20ms", "--settle", "0s", "--deadline", "150ms"]);
        assert_eq!((ran.code, &ran.checked()["state"]), (code, &json!(state)), "{}", ran.stderr);
        assert!(forge.fake.asked().starts_with("token repo base list comments statuses"));
    }
}

/// When a run is repeated on the same commit, the old green is not its answer, whatever the times say.
#[test]
fn trap_20_a_stale_green_is_not_the_answer() {
    let forge = Forge::opened();
    let head = forge.head();
    forge.fake.state().put_status(&head, "cc-ci/testme", "success");
    let none = forge.run(&QUICK);
    assert_eq!((none.code, &none.checked()["state"]), (75, &json!("none")), "{}", none.stderr);
    assert!(
        forge
            .fake
            .asked()
            .starts_with("token repo base list comments statuses edit comment comments statuses")
    );
}

/// The statuses of the commit are asked for, not those of the branch, which may be at another commit.
#[test]
fn trap_21_by_commit() {
    let forge = Forge::new();
    forge.fake.state().traps.ci = [("ci", "success")].into();
    forge.run(&["--testme", "--wait", "--poll", "20ms", "--settle", "0s"]).checked();
    let head = forge.head();
    let log = forge.fake.state().log.clone();
    let mut asked = log.iter().filter(|e| e.path.contains("/statuses"));
    assert!(asked.all(|e| e.path.contains(&format!("/commits/{head}/statuses"))));
    forge.asks("token repo base list past create list comment comments statuses comments pull");
}

/// If pages are smaller than asked for and no total is given, pages are read until an empty one.
#[test]
fn trap_22_pages_that_are_cut() {
    let forge = Forge::opened();
    let head = forge.head();
    for n in 0..4 {
        forge.fake.state().put_status(&head, &format!("job-{n}"), "success");
    }
    (forge.fake.state().traps.max_page, forge.fake.state().traps.no_total) = (3, true);
    let ran = forge.run(&["--wait", "--poll", "20ms", "--settle", "0s"]);
    assert_eq!(ran.checked()["contexts"].as_array().unwrap().len(), 4);
    forge.asks("token repo base list list:2 comments statuses statuses:2 statuses:3 comments pull");
}

/// The comment is exactly the trigger; the marker is hidden in the body.
#[test]
fn trap_23_the_trigger_is_bare() {
    let forge = Forge::new();
    forge.run(&["--testme"]).opened();
    assert_eq!(forge.bodies(), ["!testme"]);
    let body = forge.fake.state().pulls[0]["body"].as_str().unwrap().to_owned();
    assert!(
        body.contains(&format!("<!-- redfix-run head={} after=0 comments=0 -->", forge.head())),
        "{body}"
    );
    forge.asks("token repo base list past create list comment");
}

/// If an answer is lost, by a proxy or because the connection broke, the tool looks whether the request was carried out
/// and does not just repeat it.
#[test]
fn trap_24_a_lost_answer() {
    for cut in [false, true] {
        let forge = Forge::new();
        forge.fake.state().traps.cut = cut;
        forge.fake.state().traps.lose_answers = ["POST"].into();
        assert_eq!(forge.run(&[]).opened()["action"], "created");
        forge.asks("token repo base list past create list list");
        // The note in the body and the comment are lost, and found.
        forge.fake.state().traps.lose_answers = ["PATCH", "POST"].into();
        forge.run(&["--testme"]).opened();
        forge.asks("token repo base list comments statuses edit pull comment comments");
        assert_eq!((forge.bodies().len(), forge.fake.state().pulls.len()), (1, 1));
    }
}

#[test]
fn trap_24_reads_are_tried_again_and_retry_after_is_heard() {
    for (status, after) in [(503, ""), (429, "0"), (500, "Sun, 06 Nov 1994 08:49:37 GMT")] {
        let forge = Forge::new();
        forge.fake.state().traps.away = (1, status, after);
        assert_eq!(forge.run(&[]).opened()["action"], "created");
        forge.asks("token token repo base list past create list");
    }
    let forge = Forge::opened();
    let tries = std::time::Instant::now();
    forge.fake.state().traps.away = (1, 429, "2");
    forge.run(&[]).opened();
    // It must not come back sooner than asked; how much later depends on the machine.
    assert!(tries.elapsed() >= std::time::Duration::from_secs(2));
    forge.asks("token token repo base list");
}

#[test]
fn trap_25_protected_branches_and_strong_tokens() {
    let forge = Forge::new();
    forge.fake.state().traps.strong = true;
    forge.run(&["--strict"]).refused(1, &["may push to, or merge into, the base"]);
    forge.asks("token repo base");
    forge.run(&[]).opened();
    forge.asks("token repo base list past create list");
    forge.fake.state().traps.protected = Some(BRANCH);
    // Where nothing is to be pushed, nobody minds.
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
    forge.mend();
    forge.run(&[]).refused(1, &["protected", "the list of those who may push"]);
    forge.asks("token repo base list head");
    forge.fake.state().traps.on_push_list = true;
    assert_eq!(forge.run(&[]).opened()["action"], "updated");
    forge.asks("token repo base list head edit");
}

#[test]
fn trap_26_what_the_repository_says_of_itself() {
    for (repo, word) in [
        (json!({"archived": true}), "archived"),
        (json!({"mirror": true}), "mirror"),
        (json!({"empty": true}), "empty"),
        (json!({"has_pull_requests": false}), "no pull requests"),
        (json!({"permissions": {"admin": false, "push": false, "pull": true}}), "may not push"),
    ] {
        let forge = Forge::new();
        forge.fake.state().traps.repo = repo;
        forge.run(&[]).refused(2, &[word]);
        forge.asks("token repo");
    }
    // Forgejo and old versions leave fields out, which is no refusal.
    let forge = Forge::new();
    forge.fake.state().traps.repo = json!({"has_pull_requests": null, "permissions": null});
    forge.run(&[]).opened();
    forge.asks("token repo base list past create list");
    // The default branch is never a head, whatever it is called.
    let forge = Forge::new();
    forge.fake.state().traps.repo = json!({"default_branch": BRANCH});
    forge.run(&[]).refused(1, &["people merge into this one"]);
    forge.asks("token repo base");
}

/// No ref but the one branch is ever pushed: neither `refs/for` nor another branch.
#[test]
fn trap_27_one_explicit_ref() {
    let forge = Forge::opened();
    let refs = forge.world.git_in(&forge.world.bare(), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/fix/mumble/readiness\nrefs/heads/main\nrefs/pull/1/head");
}

/// Nothing merges, closes, approves or writes files: no source file has the words, and no test the request. (Each test
/// asserts its whole sequence of requests, and `fake::word` knows only the fourteen that are allowed.)
#[test]
fn trap_28_it_never_merges() {
    let sources = crate::pipe::sources();
    assert!(sources.len() > 30, "{} files", sources.len());
    for (path, text) in sources {
        for word in ["/merge", "/update", "/contents", "/git/refs", "/reviews", "\"Do\"", "\"state\":"] {
            let hit = text.lines().find(|line| line.contains(word) && !line.contains("r#\""));
            assert!(hit.is_none(), "{}: {word}: {hit:?}", path.display());
        }
    }
}
