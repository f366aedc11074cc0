//! Opening, updating and finding the one pull request over HTTP; each test asserts the whole sequence of requests.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::fake::bot;
use crate::fixture::{Ran, ledger};
use crate::forge::{BRANCH, Forge, LOOK, TOKEN};

#[test]
fn created_with_six_requests_then_unchanged_with_four() {
    let forge = Forge::new();
    let first = forge.run(&[]).opened();
    assert_eq!((&first["action"], &first["number"]), (&json!("created"), &json!(1)));
    assert_eq!(first["url"], forge.link(1));
    assert_eq!(first["forge"], forge.fake.url);
    assert_eq!(first["head"], forge.head());
    assert!(first.get("warnings").is_none());
    forge.asks("token repo base list past create list");
    for request in &forge.fake.state().seen {
        assert_eq!(request.header("authorization"), format!("token {TOKEN}"));
        assert!(request.header("user-agent").starts_with("redfix-pr-open/"));
    }
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
    forge.fake.state().traps.crlf = true;
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    forge.asks("token repo base list");
}

/// The longest sequence: the branch exists, labels are the repository's and its owner's, reviewers and CI are asked.
#[test]
fn a_full_create_takes_eleven_requests_and_thirteen_with_testme() {
    let full = ["--label", "flake,redfix", "--reviewer", "ann", "--reviewer", "bob"];
    let forge = Forge::new();
    let scopes = "write:repository write:issue read:organization";
    forge.fake.state().users.insert(TOKEN.into(), bot(scopes));
    let record = forge.run(&full).opened();
    assert!(record.get("warnings").is_none(), "{record}");
    assert_eq!(count(&forge, "token repo base list past labels org-labels create review review list"), 11);
    let pull = forge.fake.state().pulls[0].clone();
    assert_eq!((&pull["labels"][0]["id"], &pull["labels"][1]["id"]), (&json!(31), &json!(41)));
    assert_eq!(pull["requested_reviewers"], json!([{"login": "ann"}, {"login": "bob"}]));

    let forge = Forge::new();
    forge.fake.state().users.insert(TOKEN.into(), bot(scopes));
    forge.run(&[]).opened();
    forge.asks("token repo base list past create list");
    forge.fake.state().pulls.clear();
    forge.run(&[&full[..], &["--testme"]].concat()).opened();
    let words = "token repo base list past labels org-labels statuses create review review list comment";
    assert_eq!(count(&forge, words), 13);
    assert_eq!(forge.bodies(), ["!testme"]);
}

#[track_caller]
fn count(forge: &Forge, words: &str) -> usize {
    forge.asks(words);
    words.split(' ').count()
}

#[test]
fn an_update_edits_title_and_body_only() {
    let forge = Forge::opened();
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    let record = forge.run(&["--label", "flake"]).opened();
    assert_eq!((&record["action"], &record["head"]), (&json!("updated"), &json!(forge.head())));
    let edit = forge.fake.state().log.last().cloned().unwrap();
    assert_eq!(edit.body.unwrap().as_object().unwrap().keys().collect::<Vec<_>>(), ["body", "title"]);
    forge.asks("token repo base list head edit");
}

#[test]
fn somebody_elses_with_the_same_patch_is_adopted() {
    let forge = Forge::new();
    let head = forge.world.commit_on("bob", "mumble/lifecycle", "one\ntwo\nready\nthree\n");
    forge.fake.state().put_pull("bob", "main", "mine", "by hand", &head);
    let ran = forge.run(&["--testme"]);
    let record = ran.opened();
    assert_eq!(
        (&record["action"], &record["number"], &record["head"]),
        (&json!("adopted"), &json!(1), &json!(head))
    );
    // Nothing is noted in somebody else's text.
    forge.asks("token repo base list past comments statuses comment");
    assert_eq!((forge.bodies(), forge.fake.state().pulls.len()), (vec!["!testme".to_owned()], 1));
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list past comments statuses");
}

#[test]
fn one_that_touches_the_same_file_is_shown() {
    let forge = Forge::new();
    let head = forge.world.commit_on("bob", "mumble/lifecycle", "something else\n");
    forge.fake.state().put_pull("bob", "main", "mine", "", &head);
    let ran = forge.run(&[]);
    assert_eq!(ran.opened()["number"], 2);
    assert!(ran.stderr.contains("pulls/1 changes mumble/lifecycle, too"), "{}", ran.stderr);
    forge.asks("token repo base list past create list");
}

#[test]
fn twenty_at_once_end_with_one() {
    let forge = Forge::new();
    let opened = at_once(&forge, 20, |_| None);
    assert_eq!(opened.iter().filter(|record| record["action"] == "created").count(), 1);
    assert_eq!((forge.bodies(), forge.fake.state().pulls.len()), (vec!["!testme".to_owned()], 1));
    let asked = forge.fake.asked();
    let times = |word: &str| asked.split(' ').filter(|asked| *asked == word).count();
    assert_eq!((times("create"), times("comment"), times("edit")), (1, 1, 0), "{asked}");
}

/// Processes that share no lock, as on several machines; only the lease on the branch and the forge's 409 keep them
/// apart.
#[test]
fn six_without_a_common_lock_end_with_one() {
    let forge = Forge::new();
    let tmp = |n: usize| {
        let tmp = forge.world.path(&format!("tmp-{n}"));
        std::fs::create_dir(&tmp).unwrap();
        Some(tmp)
    };
    let opened = at_once(&forge, 6, tmp);
    assert!(opened.iter().all(|record| record["head"] == opened[0]["head"]));
    assert_eq!(forge.fake.state().pulls.len(), 1);
    let asked = forge.fake.asked();
    assert!(!asked.contains("edit"), "{asked}");
}

