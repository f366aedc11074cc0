//! One pull request and one comment, however many machines are at it: looking and opening are two steps on a real forge.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Ran, World, finished, run, verdict};
use crate::forge::{BRANCH, Forge, TOKEN};

/// Each with a folder for temporary files of its own, so that no lock is shared: as on so many machines.
fn machines(forge: &Forge, many: usize, extra: &[&str]) -> Vec<Value> {
    let spawn = |n: usize| {
        let tmp = forge.world.path(&format!("tmp-{n}"));
        std::fs::create_dir_all(&tmp).unwrap();
        let mut command = forge.command(&forge.fake.url, &[&["--no-verdict"], extra].concat());
        command.env("TMPDIR", tmp);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..many).map(spawn).collect();
    children.into_iter().map(|child| Ran::of(child.wait_with_output().unwrap()).opened()).collect()
}

#[test]
fn machines_that_start_together_open_one_and_ask_once() {
    let forge = Forge::new();
    let opened = machines(&forge, 6, &["--testme", "--grace", "20s"]);
    assert_eq!(opened.iter().filter(|record| record["action"] == "created").count(), 1, "{opened:#?}");
    assert!(opened.iter().all(|record| record["number"] == 1), "{opened:#?}");
    assert_eq!(forge.fake.state().pulls.len(), 1);
    assert_eq!(forge.bodies(), ["!testme"]);
    let asked = forge.fake.asked();
    assert_eq!(asked.split(' ').filter(|word| *word == "create").count(), 1, "{asked}");
}

/// A branch that is left over is no sign of who opens: somebody else is waited for.
#[test]
fn who_did_not_make_the_branch_waits_before_it_opens() {
    let forge = Forge::opened();
    let theirs = forge.fake.state().pulls.remove(0);
    let fake = forge.fake.clone();
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| forge.run(&["--grace", "20s"]).opened());
        while !fake.state().log.iter().any(|exchange| exchange.template.ends_with("{base}/{head}")) {
            std::thread::sleep(Duration::from_millis(20));
        }
        fake.state().pulls.push(theirs);
        let record = ours.join().unwrap();
        assert_eq!((&record["action"], &record["number"]), (&json!("unchanged"), &json!(1)));
    });
    let asked = forge.fake.asked();
    assert!(!asked.contains("create") && forge.fake.state().pulls.len() == 1, "{asked}");
}

/// A person opens one in the moment between our look and our request: theirs has the lower number, and is ours from then
/// on. The other is named in every run, until a person closes it.
#[test]
fn the_lowest_number_counts_and_the_other_is_named() {
    let forge = Forge::new();
    let fake = forge.fake.clone();
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| forge.run(&[]));
        loop {
            let mut state = fake.state();
            if state.seen.iter().any(|request| request.method == "POST") {
                let head = state.commit(BRANCH).unwrap();
                state.put_pull(BRANCH, "main", "by hand", "by hand", &head);
                break;
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(2));
        }
        let ran = ours.join().unwrap();
        let record = ran.opened();
        assert_eq!((&record["action"], &record["number"]), (&json!("updated"), &json!(1)), "{}", ran.stderr);
        assert!(
            record["warnings"][0].as_str().unwrap().contains("/pulls/2 is open for the same branch"),
            "{record}"
        );
        assert!(ran.stderr.contains("/pulls/2"), "{}", ran.stderr);
    });
    forge.asks("token repo base list past create list edit");
    for _ in 0..2 {
        let ran = forge.run(&["--strict"]);
        assert_eq!((&ran.opened()["action"], &ran.opened()["number"]), (&json!("unchanged"), &json!(1)));
        assert!(ran.stderr.contains("/pulls/2"), "{}", ran.stderr);
        forge.asks("token repo base list");
    }
    forge.fake.state().pulls[1]["state"] = json!("closed");
    assert!(forge.run(&[]).opened().get("warnings").is_none());
    forge.asks("token repo base list");
}

