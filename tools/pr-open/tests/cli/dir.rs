//! Opening, updating and waiting, with a `dir:` forge and real git.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::fixture::{CASE, Ran, World, finished, fix_verdict, ledger, run, verdict};

const BRANCH: &str = "fix/mumble/readiness";

#[test]
fn created_then_unchanged() {
    let world = World::new();
    let first = world.run(&[]).opened();
    assert_eq!(first["action"], "created");
    assert_eq!(first["cases"], json!([CASE]));
    assert_eq!((&first["branch"], &first["base"]), (&json!(BRANCH), &json!("main")));
    assert_eq!((&first["number"], &first["fix_id"]), (&json!(1), &json!("readiness")));
    assert_eq!(first["head"], world.branch(BRANCH));
    assert!(first.get("no_verdict").is_none());
    let file = std::fs::File::open(world.fix_dir("readiness").join("patch")).unwrap();
    let id = std::process::Command::new("git").args(["patch-id", "--stable"]).stdin(file).output().unwrap();
    assert!(String::from_utf8(id.stdout).unwrap().starts_with(first["patch"].as_str().unwrap()));

    let body = world.events("pull.opened")[0]["body"].as_str().unwrap().to_owned();
    for word in
        [CASE, "load-flake", "0 red, 2 green", "hash-of-a1", "hash-of-a2", "It is red only under load."]
    {
        assert!(body.contains(word), "{word} is missing in {body}");
    }
    assert!(body.contains("<!-- redfix-fix mumble/readiness patch="), "{body}");

    let second = world.run(&[]).opened();
    assert_eq!(second["action"], "unchanged");
    assert_eq!((&second["number"], &second["head"]), (&first["number"], &first["head"]));
    assert_eq!(world.queue().len(), 1);
}

