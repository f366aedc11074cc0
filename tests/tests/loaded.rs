//! What `swarm-isolate` checks before and during a run: that the namespace is free, that the load was really there, and that
//! apps which the harness named itself belong to the run.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use lib_common::swarm::label;
use std::fs;

use e2e::docker;
use e2e::run::{DEPLOY, Run, said};
use e2e::stack::{IMAGE, try_docker};

/// A service of a stack that no run made. It is removed when the test ends.
struct Live(String);

impl Live {
    fn new(stack: &str, domain: &str) -> Self {
        let name = format!("{stack}_app");
        let rule = format!("traefik.http.routers.x.rule=Host(`{domain}`)");
        let stack = label::of_stack(stack);
        docker([
            "service",
            "create",
            "-d",
            "--no-resolve-image",
            "--endpoint-mode",
            "dnsrr",
            "--name",
            &name,
            "--label",
            &rule,
            "--label",
            &stack,
            "--stop-signal",
            "KILL",
            IMAGE,
            "sleep",
            "3600",
        ]);
        e2e::wait_for("the live service", 180, || {
            docker(["service", "ps", "-q", "--filter", "desired-state=running", &name]).lines().count() == 1
                && docker(["service", "ls", "--filter", &format!("name={name}"), "--format", "{{.Replicas}}"])
                    .trim()
                    == "1/1"
        });
        Self(name)
    }

    fn tasks(&self) -> String {
        docker(["service", "ps", "--no-trunc", "--format", "{{.ID}} {{.Name}}", &self.0])
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        try_docker(&["service", "rm", &self.0]);
    }
}

#[test]
fn a_live_services_name_or_domain_makes_the_run_red_and_touches_nothing() {
    let run = Run::new("live");
    let live = Live::new(&format!("{}_warm", run.name), &format!("sso.{}.example", run.name));
    let before = live.tasks();
    for (domain, words) in [
        (format!("SSO.{}.example", run.name), "is taken by live service"),
        (format!("{}.warm", run.name), "is taken by service/"),
    ] {
        let output = run.output(&["--factor", &format!("domain={domain}")], "touch ran");
        let last = run.last_run();
        assert_eq!(
            (output.status.code(), &last["outcome"]),
            (Some(1), &"fail".into()),
            "{last:#}\n{}",
            said(&output)
        );
        let reason = last["reason"].as_str().unwrap();
        assert!(reason.starts_with("namespace: ") && reason.contains(words), "{reason}");
        assert_eq!(
            (&last["stage"], &last["isolation"]["proved"]),
            (&"enrol".into(), &true.into()),
            "{last:#}"
        );
    }
    assert!(!run.path("ran").exists());
    assert_eq!(live.tasks(), before);
}

#[test]
fn what_an_earlier_run_left_makes_the_run_invalid() {
    let run = Run::new("left");
    let domain = format!("{}.again", run.name);
    let factor = format!("domain={domain}");
    assert!(run.output(&["--factor", &factor], "exit 0").status.success());
    assert_eq!(run.last_run()["domain"], domain.as_str(), "the very domain");
    let _left = Live::new(&format!("{}_again", run.name), "nothing.example");
    let output = run.output(&["--factor", &factor], "touch ran");
    let last = run.last_run();
    assert_eq!((output.status.code(), &last["outcome"]), (Some(75), &"disturbed".into()), "{last:#}");
    assert!(last["reason"].as_str().unwrap().starts_with("not a clean start: service/"), "{last:#}");
    let pattern = format!("stack={}_a*", run.name);
    assert_eq!(
        run.output(&["--allow", &pattern], "touch ran").status.code(),
        Some(75),
        "an app of an admitted name"
    );
    assert!(!run.path("ran").exists());
}

