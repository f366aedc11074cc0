//! The whole story against a fake Gitea over HTTP: every scenario says which requests it makes, and each
//! exchange is held against the published descriptions.

use std::time::Duration;

use serde_json::json;

use crate::fake::Fake;
use crate::fixture::{Ran, World, ledger, run};

const TOKEN: &str = "0123456789abcdef-t0ken";
const BRANCH: &str = "fix/mumble/readiness";
/// What every run that opens one asks first.
const LOOK: [&str; 5] = [
    "GET /repos/o/n",
    "GET /repos/o/n/branches/main",
    "GET /repos/o/n/branches/fix/mumble/readiness",
    "GET /repos/o/n/pulls?state=open&limit=50&page=1",
    "GET /repos/o/n/pulls/main/fix/mumble/readiness",
];

struct Forge {
    world: World,
    fake: Fake,
}

impl Forge {
    fn new() -> Self {
        let world = World::new();
        let fake = Fake::new(world.bare());
        std::fs::write(world.path("token"), format!("{TOKEN}\n")).unwrap();
        Self { world, fake }
    }

    fn run(&self, extra: &[&str]) -> Ran {
        self.run_at(&self.fake.url, extra)
    }

    fn run_at(&self, url: &str, extra: &[&str]) -> Ran {
        let mut command = crate::fixture::bin();
        command.arg("--fix").arg(self.world.fix_dir("readiness")).args(["--forge", url, "--repo", "o/n"]);
        command.arg("--git-url").arg(format!("file://{}", self.world.bare().display()));
        command.arg("--token-file").arg(self.world.path("token")).args(extra);
        let ran = run(command, &ledger());
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "the token shows");
        ran
    }
}

const QUICK: [&str; 8] =
    ["--testme", "--wait", "--poll", "20ms", "--settle", "60ms", "--first-wait", "400ms"];

#[test]
fn created_with_six_requests_then_unchanged() {
    let forge = Forge::new();
    let first = forge.run(&[]).opened();
    assert_eq!((&first["action"], &first["number"]), (&json!("created"), &json!(1)));
    assert_eq!(first["url"], "https://git.example/o/n/pulls/1");
    assert_eq!(first["forge"], forge.fake.url);
    assert_eq!(first["head"], forge.world.branch(BRANCH));
    let log = forge.fake.take_log();
    assert_eq!(log, [&LOOK[..], &["POST /repos/o/n/pulls"]].concat());
    assert!(log.len() <= 8);
    for (auth, agent) in &forge.fake.state().headers {
        assert_eq!(auth, &format!("token {TOKEN}"));
        assert!(agent.starts_with("redfix-pr-open/"), "{agent}");
    }
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
    assert_eq!(forge.fake.take_log(), LOOK[..4]);
    forge.fake.state().traps.crlf = true;
    assert_eq!(forge.run(&[]).opened()["action"], "unchanged");
}

#[test]
fn an_update_edits_title_and_body_only() {
    let forge = Forge::new();
    forge.run(&[]).opened();
    forge.fake.take_log();
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    let record = forge.run(&[]).opened();
    assert_eq!((&record["action"], &record["head"]), (&json!("updated"), &json!(forge.world.branch(BRANCH))));
    let edit = forge.fake.state().log.last().cloned().unwrap();
    assert_eq!(edit.body.unwrap().as_object().unwrap().keys().collect::<Vec<_>>(), ["body", "title"]);
    assert_eq!(forge.fake.take_log(), [&LOOK[..4], &["PATCH /repos/o/n/pulls/1"]].concat());
}

#[test]
fn testme_takes_ten_requests_and_asks_once_per_head() {
    let forge = Forge::new();
    forge.run(&["--testme"]).opened();
    let head = forge.world.branch(BRANCH);
    let statuses = format!("GET /repos/o/n/commits/{head}/statuses?limit=50&page=1");
    let log = forge.fake.take_log();
    let asked = [
        "POST /repos/o/n/pulls",
        "GET /repos/o/n/issues/1/comments",
        &statuses,
        "PATCH /repos/o/n/pulls/1",
        "POST /repos/o/n/issues/1/comments",
    ];
    assert_eq!(log, [&LOOK[..], &asked].concat());
    assert!(log.len() <= 11);
    assert_eq!(forge.fake.state().comments[0]["body"], "!testme");

    let again = forge.run(&["--testme"]).opened();
    assert_eq!(again["action"], "unchanged");
    assert_eq!(forge.fake.take_log(), [&LOOK[..4], &["GET /repos/o/n/issues/1/comments"]].concat());
    assert_eq!(forge.fake.state().comments.len(), 1);

    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nvery ready\nthree\n")]);
    forge.run(&["--testme"]).opened();
    assert_eq!(forge.fake.state().comments.len(), 2);
    forge.run(&["--testme"]).opened();
    assert_eq!(forge.fake.state().comments.len(), 2);
}

