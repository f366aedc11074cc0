//! The examples that need no engine: the YAML and the units are well formed, and the test histories are read.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::process::Command;

use e2e::snippet::{Home, commands, ends, example, only, told, unit, yaml};

#[test]
fn woodpecker_and_drone_know_every_word() {
    let woodpecker = yaml("ci/woodpecker.yml");
    only(&woodpecker, &["labels", "when", "steps"]);
    assert_eq!(woodpecker["when"][0]["cron"], "nightly");
    for step in woodpecker["steps"].as_array().unwrap() {
        only(step, &["name", "image", "environment", "commands"]);
        assert!(step["image"].is_string() && !commands(step).is_empty());
    }
    let drone = yaml("ci/drone.yml");
    only(&drone, &["kind", "type", "name", "platform", "trigger", "environment", "steps"]);
    assert_eq!((&drone["kind"], &drone["type"]), (&"pipeline".into(), &"exec".into()));
    for step in drone["steps"].as_array().unwrap() {
        only(step, &["name", "when", "commands"]);
    }
    assert_eq!(drone["steps"][1]["when"]["status"][0], "failure");
}

#[test]
fn gitea_actions_summarises_what_the_nights_say() {
    let workflow = yaml("ci/gitea-actions.yml");
    only(&workflow, &["name", "on", "jobs"]);
    let job = &workflow["jobs"]["flakes"];
    only(job, &["runs-on", "env", "steps"]);
    let home = Home::new();
    let summary = home.path("summary.md");
    for step in job["steps"].as_array().unwrap() {
        only(step, &["name", "run"]);
        let mut shell = home.shell(step["run"].as_str().unwrap());
        let output = shell
            .envs([("NIGHTS", example("histories/pytest")), ("GITHUB_STEP_SUMMARY", summary.clone())])
            .output();
        ends(&output.unwrap(), &[0]);
    }
    let said = fs::read_to_string(summary).unwrap();
    assert!(said.starts_with("```\n") && said.ends_with("```\n"), "{said}");
    for word in ["test_shop::test_checkout\n  flake: ", "test_shop::test_tax\n  genuine: "] {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

#[test]
fn pytest_and_nextest_histories_are_told_flake_from_real() {
    let home = Home::new();
    let script = example("histories/classify.sh");
    let mut classify = Command::new("bash");
    home.dress(&mut classify);
    let path = format!("{}:{}", home.path("home/target/release").display(), std::env::var("PATH").unwrap());
    let output = classify.arg(script).env("PATH", path).output().unwrap();
    ends(&output, &[0]);
    for word in [
        "test_shop::test_checkout\n  flake: ",
        "test_shop::test_tax\n  genuine: ",
        // A retry in the same night counts as a result.
        "shop::tests::checkout\n  flake: ",
        "shop::tests::tax\n  genuine: ",
    ] {
        assert!(told(&output).contains(word), "{word:?} is missing in: {}", told(&output));
    }
}

#[test]
fn systemd_takes_the_units() {
    let home = Home::new();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(home.units()).output();
    let output = output.unwrap();
    ends(&output, &[0]);
    assert_eq!(told(&output), "", "not even a warning");
    let calendar = unit("redfix-sweep.timer", "OnCalendar").remove(0);
    ends(&Command::new("systemd-analyze").args(["calendar", &calendar]).output().unwrap(), &[0]);
}

#[test]
fn docker_compose_takes_the_guards_file() {
    let mut compose = Command::new("docker-compose");
    compose.arg("-f").arg(example("guard/compose.yml")).args(["config", "--services"]);
    let output = compose.output().unwrap();
    ends(&output, &[0]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "guard\nrunner\n");
}

#[test]
fn where_nothing_was_interrupted_only_the_condition_speaks() {
    let home = Home::new();
    fs::create_dir(home.path("state")).unwrap();
    let condition = |name: &str| {
        let line = unit(name, "ExecCondition").remove(0);
        home.unit_command(&line).output().unwrap()
    };
    ends(&condition("redfix-sweep.service"), &[0]);
    ends(&condition("redfix-run.service"), &[1]);
    let resume = unit("redfix-resume.service", "ExecStart").remove(1);
    ends(&home.unit_command(&resume).output().unwrap(), &[0]);
    fs::create_dir(home.path("state/redfix-0123456789ab")).unwrap();
    fs::write(home.path("state/redfix-0123456789ab/recipes"), "hello\n").unwrap();
    ends(&condition("redfix-sweep.service"), &[1]);
}
