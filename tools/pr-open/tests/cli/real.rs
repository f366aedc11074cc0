//! What a real forge does, and people on it: each of these was seen, and went wrong once.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;

use crate::fixture::{bin, run};
use crate::forge::{BRANCH, Forge, LOOK, QUICK, run_hiding};

/// Of those that are closed or merged the newest decides, wherever it stands in the list.
#[test]
fn the_newest_past_one_decides() {
    for (newest_merged, word) in [(true, "unchanged"), (false, "closed")] {
        let forge = Forge::opened();
        let head = forge.head();
        for n in 0..4 {
            forge.fake.state().put_pull(&format!("other-{n}"), "main", "t", "", &head);
        }
        forge.fake.state().put_pull(BRANCH, "main", "t", "", &head);
        let mut state = forge.fake.state();
        for (n, pull) in state.pulls.iter_mut().enumerate() {
            pull["state"] = json!("closed");
            pull["merged"] = json!((n == 0) != newest_merged);
        }
        state.traps.max_page = 2;
        drop(state);
        let ran = forge.run(&[]);
        if newest_merged {
            assert_eq!((&ran.opened()["action"], &ran.opened()["number"]), (&json!(word), &json!(6)));
        } else {
            ran.refused(1, &["closed without a merge", "/pulls/6"]);
        }
        forge.asks("token repo base list past closed");
    }
}

/// A branch of such a name is a path of its own: asked by base and head, there is never anything.
#[test]
fn a_branch_may_be_called_merge() {
    for name in ["merge", "files", "commits", "reviews"] {
        let forge = Forge::new();
        forge.world.commit_on(name, "mumble/lifecycle", "by hand\n");
        let more = ["--recipe", "mumble", "--fix-id", "by-hand"];
        forge.run_branch(name, &more).opened();
        forge.asks("token repo base list closed create list");
        forge.fake.state().pulls[0]["state"] = json!("closed");
        forge.run_branch(name, &more).refused(1, &["closed without a merge"]);
        forge.asks("token repo base list closed");
    }
}

/// Labels are not worth failing for, and are asked for before anything is changed.
#[test]
fn labels_that_the_token_may_not_see() {
    let forge = Forge::new();
    let ran = forge.run(&["--label", "flake,redfix"]);
    let warning = ran.opened()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("'redfix'") && warning.contains("read:organization"), "{warning}");
    assert_eq!(forge.fake.state().pulls[0]["labels"][0]["name"], "flake");
    forge.asks("token repo base list past labels org-labels create list");
}

#[test]
fn each_reviewer_is_asked_alone() {
    let forge = Forge::new();
    let ran = forge.run(&["--reviewer", "nobody,ann,bot,bob"]);
    let record = ran.opened();
    let text = record["warnings"].to_string();
    assert!(text.contains("asked of nobody: HTTP 404") && text.contains("asked of bot: HTTP 422"), "{text}");
    let asked = forge.fake.state().pulls[0]["requested_reviewers"].clone();
    assert_eq!(asked, json!([{"login": "ann"}, {"login": "bob"}]));
    forge.asks("token repo base list past create review review review review list");
}

/// A person asks again: the old green is not the answer to that.
#[test]
fn a_person_who_asks_again_is_heard() {
    let forge = Forge::new();
    forge.fake.state().traps.ci = [("ci", "success")].into();
    assert_eq!(forge.run(&[&QUICK[..], &["--require-context", "ci"]].concat()).code, 0);
    forge.fake.state().clock = 30;
    forge.fake.state().put_comment("1", "!testme\r\n");
    for ask in [&QUICK[..], &QUICK[1..]] {
        let ran = forge.run(ask);
        assert_eq!((ran.code, &ran.checked()["state"]), (75, &json!("none")), "{}", ran.stderr);
    }
    forge.fake.state().clock = 40;
    forge.fake.state().put_status(&forge.head(), "ci", "failure");
    let ran = forge.run(&QUICK);
    assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("red")), "{}", ran.stderr);
    assert_eq!(forge.bodies().len(), 2);
    let _ = forge.fake.asked();
}