#[test]
fn a_stale_green_is_not_the_answer() {
    let forge = Forge::new();
    forge.run(&[]).opened();
    let head = forge.world.branch(BRANCH);
    forge.fake.state().add_status(&head, "cc-ci/testme", "success");
    let none = forge.run(&QUICK);
    assert_eq!((none.code, &none.checked()["state"]), (75, &json!("none")), "{}", none.stderr);
    // A later run goes on waiting for the same answer.
    forge.fake.state().traps.ci = [("cc-ci/testme", "pending"), ("cc-ci/testme", "failure")].into();
    let red = forge.run(&QUICK);
    assert_eq!((red.code, &red.checked()["state"]), (1, &json!("red")), "{}", red.stderr);
    forge.fake.state().traps.ci = [("cc-ci/testme", "success")].into();
    let green = forge.run(&QUICK);
    assert_eq!((green.code, &green.checked()["state"]), (0, &json!("green")), "{}", green.stderr);
    assert_eq!(green.checked()["contexts"][0]["url"], "https://ci.example/1");
    assert_eq!(forge.fake.state().comments.len(), 1);
    forge.fake.take_log();
}

#[test]
fn a_red_on_the_second_page_is_seen() {
    for (max_page, no_total) in [(50, false), (7, false), (50, true)] {
        let forge = Forge::new();
        forge.run(&[]).opened();
        let head = forge.world.branch(BRANCH);
        forge.fake.state().add_status(&head, "lint", "failure");
        for n in 0..60 {
            forge.fake.state().add_status(&head, &format!("job-{n}"), "success");
        }
        (forge.fake.state().traps.max_page, forge.fake.state().traps.no_total) = (max_page, no_total);
        let ran = forge.run(&["--wait", "--poll", "20ms", "--settle", "0s"]);
        assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("red")), "{max_page}: {}", ran.stderr);
        assert_eq!(ran.checked()["contexts"].as_array().unwrap().len(), 61);
        forge.fake.take_log();
    }
}

