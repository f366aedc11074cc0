//! What `make redfix` does, whole, with all six rows side by side: each verdict, cause and route is the one expected, the swarm is as before, the users of the live provider notice nothing. Shortened: the sweep is the recorded one, and
//! red runs count however close in time they are.

use std::process::Stdio;

use e2e::row::{Neighbours, assert_as_expected, flows, latest, script};
use e2e::{objects_named, root};

/// Every object on the engine except the swarm's slots, which are created once and stay.
fn snapshot() -> Vec<String> {
    objects_named("").into_iter().filter(|name| !name.starts_with("config redfix-slot-")).collect()
}

#[test]
fn all_six_rows_side_by_side() {
    e2e::calm::require();
    let neighbours = Neighbours::up();
    let live = || (Neighbours::tasks_of("warm-keycloak_ci_example"), snapshot());
    let (before, logins) = (live(), neighbours.logins());
    assert_eq!(before.0.len(), 1);

    let dir = e2e::folder::Folder::new();
    let output = script("scripts/all-rows", dir.path())
        .args(["--short", "--state-dir"])
        .arg(dir.path().join("docs"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the script starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    for gate in ["GATE M1 PASS 7/7", "GATE M2 PASS 7/7"] {
        assert!(report.contains(gate), "{gate}:\n{report}");
    }

    let flow = flows(dir.path()).remove(0);
    let ledger = |row: &str| latest(&flow, row).expect("an investigation").join("ledger.jsonl");
    let rows = ["bluesky-pds", "discourse", "gitea", "keycloak", "mattermost-lts", "mumble"];
    assert_as_expected(&root().join("ground/rows"), &rows.map(ledger), true);

    let now = neighbours.logins();
    assert_eq!(now["failed"], 0, "{now}");
    assert!(now["logins"].as_u64() > logins["logins"].as_u64(), "{logins} {now}");
    assert_eq!(live(), before);
}
