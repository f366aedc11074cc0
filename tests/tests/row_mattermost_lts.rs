//! The mattermost-lts row on a real swarm: only the restore is red, every time; it passed before at another ref, the head of
//! a pull request; a dump and a restore hook fix it.

use e2e::row::Row;
use serde_json::Value;

const RED: &str = "restore/test_restore.py::test_restore_returns_state";

#[test]
fn a_restore_that_a_running_database_does_not_see() {
    let row = Row::run("mattermost-lts");
    row.assert_as_expected();
    row.assert_gates();
    row.assert_nothing_left();

    // Every run at the release is red, and every run at the head of the pull request is green.
    let tests = row.all("test.finished");
    let outcomes = |version: &str, fix: &str| -> Vec<Value> {
        let is = |run: &&Value| run["factors"]["version"] == version && run["factors"]["fix"] == fix;
        let runs = row.all("run.finished");
        let ids: Vec<&Value> = runs.iter().filter(is).map(|run| &run["attempt_id"]).collect();
        let of_runs = |test: &&Value| test["test"] == RED && ids.contains(&&test["attempt_id"]);
        tests.iter().filter(of_runs).map(|test| test["outcome"].clone()).collect()
    };
    let all = |found: &[Value], outcome: &str| found.len() >= 2 && found.iter().all(|one| one == outcome);
    let red = outcomes("2.1.9+10.11.15", "none");
    assert!(red.len() >= 5 && all(&red, "fail"), "{red:?}");
    assert!(all(&outcomes("pull-1", "none"), "pass"));

    // No other test is red, and the proposed fix is this test's fix. A run that tries a fix leaves out the stages behind its
    // case's.
    let with_fix: Vec<Value> =
        row.all("run.finished").into_iter().filter(|run| run["factors"]["fix"] != "none").collect();
    let is_left_out = |test: &Value| {
        test["outcome"] == "skip" && with_fix.iter().any(|run| run["attempt_id"] == test["attempt_id"])
    };
    let is_fine = |test: &Value| test["outcome"] == "pass" || test["test"] == RED || is_left_out(test);
    assert!(tests.iter().all(is_fine), "{tests:#?}");
    let opened = row.all("pr.opened");
    assert_eq!(opened.len(), 1, "{opened:#?}");
    assert_eq!(opened[0]["repo"], "recipe-maintainers/mattermost-lts");
    assert!(all(&outcomes("2.1.9+10.11.15", opened[0]["patch"].as_str().unwrap_or_default()), "pass"));

    // The earlier green run was at another ref.
    let failed = row.all("case.failed");
    let green = &failed[0]["last_green"]["ref"];
    assert_eq!(green["kind"], "pull-request", "{failed:#?}");
    assert!(row.all("run.finished").iter().any(|run| run["ref"]["commit"] != green["commit"]));
}