#[test]
fn one_request_a_look_while_waiting() {
    let forge = Forge::new();
    let pending =
        [("ci", "pending"), ("ci", "pending"), ("ci", "pending"), ("ci", "pending"), ("ci", "success")];
    forge.fake.state().traps.ci = pending.into();
    let ran = forge.run(&["--testme", "--wait", "--poll", "20ms", "--require-context", "ci"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let log = forge.fake.take_log();
    let waiting = &log[10..];
    let statuses = waiting.iter().filter(|line| line.contains("/statuses?")).count();
    let pulls = waiting.iter().filter(|line| *line == "GET /repos/o/n/pulls/1").count();
    assert_eq!((statuses, pulls, waiting.len()), (5, 2, 7), "{waiting:#?}");
}

#[test]
fn somebody_who_was_faster_is_found_by_409() {
    let forge = Forge::new();
    forge.run(&[]).opened();
    forge.fake.take_log();
    forge.fake.state().traps.hide_until_post = true;
    let record = forge.run(&[]).opened();
    assert_eq!((&record["action"], &record["number"]), (&json!("unchanged"), &json!(1)));
    assert_eq!(forge.fake.take_log(), [&LOOK[..], &["POST /repos/o/n/pulls", LOOK[3]]].concat());
    assert_eq!(forge.fake.state().pulls.len(), 1);
}

#[test]
fn a_lost_answer_is_looked_for_not_repeated() {
    let forge = Forge::new();
    forge.fake.state().traps.lose_answers = ["POST"].into();
    assert_eq!(forge.run(&[]).opened()["action"], "created");
    assert_eq!(forge.fake.take_log(), [&LOOK[..], &["POST /repos/o/n/pulls", LOOK[3]]].concat());
    assert_eq!(forge.fake.state().pulls.len(), 1);

    // The note in the body is lost twice and sent again, the comment is lost and found.
    forge.fake.state().traps.lose_answers = ["PATCH", "PATCH", "POST"].into();
    forge.run(&["--testme"]).opened();
    let state = forge.fake.state();
    assert_eq!((state.comments.len(), state.pulls.len(), state.traps.lose_answers.len()), (1, 1, 0));
}

#[test]
fn reads_are_tried_again() {
    let forge = Forge::new();
    forge.fake.state().traps.fail_reads = 2;
    assert_eq!(forge.run(&[]).opened()["action"], "created");
    let log = forge.fake.take_log();
    assert_eq!(log[..3], [LOOK[0], LOOK[0], LOOK[0]]);
}

#[test]
fn a_forge_that_is_away_is_try_again() {
    let forge = Forge::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let ran = forge.run_at(&url, &[]);
    ran.refused(75, &["asking the forge: GET", "refused"]);
}

#[test]
fn a_redirect_never_gets_the_token() {
    let forge = Forge::new();
    let elsewhere = Fake::new(forge.world.bare());
    forge.fake.state().traps.redirect = Some(elsewhere.url.clone());
    forge.run(&[]).refused(2, &["moved to", "final address"]);
    assert!(elsewhere.state().headers.is_empty());
}

#[test]
fn plain_http_is_for_this_machine() {
    let forge = Forge::new();
    forge.run_at("http://git.example.invalid", &[]).refused(2, &["plain http", "--insecure-http"]);
}

#[test]
fn what_is_not_permitted_is_named() {
    let forge = Forge::new();
    for (repo, word) in [
        (json!({"archived": true}), "archived"),
        (json!({"mirror": true}), "mirror"),
        (json!({"empty": true}), "empty"),
        (json!({"has_pull_requests": false}), "no pull requests"),
        (json!({"permissions": {"admin": false, "push": false, "pull": true}}), "may not push"),
    ] {
        forge.fake.state().traps.repo = repo;
        forge.run(&[]).refused(2, &[word]);
        assert_eq!(forge.fake.take_log(), LOOK[..1]);
    }
    forge.fake.state().traps.repo = json!({});
    forge.run(&["--base", "nope"]).refused(2, &["nope"]);
    forge.fake.state().traps.no_issue_scope = true;
    let ran = forge.run(&["--testme"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("write:issue") && ran.stderr.contains("HTTP 403"), "{}", ran.stderr);
    forge.fake.state().traps.nonsense = Some("<html>hello</html>");
    let ran = forge.run(&[]);
    assert!(ran.code == 2 && ran.stderr.contains("Gitea or Forgejo"), "{}", ran.stderr);
}

#[test]
fn protected_branches_and_strong_tokens() {
    let forge = Forge::new();
    forge.fake.state().traps.strong = true;
    forge.run(&["--strict"]).refused(1, &["may push to, or merge into, the base"]);
    forge.run(&[]).opened();
    forge.fake.state().traps.protected = Some(BRANCH);
    forge.run(&[]).refused(1, &["protected"]);
}

#[test]
fn the_dead_are_not_raised() {
    let forge = Forge::new();
    forge.run(&[]).opened();
    forge.fake.state().pulls[0]["state"] = json!("closed");
    forge.run(&[]).refused(1, &["closed without a merge"]);
    forge.fake.state().pulls[0]["merged"] = json!(true);
    let ran = forge.run(&["--testme", "--wait"]);
    assert_eq!(ran.opened()["action"], "unchanged");
    assert_eq!((&ran.checked()["merged"], &ran.checked()["state"]), (&json!(true), &json!("none")));
    assert!(
        forge.fake.take_log().iter().all(|line| line.starts_with("GET") || line == "POST /repos/o/n/pulls")
    );
}

#[test]
fn a_head_that_moves_is_superseded() {
    let forge = Forge::new();
    forge.run(&[]).opened();
    let fake = forge.fake.clone();
    fake.state().traps.ci = std::iter::repeat_n(("ci", "pending"), 400).collect();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| forge.run(&["--testme", "--wait", "--poll", "50ms", "--deadline", "60s"]));
        while fake.state().comments.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        forge.world.commit_on(BRANCH, "mumble/lifecycle", "moved\n");
        let ran = waiting.join().unwrap();
        assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("superseded")), "{}", ran.stderr);
    });
}

#[test]
fn a_dry_run_only_reads() {
    let forge = Forge::new();
    let ran = forge.run(&["--dry-run", "--testme", "--wait"]);
    assert_eq!((ran.code, ran.stdout), (0, ledger()));
    assert_eq!(forge.fake.take_log(), LOOK);
    assert!(ran.stderr.contains("would open"), "{}", ran.stderr);
}
