//! Runs the scripts in examples/ unchanged, on a real swarm.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::row::{flows, latest, plan, sweep};
use e2e::snippet::{Home, commands, ends, ledger, told, unit, yaml};
use e2e::{docker, objects_named, require_engine, root, tool, wait_for};

fn example(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(root().join("examples").join(name));
    command
        .env("REDFIX_DIR", dir)
        .env("REDFIX_BIN", tool("swarm-isolate").parent().unwrap())
        .env("REDFIX_ENV", "/dev/null")
        .env("REDFIX_MAX_FOREIGN_CPU", "2")
        .env("REDFIX_ACCEPT_CORRELATED", "true")
        .stdin(Stdio::null());
    command
}

#[test]
fn another_ci_runs_in_the_place_of_our_life_cycle() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let output = example("other-ci/hello.sh", dir.path()).output().unwrap();
    let (report, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{report}{said}");
    assert!(report.contains("GATE M1 PASS 1/1") && report.contains("GATE M2 PASS 1/1"), "{report}");
    assert_eq!(objects_named("hell-"), Vec::<String>::new(), "what it named itself is gone");
}

#[test]
fn an_image_is_replaced() {
    require_engine();
    let dir = e2e::folder::Folder::new();
    let mine = "registry.example/busybox:mine";
    docker(["tag", "redfix/busybox:latest", mine]);
    // A single run shows which image was deployed.
    let output = example("own-image/hello.sh", dir.path())
        .env("IMAGE_BUSYBOX", mine)
        .arg("--plan")
        .arg(plan(&root().join("examples/recipes"), "hello", &[], dir.path()))
        .output();
    docker(["rmi", mine]);
    assert!(output.unwrap().status.success());
    let runs = latest(dir.path(), "hello").unwrap();
    let used = Command::new("grep").arg("-rlF").arg(mine).arg(&runs).output().unwrap();
    assert!(!used.stdout.is_empty(), "no evidence below {} names it", runs.display());
}

fn assert_nothing_left() {
    for part in ["iso-", "cold-", "run-", "pr7-", "redfix-lease"] {
        assert_eq!(objects_named(part), Vec::<String>::new());
    }
}

#[test]
fn woodpecker_sweeps_at_night_and_says_what_the_red_costs() {
    require_engine();
    let home = Home::new();
    let steps = yaml("ci/woodpecker.yml");
    let outputs: Vec<_> = steps["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| home.shell(&commands(step)).output().unwrap())
        .collect();
    for output in &outputs {
        ends(output, &[0]);
    }
    let red = ledger(&sweep(&home.path("state")).join("failed.jsonl"));
    assert_eq!((red.len(), &red[0]["recipe"]), (1, &"hello".into()), "{}", told(&outputs[1]));
    assert!(told(&outputs[2]).contains("hello"), "{}", told(&outputs[2]));
    assert_nothing_left();
}

#[test]
fn drone_tests_a_pull_request_alone() {
    require_engine();
    let home = Home::new();
    let pipeline = yaml("ci/drone.yml");
    let step = |number: usize| {
        let mut shell = home.shell(&commands(&pipeline["steps"][number]));
        shell.envs([("RECIPE", "hello"), ("DRONE_BUILD_NUMBER", "7")]);
        shell.output().unwrap()
    };
    let alone = step(0);
    ends(&alone, &[1]);
    let records = ledger(&home.path("redfix/7/ledger.jsonl"));
    let run = e2e::first(&records, "run.finished");
    let page = e2e::first(&records, "test.finished");
    assert_eq!(page["message"], "AssertionError: status 404", "red for its true reason: {page:#}");
    assert_eq!(
        (&run["outcome"], &run["cleanup"]["left"]),
        (&"fail".into(), &serde_json::json!([])),
        "{run:#}"
    );
    let said = step(1);
    ends(&said, &[0]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("GATE M1 FAIL"), "{}", told(&said));
    assert_nothing_left();
}

/// The conditions of a unit, then its commands, as systemd runs them.
fn unit_lines(home: &Home, name: &str) -> Vec<Command> {
    for condition in unit(name, "ExecCondition") {
        ends(&home.unit_command(&condition).output().unwrap(), &[0]);
    }
    let lines = unit(name, "ExecStart").into_iter().map(|line| home.unit_command(&line));
    lines.collect()
}

fn allowed(name: &str) -> Vec<i32> {
    let words = unit(name, "SuccessExitStatus").join(" ");
    words.split_whitespace().map(|word| word.parse().unwrap()).chain([0]).collect()
}

#[test]
fn the_units_go_on_after_a_power_cut() {
    require_engine();
    let home = Home::new();
    for mut command in unit_lines(&home, "redfix-sweep.service") {
        ends(&command.output().unwrap(), &allowed("redfix-sweep.service"));
    }
    let mut run = unit_lines(&home, "redfix-run.service").remove(0);
    let mut run = run.stdout(Stdio::null()).spawn().unwrap();
    wait_for("a deploy of the first run", 180, || {
        objects_named("iso-").iter().any(|name| name.starts_with("service"))
    });
    e2e::bench::kill(run.id(), "-KILL");
    run.wait().unwrap();
    let mut told_last = String::new();
    for mut command in unit_lines(&home, "redfix-resume.service") {
        let output = command.output().unwrap();
        ends(&output, &allowed("redfix-resume.service"));
        told_last = told(&output);
    }
    assert!(told_last.contains("GATE M1 PASS 1/1") && told_last.contains("GATE M2 PASS 1/1"), "{told_last}");
    assert!(flows(&home.path("state")).iter().all(|flow| flow.join("report").exists()), "it has ended");
    assert_nothing_left();
}

#[test]
fn abra_deploys_in_a_terminal_through_the_guard() {
    require_engine();
    let home = Home::new();
    let recipe = home.path("abra/recipes/hello");
    fs::create_dir_all(&recipe).unwrap();
    fs::copy(
        root().join("examples/recipes/hello/releases/1.1.0+1.37.0/compose.yml"),
        recipe.join("compose.yml"),
    )
    .unwrap();
    fs::write(recipe.join(".env.sample"), "RECIPE_VERSION=1.1.0\nWEB_PORT=64793\n").unwrap();
    let path = format!(
        "{}:{}:{}",
        root().join("tests/helpers").display(),
        home.path("home/target/release").display(),
        std::env::var("PATH").unwrap()
    );
    let dressed = |script: &str| {
        let mut shell = home.shell(script);
        shell.envs([("PATH", path.as_str()), ("REDFIX_LEDGER", "out/ledger.jsonl")]);
        shell.env("ABRA_DIR", home.path("abra")).output().unwrap()
    };
    let without = dressed("abra app new hello --domain x.ci.example --server default");
    assert!(!without.status.success() && told(&without).contains("FATA"), "{}", told(&without));
    fs::create_dir(home.path("out")).unwrap();
    let output = dressed(&format!("exec {} hello", root().join("examples/abra/deploy.sh").display()));
    ends(&output, &[0]);
    let records = ledger(&home.path("out/ledger.jsonl"));
    let run = e2e::first(&records, "run.finished");
    assert_eq!(
        (&run["outcome"], &run["cleanup"]["left"]),
        (&"pass".into(), &serde_json::json!([])),
        "{run:#}"
    );
    assert!(run["cleanup"]["created"].to_string().contains("service/"), "{run:#}");
    assert_nothing_left();
}
