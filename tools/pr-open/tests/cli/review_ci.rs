//! `ground/review-ci`: the CI behind a `dir:` forge.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{Ran, World, run};

const BRANCH: &str = "fix/mumble/readiness";

struct Ci {
    world: World,
}

impl Ci {
    /// One open pull request, with `!testme` asked for.
    fn new() -> Self {
        let world = World::new();
        std::fs::create_dir(world.path("tmp")).unwrap();
        world.run(&["--testme"]).opened();
        Self { world }
    }

    fn command(&self, options: &[&str], cmd: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ground/review-ci");
        let mut command = Command::new(script);
        command.arg("--forge").arg(self.world.path("forge")).args(options).arg("--").args(cmd);
        command.env("TMPDIR", self.world.path("tmp")).env_remove("REDFIX_FORGE");
        command
    }

    fn once(&self, cmd: &[&str]) -> Ran {
        run(self.command(&["--once"], cmd), "")
    }

    fn follow(&self, cmd: &[&str]) -> Following {
        let mut command = self.command(&["--follow", "--interval", "0.1"], cmd);
        Following(command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().ok())
    }

    fn states(&self) -> Vec<String> {
        let states = self.world.events("status");
        states.iter().map(|event| event["status"].as_str().unwrap().to_owned()).collect()
    }

    fn last(&self) -> Value {
        self.world.events("status").pop().unwrap()
    }

    fn nothing_left(&self) {
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.world.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Ended with the test, whatever becomes of it.
struct Following(Option<Child>);

impl Following {
    fn stop(mut self) -> Ran {
        let child = self.0.take().unwrap();
        signal("TERM", child.id());
        Ran::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            signal("TERM", child.id());
            let _ = child.wait();
        }
    }
}

fn signal(name: &str, pid: u32) {
    Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < Duration::from_mins(5), "not after 5 min: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_exit_code_and_nothing_else_decides() {
    for (cmd, state) in [
        (&["true"][..], "success"),
        (&["false"], "failure"),
        (&["sh", "-c", "exit 75"], "error"),
        (&["sh", "-c", "exit 126"], "error"),
        (&["/no/such/command"], "error"),
        (&["sh", "-c", "kill -9 $$"], "failure"),
    ] {
        let ci = Ci::new();
        let ran = ci.once(cmd);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ci.states(), ["pending", state], "{cmd:?}");
        let last = ci.last();
        assert_eq!((&last["context"], &last["number"]), (&json!("cc-ci/testme"), &json!(1)));
        assert_eq!((&last["repo"], &last["sha"]), (&json!("o/n"), &json!(ci.world.branch(BRANCH))));
        assert!(last["description"].as_str().unwrap().contains(" s"), "{last}");
        assert_eq!(last["id"], ci.world.queue().len());
        ci.nothing_left();
        ci.once(cmd);
        assert_eq!(ci.states().len(), 2, "a second look has nothing to do");
    }
}

#[test]
fn it_runs_the_head_itself() {
    let ci = Ci::new();
    let out = ci.world.path("seen");
    let script = format!(
        "cd \"$REDFIX_HARNESS\" && {{ git rev-parse HEAD; cat mumble/lifecycle; echo \"$RECIPE $REF $PR\"; }} >{}",
        out.display()
    );
    ci.once(&["sh", "-c", &script]);
    assert_eq!(ci.states(), ["pending", "success"]);
    let head = ci.world.branch(BRANCH);
    let wanted = format!("{head}\none\ntwo\nready\nthree\nmumble {head} 1\n");
    assert_eq!(std::fs::read_to_string(out).unwrap(), wanted);
}

#[test]
fn pr_open_waits_for_it() {
    let ci = Ci::new();
    let following = ci.follow(&["sh", "-c", "sleep 0.5"]);
    let ran = ci.world.run(&["--testme", "--wait", "--poll", "50ms", "--require-context", "cc-ci/testme"]);
    assert_eq!((ran.code, &ran.checked()["state"]), (0, &json!("green")), "{}", ran.stderr);
    assert_eq!(following.stop().code, 143);
    ci.nothing_left();
}

#[test]
fn nothing_is_tested_that_was_not_asked_for() {
    let ci = Ci::new();
    ci.once(&["true"]);
    let comment = |body: &str, sha: &str| {
        ci.world.append(&json!({"event": "comment", "number": 1, "body": body, "sha": sha}));
    };
    let head = ci.world.branch(BRANCH);
    comment("!testme please", &head);
    comment("please !testme", &head);
    ci.once(&["false"]);
    assert_eq!(ci.states(), ["pending", "success"]);
    comment("!testme", &head);
    ci.once(&["false"]);
    assert_eq!(ci.states(), ["pending", "success", "pending", "failure"]);

    comment("!testme", &head);
    ci.world.commit_on(BRANCH, "mumble/lifecycle", "moved\n");
    let ran = run(ci.command(&["--once", "-v"], &["true"]), "");
    assert!(ran.stderr.contains("not tested: the head is"), "{}", ran.stderr);
    assert_eq!(ci.states().len(), 4, "the head was superseded");

    comment("!testme", &ci.world.branch(BRANCH));
    ci.world.append(&json!({"event": "pull.closed", "number": 1}));
    ci.once(&["true"]);
    assert_eq!(ci.states().len(), 4, "it is closed");
}

#[test]
fn a_signal_in_the_middle_leaves_nothing_green() {
    let ci = Ci::new();
    let mark = ci.world.path("child");
    let script = format!("sleep 300 & echo $! >{}; trap '' TERM; wait", mark.display());
    let following = ci.follow(&["sh", "-c", &script]);
    let pid = || std::fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse::<u32>().ok());
    until("the command runs", || pid().is_some());
    let second = ci.once(&["true"]);
    assert_eq!(second.code, 75, "{}", second.stderr);
    let ran = following.stop();
    assert_eq!(ran.code, 143, "{}", ran.stderr);
    assert_eq!(ci.states(), ["pending"]);
    ci.nothing_left();
    let child = pid().unwrap();
    until("the command's child is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
    ci.once(&["true"]);
    assert_eq!(ci.states(), ["pending", "pending", "success"], "the next start runs it again");
}

#[test]
fn a_deadline_is_an_error() {
    let ci = Ci::new();
    run(ci.command(&["--once", "--deadline", "0.3"], &["sleep", "300"]), "");
    assert_eq!(ci.states(), ["pending", "error"]);
    assert!(ci.last()["description"].as_str().unwrap().contains("deadline"));
    ci.nothing_left();
}

#[test]
fn no_command_no_green() {
    let ci = Ci::new();
    let ran = ci.once(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.starts_with("review-ci: reading arguments: CMD: missing"), "{}", ran.stderr);
    assert!(ci.states().is_empty());
}
