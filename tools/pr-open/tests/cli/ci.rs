//! Asking CI for a run, and waiting for its verdict, over HTTP.

use std::time::Duration;

use serde_json::json;

use crate::forge::{BRANCH, Forge, LOOK, QUICK, run_hiding};

#[test]
fn testme_takes_three_more_requests_and_asks_once_per_head() {
    let forge = Forge::new();
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list past create list comment");
    assert_eq!(forge.fake.state().comments[0]["body"], "!testme");

    assert_eq!(forge.run(&["--testme"]).opened()["action"], "unchanged");
    forge.asks("token repo base list comments");
    forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nvery ready\nthree\n")]);
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list head edit comments statuses edit comment");
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list comments");
    assert_eq!(forge.bodies(), ["!testme", "!testme"]);
}

#[test]
fn another_trigger_is_another_word() {
    let forge = Forge::new();
    forge.run(&["--testme", "--trigger", "!testme --quick"]).opened();
    assert_eq!(forge.bodies(), ["!testme --quick"]);
    forge.asks("token repo base list past create list comment");
}

#[test]
fn a_comment_of_somebody_else_does_not_count() {
    let forge = Forge::opened();
    forge.fake.state().put_comment("1", "!testmexyz");
    forge.fake.state().put_comment("1", "please !testme");
    forge.run(&["--testme"]).opened();
    forge.asks("token repo base list comments statuses edit comment");
    assert_eq!(forge.bodies().last().unwrap(), "!testme");
}

/// First CI is silent, as for a repository that is not enrolled; then it answers red, later green in the same context.
#[test]
fn none_then_red_then_green() {
    let forge = Forge::opened();
    let head = forge.head();
    forge.fake.state().put_status(&head, "cc-ci/testme", "success");
    let none = forge.run(&QUICK);
    assert_eq!((none.code, &none.checked()["state"]), (75, &json!("none")), "{}", none.stderr);
    assert!(none.stderr.contains("enrolled"), "{}", none.stderr);
    forge.fake.state().traps.ci = [("cc-ci/testme", "pending"), ("cc-ci/testme", "failure")].into();
    let red = forge.run(&QUICK);
    assert_eq!((red.code, &red.checked()["state"]), (1, &json!("red")), "{}", red.stderr);
    forge.fake.state().traps.ci = [("cc-ci/testme", "success")].into();
    let green = forge.run(&QUICK);
    assert_eq!((green.code, &green.checked()["state"]), (0, &json!("green")), "{}", green.stderr);
    assert_eq!(green.checked()["contexts"][0]["url"], "https://ci.example/1");
    assert_eq!(forge.bodies(), ["!testme"]);
    only_reads_and(&forge, &["edit", "comment"]);
}

/// A wait makes as many requests as time allows; all must be reads, except for `writes`.
fn only_reads_and(forge: &Forge, writes: &[&str]) {
    let reads = ["token", "repo", "base", "head", "list", "past", "comments", "statuses", "pull"];
    let asked = forge.fake.asked();
    let stray = asked.split(' ').find(|word| !reads.contains(word) && !writes.contains(word));
    assert_eq!(stray, None, "{asked}");
    for write in writes {
        assert_eq!(asked.split(' ').filter(|word| word == write).count(), 1, "{write}: {asked}");
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
    forge.asks(
        "token repo base list past create list comment \
         comments statuses statuses statuses pull comments statuses statuses comments pull",
    );
}

#[test]
fn a_required_context_decides() {
    let forge = Forge::new();
    forge.fake.state().traps.ci = [("other", "pending"), ("cc-ci/testme", "success")].into();
    let ran = forge.run(&["--testme", "--wait", "--poll", "20ms", "--require-context", "cc-ci/testme"]);
    assert_eq!((ran.code, &ran.checked()["state"]), (0, &json!("green")), "{}", ran.stderr);
    assert_eq!(ran.checked()["contexts"].as_array().unwrap().len(), 2);
    forge.asks("token repo base list past create list comment comments statuses statuses comments pull");
}

#[test]
fn the_deadline_ends_it() {
    let forge = Forge::new();
    forge.fake.state().traps.ci = [("ci", "pending")].into();
    let ran = forge.run(&["--testme", "--wait", "--poll", "20ms", "--deadline", "300ms"]);
    assert_eq!((ran.code, &ran.checked()["state"]), (75, &json!("pending")), "{}", ran.stderr);
    only_reads_and(&forge, &["create", "comment"]);
}

#[test]
fn a_verdict_must_stand() {
    let forge = Forge::new();
    // CI is green for a moment, then a second job begins and turns red.
    forge.fake.state().traps.ci = [("a", "success"), ("b", "pending"), ("b", "failure")].into();
    let ran = forge.run(&["--testme", "--wait", "--poll", "20ms", "--settle", "500ms"]);
    assert_eq!((ran.code, &ran.checked()["state"]), (1, &json!("red")), "{}", ran.stderr);
    only_reads_and(&forge, &["create", "comment"]);
}

#[test]
fn a_head_that_moves_is_superseded() {
    let forge = Forge::opened();
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
    only_reads_and(&forge, &["edit", "comment"]);
}

#[test]
fn one_that_people_close_is_superseded() {
    let forge = Forge::opened();
    let fake = forge.fake.clone();
    fake.state().traps.ci = std::iter::repeat_n(("ci", "pending"), 400).collect();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| forge.run(&["--testme", "--wait", "--poll", "50ms"]));
        while fake.state().comments.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        fake.state().pulls[0]["state"] = json!("closed");
        let checked = waiting.join().unwrap().checked();
        assert_eq!((&checked["state"], &checked["open"]), (&json!("superseded"), &json!(false)));
    });
    only_reads_and(&forge, &["edit", "comment"]);
}

/// Progress is shown on a terminal, and not in a pipe.
#[test]
fn progress_is_for_terminals() {
    for terminal in [true, false] {
        let forge = Forge::new();
        forge.fake.state().traps.ci = [("ci", "pending"), ("ci", "pending"), ("ci", "success")].into();
        let more = ["--no-verdict", "--testme", "--wait", "--poll", "20ms", "--require-context", "ci"];
        let mut command = forge.command(&forge.fake.url, &more);
        if terminal {
            let shown: Vec<String> = std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(|word| format!("'{}'", word.to_str().unwrap()))
                .collect();
            // script(1) gives the tool a terminal for standard output and standard error.
            command = std::process::Command::new("script");
            command.args(["-qefc", &format!("{} </dev/null", shown.join(" ")), "/dev/null"]);
            command.env("TERM", "xterm").env_remove("NO_COLOR");
        }
        let ran = run_hiding(command);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let text = ran.stdout + &ran.stderr;
        assert_eq!(text.contains(&format!("\r\x1b[Kpr-open: {}: CI is not done", forge.link(1))), terminal);
        assert_eq!(text.contains('\x1b'), terminal, "{text}");
        let asked = forge.fake.asked();
        assert!(asked.starts_with(&format!("{LOOK} create list comment comments statuses")), "{asked}");
    }
}
