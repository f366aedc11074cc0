//! The keycloak row on a real swarm: its canonical would take the name of a live provider, whose users must not be disturbed.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use e2e::objects_named;
use e2e::row::{Neighbours, Row};

#[test]
fn the_canonical_gets_a_name_of_its_own_and_the_live_provider_is_unharmed() {
    let neighbours = Neighbours::up();
    let live = || (Neighbours::tasks_of("warm-keycloak_ci_example"), objects_named("warm-"));
    let (tasks, logins) = (live(), neighbours.logins());
    assert_eq!(tasks.0.len(), 1);

    let row = Row::run("keycloak");
    row.assert_as_expected();
    row.assert_gates();
    row.assert_nothing_left();

    // The guard refused the first change of the live stack, so the run changed nothing.
    let red = |run: &&serde_json::Value| run["outcome"] == "fail";
    for run in row.all("run.finished").iter().filter(red) {
        let refusals = run["refusals"].to_string();
        assert!(refusals.contains("of others") && refusals.contains("warm-keycloak_ci_example"), "{run:#}");
        assert_eq!(run["cleanup"]["created"], serde_json::json!([]), "{run:#}");
    }
    let promoted = row.all("canon.promoted");
    let fixed = row.all("fix.verdict");
    let opened = row.all("pr.opened");
    assert_eq!(promoted.len(), 1, "{promoted:#?}");
    assert_eq!((&promoted[0]["trial"], &promoted[0]["fix"]), (&true.into(), &opened[0]["patch"]));
    assert!(
        fixed.iter().any(|fix| fix["verdict"] == "fixed" && fix["fix"] == promoted[0]["fix"]),
        "{fixed:#?}"
    );
    assert_ne!(promoted[0]["domain"], "warm-keycloak.ci.example");

    let now = neighbours.logins();
    assert_eq!(now["failed"], 0, "{now}");
    assert!(now["logins"].as_u64().unwrap() > logins["logins"].as_u64().unwrap() + 30, "{now}");
    assert_eq!(live(), tasks);
}