/// The same while we wait: the answer that stood belongs to the older question.
#[test]
fn a_person_who_asks_again_while_we_wait_is_heard() {
    let forge = Forge::opened();
    let fake = forge.fake.clone();
    let more = ["--testme", "--wait", "--poll", "20ms", "--settle", "2s", "--deadline", "60s"];
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| forge.run(&more));
        while fake.state().comments.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut state = fake.state();
        let head = state.commit(BRANCH).unwrap();
        state.put_status(&head, "ci", "success");
        state.clock = 30;
        state.put_comment("1", "!testme");
        state.clock = 31;
        state.put_status(&head, "ci", "pending");
        drop(state);
        std::thread::sleep(Duration::from_secs(3));
        fake.state().put_status(&head, "ci", "failure");
        let ran = waiting.join().unwrap();
        assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("red")), "{}", ran.stderr);
    });
    let _ = forge.fake.asked();
}

#[test]
fn retest_asks_again_for_the_same_head() {
    let forge = Forge::new();
    forge.fake.state().traps.ci = [("ci", "success")].into();
    assert_eq!(forge.run(&[&QUICK[..], &["--require-context", "ci"]].concat()).code, 0);
    let _ = forge.fake.asked();
    let again = [&["--retest"], &QUICK[1..]].concat();
    let ran = forge.run(&again);
    assert_eq!((ran.code, &ran.checked()["state"]), (75, &json!("none")), "{}", ran.stderr);
    assert_eq!(forge.bodies(), ["!testme", "!testme"]);
    assert!(
        forge
            .fake
            .asked()
            .starts_with("token repo base list comments statuses edit comment comments statuses")
    );
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list comments");
    let dry = forge.run(&["--retest", "--dry-run"]);
    assert!(dry.stderr.contains("{\"body\":\"!testme\"}"), "{}", dry.stderr);
    forge.asks("token repo base list comments statuses");
}

/// Two edits at once: the forge refuses one, and what is there then is looked at.
#[test]
fn an_edit_that_meets_another_is_made_again() {
    let forge = Forge::opened();
    let template = "/repos/{owner}/{repo}/pulls/{index}";
    let conflict = ("PATCH", template, 409, "the issue is already changed");
    forge.fake.state().traps.refuse = vec![conflict];
    assert_eq!(forge.run(&["--title", "mumble: new"]).opened()["action"], "updated");
    forge.asks("token repo base list edit pull edit");
    assert_eq!(forge.fake.state().pulls[0]["title"], "mumble: new");
    forge.fake.state().traps.refuse = vec![conflict; 9];
    forge.run(&["--title", "mumble: newer"]).refused(75, &["already changed"]);
    assert!(forge.fake.asked().starts_with("token repo base list edit pull edit pull edit"));
}

/// Blanks around a title or a trigger mean nothing: a forge keeps some and drops others.
#[test]
fn blanks_do_not_count() {
    let forge = Forge::new();
    let padded = ["--title", "  mumble: wait  ", "--testme", "--trigger", " !testme "];
    forge.run(&padded).opened();
    assert_eq!(forge.bodies(), ["!testme"]);
    assert_eq!(forge.fake.state().pulls[0]["title"], "mumble: wait");
    forge.asks(&format!("{LOOK} create list comment"));
    forge.fake.state().pulls[0]["title"] = json!(" mumble: wait ");
    assert_eq!(forge.run(&padded).opened()["action"], "unchanged");
    forge.asks("token repo base list comments");
    assert_eq!(forge.run(&["--trigger", " ", "--testme"]).code, 2);
}