#[test]
fn the_commit_is_the_same_everywhere() {
    let world = World::new();
    let one = world.run(&["--author", "Bot <bot@example.org>"]).opened();
    world.git_in(&world.bare(), &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    std::fs::remove_file(world.path("forge/queue.jsonl")).unwrap();
    let mut command = world.command(&["--no-verdict", "--author", "Bot <bot@example.org>"]);
    command.env("TZ", "Asia/Tokyo").env("GIT_AUTHOR_DATE", "2001-01-01").env("GIT_DIR", "/nowhere");
    let two = run(command, "").opened();
    assert_eq!(one["head"], two["head"]);
    let shown = world.git_in(&world.bare(), &["log", "-1", "--format=%an <%ae> %cn %s%n%b", BRANCH]);
    assert!(shown.starts_with("Bot <bot@example.org> Bot mumble: wait until it is ready"), "{shown}");
    assert!(shown.contains("Fix-Id: readiness"), "{shown}");
}

#[test]
fn a_new_patch_or_more_evidence_updates_the_one() {
    let world = World::new();
    let first = world.run(&[]).opened();
    let patch = first["patch"].as_str().unwrap();
    let more = ledger() + &fix_verdict(patch, "fixed");
    let second = run(world.command(&[]), &more).opened();
    assert_eq!((&second["action"], &second["head"]), (&json!("updated"), &first["head"]));
    assert!(world.events("pull.updated")[0]["body"].as_str().unwrap().contains("Nine green runs."));

    world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    let third = world.run(&[]).opened();
    assert_eq!(third["action"], "updated");
    assert_ne!((&third["patch"], &third["head"]), (&first["patch"], &first["head"]));
    assert_eq!(third["head"], world.branch(BRANCH));
    assert_eq!(world.events("pull.opened").len(), 1);
}

#[test]
fn a_base_that_moved_on_changes_nothing() {
    let world = World::new();
    let first = world.run(&[]).opened();
    world.commit_on("main", "gitea/lifecycle", "two\n");
    let second = world.run(&[]).opened();
    assert_eq!((&second["action"], &second["head"]), (&json!("unchanged"), &first["head"]));
}

#[test]
fn twenty_at_once_end_with_one() {
    let world = World::new();
    let spawn = || {
        let mut command = world.command(&["--no-verdict", "--testme"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..20).map(|_| spawn()).collect();
    let ran: Vec<Ran> =
        children.into_iter().map(|child| Ran::of(child.wait_with_output().unwrap())).collect();
    let opened: Vec<_> = ran.iter().map(Ran::opened).collect();
    assert_eq!(opened.iter().filter(|record| record["action"] == "created").count(), 1);
    assert!(opened.iter().all(|record| record["number"] == 1 && record["head"] == opened[0]["head"]));
    assert_eq!(world.events("pull.opened").len(), 1);
    assert_eq!(world.events("comment").len(), 1);
    assert_eq!(world.queue().len(), 2);
}

#[test]
fn somebody_elses_with_the_same_patch_is_adopted() {
    let world = World::new();
    let head = world.commit_on("bob", "mumble/lifecycle", "one\ntwo\nready\nthree\n");
    world.append(&json!({"event": "pull.opened", "number": 1, "head": "bob", "base": "main", "sha": head,
        "title": "mine", "body": "by hand"}));
    let record = world.run(&["--testme"]).opened();
    assert_eq!((&record["action"], &record["number"]), (&json!("adopted"), &json!(1)));
    assert_eq!((&record["branch"], &record["head"]), (&json!("bob"), &json!(head)));
    assert_eq!(world.events("pull.opened").len(), 1);
}

#[test]
fn one_that_touches_the_same_file_is_shown() {
    let world = World::new();
    let head = world.commit_on("bob", "mumble/lifecycle", "something else\n");
    world.append(&json!({"event": "pull.opened", "number": 1, "head": "bob", "base": "main", "sha": head,
        "title": "mine", "body": ""}));
    let ran = world.run(&[]);
    assert_eq!(ran.opened()["number"], 2);
    assert!(ran.stderr.contains("#1 changes mumble/lifecycle, too"), "{}", ran.stderr);
}

#[test]
fn commits_of_others_are_not_overwritten() {
    let world = World::new();
    world.commit_on(BRANCH, "mumble/lifecycle", "by ann\n");
    let before = world.branch(BRANCH);
    world.run(&[]).refused(1, &["somebody else has committed", BRANCH]);
    assert_eq!(world.branch(BRANCH), before);
    assert!(world.queue().is_empty());
}

#[test]
fn closed_ones_stay_closed_and_merged_ones_are_reported() {
    let world = World::new();
    let first = world.run(&[]).opened();
    world.append(&json!({"event": "pull.closed", "number": 1}));
    world.run(&[]).refused(1, &["closed without a merge", "--reopen"]);
    assert_eq!(world.run(&["--reopen"]).opened()["number"], 2);

    let head = first["head"].as_str().unwrap();
    world.git_in(&world.bare(), &["update-ref", "refs/heads/main", head]);
    world.append(&json!({"event": "pull.merged", "number": 2}));
    let ran = world.run(&["--testme", "--wait"]);
    let record = ran.opened();
    assert_eq!((&record["action"], &record["number"]), (&json!("unchanged"), &json!(2)));
    assert_eq!(record["patch"], first["patch"]);
    let checked = ran.checked();
    assert_eq!((&checked["merged"], &checked["open"]), (&json!(true), &json!(false)));
    assert!(world.events("comment").is_empty());
}

#[test]
fn nothing_to_do_is_said() {
    let world = World::new();
    world.commit_on("main", "mumble/lifecycle", "one\ntwo\nready\nthree\n");
    world.run(&[]).refused(1, &["nothing to do"]);
    world.commit_on("main", "mumble/lifecycle", "quite different\n");
    world.run(&[]).refused(2, &["applying the patch", "mumble/lifecycle"]);
}

#[test]
fn isolation_before_blame() {
    let world = World::new();
    let with = |stdin: &str| run(world.command(&[]), stdin);
    with("").refused(1, &["no flake.verdict", "run flake-classify first"]);
    let runs = finished("a1", "isolated", "pass", true) + &finished("a2", "loaded", "fail", true);
    with(&(runs.clone() + &verdict("inconclusive", &["harness-pr"]))).refused(1, &["not decided"]);
    with(&(runs.clone() + &verdict("genuine", &["recipe-pr"]))).refused(1, &["recipe-pr", "harness-pr"]);
    with(&verdict("load-flake", &["harness-pr"])).refused(1, &["no proved isolated run"]);
    let unproved = finished("a1", "isolated", "pass", false) + &verdict("load-flake", &["harness-pr"]);
    with(&unproved).refused(1, &["a1", "not proved"]);
    run(world.command(&["--case", "mumble@9/x"]), &ledger()).refused(1, &["mumble@9/x"]);
    assert!(world.queue().is_empty());

    let patch = world.run(&["--dry-run"]);
    let id = patch.stderr.split_once("pr-open: patch ").unwrap().1.split_once(' ').unwrap().0.to_owned();
    with(&(ledger() + &fix_verdict(&id, "not-fixed"))).refused(1, &["not-fixed", "Nine green runs."]);

    let record = run(world.command(&["--no-verdict"]), "").opened();
    assert_eq!((&record["no_verdict"], &record["cases"]), (&json!(true), &json!([])));
    assert!(world.events("pull.opened")[0]["body"].as_str().unwrap().contains("without a verdict"));
}

#[test]
fn the_folder_must_agree_with_itself() {
    let world = World::new();
    std::fs::write(world.fix_dir("readiness").join("repo"), "recipe\n").unwrap();
    world.run(&["--no-verdict"]).refused(1, &["the repository is a recipe", "harness-pr"]);
    std::fs::remove_file(world.fix_dir("readiness").join("repo")).unwrap();
    world.run(&[]).refused(2, &["readiness/repo", "patch, repo, route and title"]);
}

#[test]
fn tests_are_not_weakened_and_recipes_not_mixed() {
    let world = World::new();
    world.fix("readiness", &[("mumble/custom/test_x.py", "assert 1\n")]);
    world.run(&[]).refused(1, &["mumble/custom/test_x.py", "--with-tests"]);
    assert_eq!(world.run(&["--with-tests", "--dry-run"]).code, 0);
    assert_eq!(world.run(&["--tests-glob", "**/*.go", "--dry-run"]).code, 0);
    world.fix("readiness", &[("mumble/lifecycle", "x\n"), ("gitea/lifecycle", "y\n")]);
    world.run(&[]).refused(1, &["gitea, mumble", "--multi"]);
    assert_eq!(world.run(&["--multi"]).opened()["action"], "created");
    assert_eq!(world.queue().len(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::new();
    let ledger_file = world.path("ledger.jsonl");
    let ran = world.run(&["--dry-run", "--testme", "--ledger", ledger_file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, ledger());
    for word in
        ["git push", "refs/heads/fix/mumble/readiness", "would open", "\"body\":\"!testme\"", "| ## Evidence"]
    {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    let refs = world.git_in(&world.bare(), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
    assert!(world.queue().is_empty() && !ledger_file.exists());
}

#[test]
fn asked_once_per_head_and_only_newer_statuses_count() {
    let world = World::new();
    let head = world.run(&[]).opened()["head"].clone();
    let status = |state: &str| {
        world.append(&json!({"event": "status", "number": 1, "sha": head, "context": "cc-ci/testme",
            "status": state, "description": "d", "target_url": "u"}));
    };
    status("success");
    let quick = ["--testme", "--wait", "--poll", "20ms", "--settle", "50ms", "--first-wait", "300ms"];
    let silent = world.run(&quick);
    assert_eq!((silent.code, &silent.checked()["state"]), (75, &json!("none")), "{}", silent.stderr);
    assert!(silent.stderr.contains("enrolled"), "{}", silent.stderr);
    let comments = world.events("comment");
    assert_eq!(comments.len(), 1);
    assert_eq!((&comments[0]["body"], &comments[0]["sha"]), (&json!("!testme"), &head));

    status("pending");
    let pending = world.run(&[&quick[..], &["--deadline", "400ms"]].concat());
    assert_eq!((pending.code, &pending.checked()["state"]), (75, &json!("pending")));
    status("failure");
    let red = world.run(&quick);
    assert_eq!((red.code, &red.checked()["state"]), (1, &json!("red")), "{}", red.stderr);
    assert!(red.stderr.contains("cc-ci/testme is red (u)"), "{}", red.stderr);
    status("success");
    let green = world.run(&quick);
    let checked = green.checked();
    assert_eq!((green.code, &checked["state"], &checked["open"]), (0, &json!("green"), &json!(true)));
    assert_eq!(checked["contexts"][0]["context"], "cc-ci/testme");
    assert_eq!(checked["head"], head);
    let lacking = world.run(&[&quick[..], &["--require-context", "lint", "--deadline", "300ms"]].concat());
    assert_eq!((lacking.code, &lacking.checked()["state"]), (75, &json!("pending")));
    assert_eq!(world.events("comment").len(), 1);

    world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nvery ready\nthree\n")]);
    let anew = world.run(&quick);
    assert_eq!((anew.code, &anew.checked()["state"]), (75, &json!("none")), "{}", anew.stderr);
    assert_eq!(world.events("comment").len(), 2);
}

#[test]
fn a_head_that_moves_is_superseded() {
    let world = World::new();
    world.run(&[]).opened();
    let mut command = world.command(&["--wait", "--poll", "50ms", "--deadline", "60s"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), ledger().as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    world.commit_on(BRANCH, "mumble/lifecycle", "moved\n");
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.checked()["state"], "superseded");
}

#[test]
fn what_is_missing_is_said() {
    let world = World::new();
    let mut command = world.command(&[]);
    command.args(["--base", "nope"]);
    run(command, &ledger()).refused(2, &["o/n nope", "--base"]);
    std::fs::remove_dir_all(world.bare()).unwrap();
    world.run(&[]).refused(2, &["no bare repository", "git clone --bare"]);
}

#[test]
fn a_torn_line_in_the_queue_is_survived() {
    let world = World::new();
    std::fs::write(world.path("forge/queue.jsonl"), "{\"event\":\"pull.op").unwrap();
    assert_eq!(world.run(&[]).opened()["number"], 1);
    let text = std::fs::read_to_string(world.path("forge/queue.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((text.lines().count(), &last["id"]), (2, &json!(2)));
}

/// The queue's lock works against flock(1), which `ground/review-ci` uses.
#[test]
fn the_lock_is_the_shells() {
    let world = World::new();
    let queue = world.path("forge/queue.jsonl");
    std::fs::write(&queue, "").unwrap();
    let held = world.path("held");
    let script = format!("touch '{}'; exec sleep 60", held.display());
    let mut holder = std::process::Command::new("flock")
        .arg("-o")
        .arg(&queue)
        .args(["sh", "-c", &script])
        .spawn()
        .unwrap();
    while !held.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = world.run(&["--forge-timeout", "200ms"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    ran.refused(75, &["another process holds its lock"]);
    assert_eq!(world.run(&[]).opened()["number"], 1);
}