/// Runs `many` processes at once; each has the TMPDIR that `tmp` gives, if it gives one.
fn at_once(forge: &Forge, many: usize, tmp: impl Fn(usize) -> Option<std::path::PathBuf>) -> Vec<Value> {
    let spawn = |n: usize| {
        let mut command = forge.command(&forge.fake.url, &["--no-verdict", "--testme", "--grace", "3s"]);
        if let Some(tmp) = tmp(n) {
            command.env("TMPDIR", tmp).args(["--trigger", "!testme"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..many).map(spawn).collect();
    children.into_iter().map(|child| Ran::of(child.wait_with_output().unwrap()).opened()).collect()
}

#[test]
fn the_dead_are_not_raised() {
    let forge = Forge::opened();
    forge.fake.state().pulls[0]["state"] = json!("closed");
    let ran = forge.run(&[]);
    ran.refused(1, &["closed without a merge", "--reopen"]);
    let skipped = &ran.records("pr.skipped")[0];
    assert_eq!((&skipped["state"], &skipped["number"]), (&json!("closed"), &json!(1)));
    forge.asks("token repo base list past closed");
    assert_eq!(forge.run(&["--reopen"]).opened()["number"], 2);
    forge.asks("token repo base list past closed create list");

    let forge = Forge::opened();
    forge.fake.state().pulls[0]["state"] = json!("closed");
    forge.fake.state().pulls[0]["merged"] = json!(true);
    let ran = forge.run(&["--testme", "--wait"]);
    assert_eq!(ran.opened()["action"], "unchanged");
    assert_eq!((&ran.checked()["merged"], &ran.checked()["state"]), (&json!(true), &json!("none")));
    forge.asks("token repo base list past closed");
}

#[test]
fn nothing_to_do_is_in_a_record() {
    let forge = Forge::new();
    forge.world.commit_on("main", "mumble/lifecycle", "one\ntwo\nready\nthree\n");
    let ran = forge.run(&[]);
    ran.refused(1, &["has this change already: nothing to do"]);
    let skipped = &ran.records("pr.skipped")[0];
    assert_eq!((&skipped["state"], &skipped["branch"]), (&json!("nothing-to-do"), &json!(BRANCH)));
    assert!(skipped.get("number").is_none());
    forge.asks(LOOK);
}

#[test]
fn a_dry_run_prints_the_requests_and_only_reads() {
    let forge = Forge::new();
    let ran = forge.run(&["--dry-run", "--testme", "--wait", "--label", "flake,nope", "--reviewer", "ann"]);
    assert_eq!((ran.code, &ran.stdout), (0, &ledger()));
    forge.asks("token repo base list past labels org-labels");
    let api = format!("{}/api/v1/repos/o/n", forge.fake.url);
    for words in [
        format!("would run: git push --force-with-lease=refs/heads/{BRANCH}: file://"),
        format!("would send: POST {api}/pulls\n"),
        "authorization: token [REDACTED]".into(),
        "\"labels\":[31]".into(),
        "there is no label 'nope'".into(),
        format!("would send: POST {api}/pulls/{{index}}/requested_reviewers"),
        "{\"reviewers\":[\"ann\"]}".into(),
        format!("would send: POST {api}/issues/{{index}}/comments"),
        "{\"body\":\"!testme\"}".into(),
        "| ## Evidence".into(),
    ] {
        assert!(ran.stderr.contains(&words), "{words}: {}", ran.stderr);
    }
    assert!(forge.fake.state().pulls.is_empty());

    // It prints exactly what is sent, apart from the numbers that only the forge knows.
    let sent = ran.stderr.lines().find(|line| line.contains("\"head\":")).unwrap();
    let printed: Value = serde_json::from_str(sent.split_once("  ").unwrap().1).unwrap();
    forge.run(&["--testme", "--label", "flake,nope", "--reviewer", "ann"]).opened();
    let log = forge.fake.state().log.clone();
    let create = log.iter().find(|e| e.method == "POST").unwrap();
    assert_eq!(create.body, Some(printed));
    forge.asks("token repo base list past labels org-labels create review list comment");

    // The same for an update: the edit, the marker for the new head, the comment.
    let dry = forge.run(&["--dry-run", "--testme", "--title", "mumble: another title"]);
    forge.asks("token repo base list comments");
    assert_eq!(dry.stderr.matches("would send: PATCH").count(), 1, "{}", dry.stderr);
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    let dry = forge.run(&["--dry-run", "--testme"]);
    forge.asks("token repo base list head comments statuses");
    let sends = ["git push --force-with-lease", "PATCH", "PATCH", "/issues/1/comments"];
    let found: Vec<&str> = dry.stderr.lines().filter(|line| line.contains("would ")).skip(1).collect();
    assert_eq!(found.len(), sends.len(), "{found:#?}");
    assert!(found.iter().zip(sends).all(|(line, word)| line.contains(word)), "{found:#?}");
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list head edit comments statuses edit comment");

    let ran = forge.run(&["--dry-run", "--testme"]);
    assert!(!ran.stderr.contains("would send") && ran.stderr.contains("up to date"), "{}", ran.stderr);
    forge.asks("token repo base list comments");
}
