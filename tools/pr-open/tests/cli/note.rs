//! `--comment --pr N`: a fix for a test that is itself wrong is explained, not made.

use serde_json::json;

use crate::fixture::{CASE, finished, run, verdict};
use crate::forge::{Forge, TOKEN};

impl Forge {
    /// A forge with somebody's open pull request, and a fix that changes a test.
    fn stale() -> Self {
        let forge = Self::new();
        forge.world.fix("readiness", &[("mumble/custom/test_x.py", "assert 1\n")]);
        std::fs::write(forge.world.fix_dir("readiness").join("route"), "test-comment\n").unwrap();
        let head = forge.world.commit_on("bob", "gitea/lifecycle", "bob\n");
        forge.fake.state().put_pull("bob", "main", "his", "his words", &head);
        forge
    }

    fn explain(&self, extra: &[&str]) -> crate::fixture::Ran {
        let ledger = finished("a1", "isolated", "fail", true) + &verdict("genuine", &["test-comment"]);
        let more = [&["--comment", "--pr", "1"], extra].concat();
        run(self.command(&self.fake.url, &more), &ledger)
    }
}

#[test]
fn explained_once_and_brought_up_to_date() {
    let forge = Forge::stale();
    let ran = forge.explain(&["--upstream-issue", "https://up.example/7"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let record = &ran.records("pr.commented")[0];
    assert_eq!((&record["action"], &record["number"]), (&json!("created"), &json!(1)));
    assert_eq!((&record["cases"], &record["route"]), (&json!([CASE]), &json!("test-comment")));
    assert_eq!(record["url"], format!("{}#issuecomment-7", forge.link(1)));
    assert_eq!(record["upstream_issue"], "https://up.example/7");
    assert!(ran.records("pr.opened").is_empty());
    forge.asks("token pull comments comment comments");
    let text = forge.bodies()[0].clone();
    for word in
        ["```diff\n", "+assert 1", "hash-of-a1", "genuine", "https://up.example/7", "for people to decide"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(text.lines().next_back(), Some("<!-- redfix-comment mumble/readiness -->"));

    let same = forge.explain(&["--upstream-issue", "https://up.example/7"]);
    assert_eq!(same.records("pr.commented")[0]["action"], "unchanged");
    forge.asks("token pull comments");
    // Somebody who quotes it does not hide it.
    forge.fake.state().put_comment("1", &format!("> {text}\n\nI see."));
    let newer = forge.explain(&[]);
    assert_eq!(newer.records("pr.commented")[0]["action"], "updated");
    forge.asks("token pull comments edit-comment");
    assert!(!forge.bodies()[0].contains("up.example") && forge.bodies()[1].ends_with("I see."));
    let body = forge.fake.state().pulls[0]["body"].clone();
    assert_eq!((body, forge.bodies().len()), (json!("his words"), 2));
}

#[test]
fn a_lost_answer_is_looked_for() {
    let forge = Forge::stale();
    forge.fake.state().traps.lose_answers = ["POST"].into();
    assert_eq!(forge.explain(&[]).records("pr.commented")[0]["action"], "created");
    forge.asks("token pull comments comment comments comments");
    assert_eq!(forge.bodies().len(), 1);
}

#[test]
fn own_words_and_a_dry_run() {
    let forge = Forge::stale();
    let words = forge.world.path("words.md");
    let more = ["--body-file", words.to_str().unwrap()];
    std::fs::write(&words, format!("See for yourself. {TOKEN}\n")).unwrap();
    let secret = forge.explain(&more);
    assert!(
        secret.code == 1 && secret.stderr.contains("the text line 1: it holds a secret"),
        "{}",
        secret.stderr
    );
    assert!(!secret.stderr.contains(TOKEN) && forge.bodies().is_empty(), "{}", secret.stderr);
    forge.asks("token");
    std::fs::write(&words, "See for yourself.\n").unwrap();
    let ran = forge.explain(&[&more[..], &["--dry-run"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.records("pr.commented").is_empty() && forge.bodies().is_empty());
    assert!(
        ran.stderr.contains("/issues/1/comments") && ran.stderr.contains("| See for yourself."),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    forge.asks("token pull comments");
    forge.explain(&more);
    let text = &forge.bodies()[0];
    assert_eq!(text, "See for yourself.\n\n<!-- redfix-comment mumble/readiness -->");
    forge.asks("token pull comments comment comments");
}

#[test]
fn refused_like_a_pull_request() {
    let forge = Forge::stale();
    let more = ["--comment", "--pr", "1"];
    run(forge.command(&forge.fake.url, &more), "").refused(1, &["no flake.verdict"]);
    forge.asks("token");
    forge.run(&more).refused(1, &["harness-pr", "test-comment"]);
    forge.asks("token");
    assert_eq!(run(forge.command(&forge.fake.url, &[&more[..], &["--no-verdict"]].concat()), "").code, 0);
    forge.asks("token pull comments comment comments");
    assert!(forge.bodies()[0].contains("without a verdict"));
    let ran = run(forge.command(&forge.fake.url, &["--comment", "--pr", "9", "--no-verdict"]), "");
    assert!(ran.code == 2 && ran.stderr.contains("HTTP 404"), "{}", ran.stderr);
    forge.asks("token pull");
    let reopen = ["--comment", "--pr", "1", "--reopen"];
    for usage in [&["--comment"][..], &["--pr", "1"], &["--comment", "--pr", "1", "--testme"], &reopen] {
        assert_eq!(run(forge.command(&forge.fake.url, usage), "").code, 2, "{usage:?}");
    }
}

/// The queue on disk keeps every version of the comment, and the newest counts.
#[test]
fn in_a_folder() {
    let world = crate::fixture::World::new();
    let head = world.commit_on("bob", "gitea/lifecycle", "bob\n");
    world.append(&json!({"event": "pull.opened", "number": 1, "head": "bob", "base": "main", "sha": head,
        "title": "his", "body": ""}));
    let say = |extra: &[&str]| {
        let ran = world.run(&[&["--comment", "--pr", "1"], extra].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.records("pr.commented")[0]["action"].clone()
    };
    assert_eq!((say(&[]), say(&[])), (json!("created"), json!("unchanged")));
    assert_eq!(say(&["--upstream-issue", "https://up.example/1"]), "updated");
    assert_eq!(say(&["--upstream-issue", "https://up.example/1"]), "unchanged");
    assert_eq!(world.events("comment").len(), 2);
}