/// A comment that takes longer than we wait for the answer is there once.
#[test]
fn a_slow_comment_is_looked_for() {
    let forge = Forge::opened();
    forge.fake.state().traps.slow_comment = Some(Duration::from_secs(4));
    forge.run(&["--testme", "--forge-timeout", "2s"]).opened();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(forge.bodies(), ["!testme"]);
    assert!(forge.fake.asked().starts_with("token repo base list comments statuses edit"));
}

/// What an update needs is asked once, too, though two push it.
#[test]
fn machines_that_update_together_ask_once() {
    let forge = Forge::opened();
    forge.mend();
    let opened = machines(&forge, 4, &["--testme", "--grace", "20s"]);
    assert!(
        opened.iter().all(|record| record["number"] == 1 && record["head"] == forge.head()),
        "{opened:#?}"
    );
    assert_eq!(forge.bodies(), ["!testme"]);
    let _ = forge.fake.asked();
}

fn note(forge: &Forge, extra: &[&str]) -> Ran {
    let ledger = finished("a1", "isolated", "fail", true) + &verdict("genuine", &["test-comment"]);
    run(forge.command(&forge.fake.url, &[&["--comment", "--pr", "1"], extra].concat()), &ledger)
}

/// A comment with our mark that somebody else wrote is left alone, whoever put the mark there.
#[test]
fn a_planted_comment_is_not_edited() {
    let forge = Forge::new();
    forge.world.fix("readiness", &[("mumble/custom/test_x.py", "assert 1\n")]);
    std::fs::write(forge.world.fix_dir("readiness").join("route"), "test-comment\n").unwrap();
    let head = forge.world.commit_on("bob", "gitea/lifecycle", "bob\n");
    forge.fake.state().put_pull("bob", "main", "his", "his words", &head);
    forge.fake.state().put_comment("1", "Mine.\n\n<!-- redfix-comment mumble/readiness -->");
    assert_eq!(note(&forge, &[]).records("pr.commented")[0]["action"], "created");
    forge.asks("token pull comments comment comments");
    let ran = note(&forge, &["--upstream-issue", "https://up.example/7"]);
    assert_eq!(ran.records("pr.commented")[0]["action"], "updated");
    forge.asks("token pull comments edit-comment");
    assert!(forge.bodies()[0].starts_with("Mine.") && forge.bodies()[1].contains("up.example"));
    assert_eq!(forge.bodies().len(), 2);

    // One of ours that is there twice: the first is kept up to date, the other is named.
    let twice = forge.bodies()[1].clone();
    forge.fake.state().put_comment_of("bot", "1", &twice);
    let ran = note(&forge, &[]);
    assert_eq!(ran.records("pr.commented")[0]["action"], "updated");
    assert!(ran.code == 0 && ran.stderr.contains("#issuecomment-13"), "{}", ran.stderr);
    assert!(!forge.bodies()[1].contains("up.example") && forge.bodies()[2].contains("up.example"));
    forge.asks("token pull comments edit-comment");

    // Where nothing tells whose the token is, nothing of anybody's is edited.
    forge.fake.state().traps.no_introspection = true;
    forge.fake.state().users.insert(TOKEN.into(), crate::fake::bot("write:repository write:issue"));
    let ran = note(&forge, &["--upstream-issue", "https://up.example/8"]);
    assert!(ran.code == 2 && ran.stderr.contains("read:user"), "{}", ran.stderr);
    forge.asks("token pull comments ourselves");
}

/// In a folder, where looking and opening are one step, nobody waits.
#[test]
fn a_folder_needs_no_grace() {
    let world = World::new();
    world.run(&[]).opened();
    std::fs::remove_file(world.path("forge/queue.jsonl")).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(world.run(&["--grace", "10m"]).opened()["action"], "created");
    assert!(start.elapsed() < Duration::from_mins(5));
}