/// The base got the change by another way while ours is open: a person closes it, and nothing is edited.
#[test]
fn what_the_base_has_is_said_and_left_alone() {
    let forge = Forge::opened();
    let body = forge.fake.state().pulls[0]["body"].clone();
    forge.world.commit_on("main", "mumble/lifecycle", "one\ntwo\nready\nthree\n");
    let ran = forge.run(&["--testme", "--wait", "--strict"]);
    assert_eq!(ran.opened()["action"], "unchanged");
    assert!(ran.stderr.contains("contained in main"), "{}", ran.stderr);
    assert_eq!((ran.records("pr.checked").len(), &forge.fake.state().pulls[0]["body"]), (0, &body));
    forge.asks("token repo base list");
}

#[test]
fn merged_while_we_wait_is_done() {
    let forge = Forge::opened();
    let fake = forge.fake.clone();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| forge.run(&["--testme", "--wait", "--poll", "50ms", "--deadline", "60s"]));
        while fake.state().comments.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut state = fake.state();
        (state.pulls[0]["state"], state.pulls[0]["merged"]) = (json!("closed"), json!(true));
        drop(state);
        let ran = waiting.join().unwrap();
        assert_eq!((ran.code, &ran.checked()["merged"]), (0, &json!(true)), "{}", ran.stderr);
        assert!(!ran.stderr.contains("overtaken"), "{}", ran.stderr);
    });
    let _ = forge.fake.asked();
}

/// A maintainer presses "Update branch": the merge of the base adds nothing of theirs.
#[test]
fn a_branch_that_was_updated_is_still_ours() {
    let forge = Forge::opened();
    forge.world.commit_on("main", "gitea/lifecycle", "two\n");
    let clone = forge.world.path("updated");
    let bare = forge.world.bare();
    forge.world.git_in(forge.world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "updated"]);
    forge.world.git_in(&clone, &["checkout", "-q", BRANCH]);
    forge.world.git_in(&clone, &["merge", "-q", "--no-ff", "-m", "Merge branch 'main'", "origin/main"]);
    forge.world.git_in(&clone, &["push", "-q", "origin", BRANCH]);
    let merged = forge.head();
    let record = forge.run(&[]).opened();
    assert_eq!((&record["action"], &record["head"]), (&json!("unchanged"), &json!(merged)));
    forge.asks("token repo base list");
    forge.mend();
    assert_eq!(forge.run(&[]).opened()["action"], "updated");
    forge.asks("token repo base list head edit");
    // What somebody adds in such a merge is theirs.
    forge.world.git_in(&clone, &["fetch", "-q"]);
    forge.world.git_in(&clone, &["reset", "-q", "--hard", &format!("origin/{BRANCH}")]);
    forge.world.commit_on("main", "gitea/lifecycle", "three\n");
    forge.world.git_in(&clone, &["fetch", "-q"]);
    forge.world.git_in(&clone, &["merge", "-q", "--no-ff", "--no-commit", "origin/main"]);
    std::fs::write(clone.join("mumble/lifecycle"), "evil\n").unwrap();
    forge.world.git_in(&clone, &["commit", "-q", "-am", "Merge branch 'main'"]);
    forge.world.git_in(&clone, &["push", "-q", "origin", &format!("HEAD:{BRANCH}")]);
    forge.run(&[]).refused(1, &["somebody else has committed"]);
    forge.asks("token repo base list");
}

/// A name is a branch or a folder of branches, never both.
#[test]
fn a_branch_in_the_way_is_named() {
    for other in ["fix", "fix/mumble", "fix/mumble/readiness/more"] {
        let forge = Forge::new();
        forge.world.commit_on(other, "gitea/lifecycle", "x\n");
        forge.run(&[]).refused(2, &[&format!("the branch {other} is in the way"), "rename or remove"]);
        forge.asks("token repo base list past");
    }
}