#[test]
fn an_app_that_the_harness_named_itself_is_the_runs() {
    let run = Run::new("own");
    let app = format!("{}-1a2b3c_ci_example", run.name);
    let script = format!(
        "docker stack deploy --resolve-image never -c compose.yml {app} >/dev/null 2>&1 || exit 9; echo x | docker secret create {app}_db_password_v1 - >/dev/null;
        until [ -n \"$(docker ps -q --filter label=com.docker.stack.namespace={app})\" ]; do sleep 0.2; done; sleep 2"
    );
    let pattern = format!("stack={}-*.ci.example", run.name);
    let output = run.output(&["--allow", &pattern, "--domain", "else.ci.example"], &script);
    assert!(output.status.success(), "{}", said(&output));
    let last = run.last_run();
    let created = last["cleanup"]["created"].to_string();
    for kind in ["service/", "container/", "network/", "config/", "volume/", "secret/"] {
        assert!(created.contains(kind), "{kind} in {created}");
    }
    assert_eq!(last["cleanup"]["others_unchanged"], true, "{last:#}");
    assert!(
        last["isolation"]["nodes"][0]["own_pressure"].is_number(),
        "its containers are the run's own: {last:#}"
    );
    run.assert_nothing_left();
}

#[test]
fn neighbours_are_copies_of_which_none_is_a_sample_and_none_is_left() {
    let run = Run::new("nb");
    let script = format!(
        "{DEPLOY} echo \"$REDFIX_STACK $REDFIX_DOMAIN $REDFIX_CONDITION\" >>stacks; echo '<testsuite><testcase name=\"a\"/></testsuite>' >$REDFIX_EVIDENCE/j.xml;
        until [ $(wc -l <stacks) = 3 ]; do sleep 0.1; done; sleep 2; [ \"$REDFIX_ATTEMPT\" = \"$(cat first 2>/dev/null)\" ] || sleep 30"
    );
    let options =
        ["--condition", "loaded", "--neighbours", "2", "--min-foreign-cpu", "0", "--timeout", "20s"];
    let output = run.output(&options, &script);
    let last = run.last_run();
    assert_eq!(output.status.code(), Some(1), "the primary sleeps too: {}", said(&output));
    assert_eq!(
        (&last["outcome"], &last["isolation"]["neighbours"]),
        (&"timeout".into(), &2.into()),
        "{last:#}"
    );
    assert!(last["isolation"]["nodes"][0]["foreign_pressure"].is_number(), "{last:#}");
    let stacks = fs::read_to_string(run.path("stacks")).unwrap();
    let mut names: Vec<&str> = stacks.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(stacks.lines().all(|line| line.ends_with(" loaded")), "{stacks}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3, "{stacks}");
    assert!(
        names.iter().all(|name| name.len() == names[0].len()),
        "no name is the prefix of another: {stacks}"
    );
    let tests = run.records().iter().filter(|record| record["type"] == "test.finished").count();
    assert_eq!(tests, 1, "only the primary run is a sample");
    assert!(run.evidence("neighbour-2.log").is_empty());
    run.assert_nothing_left();
}

#[test]
fn a_recipe_with_a_published_port_has_no_neighbours() {
    let run = Run::new("port");
    let compose = fs::read_to_string(run.path("compose.yml")).unwrap();
    let port = "    ports: [{target: 80, published: 42731, mode: host}]\n    networks: [internal]\n";
    fs::write(run.path("compose.yml"), compose.replace("    networks: [internal]\n", port)).unwrap();
    // The published ports are found while the tool waits for the neighbours' load.
    let options = ["--condition", "loaded", "--neighbours", "1", "--min-foreign-cpu", "1.5"];
    let output =
        run.output(&options, &format!("[ -e deployed ] && touch ran; touch deployed; {DEPLOY} sleep 60"));
    assert_eq!(output.status.code(), Some(2));
    let told = said(&output);
    assert!(
        told.contains("publishes port 42731, mode host") && told.contains("--load-with CMD instead"),
        "{told}"
    );
    assert!(!run.path("ran").exists());
    run.assert_nothing_left();
    let output = run.output(&["--condition", "loaded", "--neighbours", "9"], "true");
    assert!(said(&output).contains("10 deploys at once, and the swarm has 3 slots"), "{}", said(&output));
}

#[test]
fn a_load_that_never_pressed_makes_the_run_invalid_instead_of_green() {
    let run = Run::new("soft");
    let options = [
        "--condition",
        "loaded",
        "--load-with",
        "sleep 600",
        "--min-foreign-cpu",
        "0",
        "--min-pressure",
        "101",
    ];
    let output = run.output(&options, "exit 0");
    let last = run.last_run();
    assert_eq!((output.status.code(), &last["outcome"]), (Some(75), &"disturbed".into()), "{last:#}");
    assert!(last["reason"].as_str().unwrap().contains("was never loaded"), "{last:#}");
    assert_eq!(last["isolation"]["proved"], false);
}