/// The page's own example, in a repository that is one recipe.
#[test]
fn a_recipe_has_a_repository_of_its_name() {
    let forge = Forge::new();
    for branch in ["fix/gitea/ini", "ini"] {
        forge.world.commit_on(branch, "compose.yml", &format!("x: {branch}\n"));
        let mut command = bin();
        command.args([
            "--branch",
            branch,
            "--route",
            "recipe-pr",
            "--title",
            "gitea: a writable app.ini",
            "--no-verdict",
        ]);
        command.args(["--forge", &forge.fake.url, "--repo", "o/n", "--grace", "0s", "--token-file"]);
        command.arg(forge.world.path("token"));
        command.arg("--git-url").arg(format!("file://{}", forge.world.bare().display()));
        assert_eq!(run(command, "").opened()["action"], "created");
        forge.asks("token repo base list past create list");
    }
    let bodies = forge.fake.state().pulls.clone();
    assert!(bodies[0]["body"].as_str().unwrap().contains("redfix-fix gitea/ini "));
    assert!(bodies[1]["body"].as_str().unwrap().contains("redfix-fix n/ini "));
}

/// The API says what is wrong before git does, in words that help.
#[test]
fn the_api_speaks_first() {
    for (status, name) in [(301, "renamed"), (307, "its owner renamed")] {
        let forge = Forge::new();
        forge.fake.state().traps.renamed = Some(status);
        forge.run(&[]).refused(2, &[&format!("HTTP {status}"), "it is now called o/new", "--repo"]);
        assert!(forge.fake.state().seen.iter().all(|request| request.path.contains("/api/v1/")), "{name}");
        forge.asks("token");
    }
    let forge = Forge::new();
    let ran = run_hiding({
        let mut command = bin();
        command.arg("--fix").arg(forge.world.fix_dir("readiness")).args([
            "--forge",
            &forge.fake.url,
            "--repo",
            "o/nope",
        ]);
        command.arg("--token-file").arg(forge.world.path("token"));
        command
    });
    ran.refused(2, &["HTTP 404", "private repository looks like this"]);
    forge.fake.state().log.clear();
    forge.fake.state().traps.locked = true;
    let ran = forge.run(&["--testme"]);
    assert!(ran.code == 2 && ran.stderr.contains("unlock it"), "{}", ran.stderr);
    forge.asks(&format!("{LOOK} create list comment"));
}

/// The forge's own trouble passes: its hook cannot reach it, or it is restarted.
#[test]
fn trouble_of_the_forge_is_try_again() {
    let forge = Forge::new();
    let hook = forge.world.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(
        &hook,
        "#!/bin/sh\nprintf '\\nerror:\\nerror: Internal Server Connection Error\\n' >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    forge.run(&[]).refused(75, &["Internal Server Connection Error"]);
    forge.asks(LOOK);
    std::fs::remove_file(&hook).unwrap();
    let mut command = bin();
    command.arg("--fix").arg(forge.world.fix_dir("readiness")).args([
        "--forge",
        &forge.fake.url,
        "--repo",
        "o/n",
    ]);
    command.arg("--token-file").arg(forge.world.path("token")).args(["--grace", "0s"]);
    forge.fake.state().traps.git_away = 2;
    assert_eq!(run_hiding(command).opened()["action"], "created");
    forge.asks(&format!("{LOOK} create list"));
}

/// A pull request whose head is deleted is closed: nobody opens it again unasked.
#[test]
fn a_head_that_is_deleted_closes_it() {
    let forge = Forge::opened();
    forge.world.git_in(&forge.world.bare(), &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    forge.run(&[]).refused(1, &["closed without a merge"]);
    assert_eq!(forge.fake.state().pulls[0]["head"]["ref"], "refs/pull/1/head");
    forge.asks("token repo base list past closed");
}

/// Where the forge is asked at an address that people do not have, links have theirs.
#[test]
fn links_are_for_people() {
    let forge = Forge::new();
    let record = forge.run(&["--web-url", "https://git.example/"]).opened();
    assert_eq!(record["url"], "https://git.example/o/n/pulls/1");
    forge.asks(&format!("{LOOK} create list"));
}
