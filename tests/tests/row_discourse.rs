//! The discourse row on a real swarm: one "time-out" is a load flake that hides a stale test, and an overlay that no run
//! deploys has a defect. Three fixes are proposed and tested.

use e2e::row::Row;
use serde_json::Value;

#[test]
fn one_time_out_is_three_things() {
    e2e::calm::require();
    let row = Row::run("discourse");
    row.assert_as_expected();
    row.assert_gates();
    row.assert_nothing_left();

    // A red deployment ends its run, so that run has no result of the upgrade, and none must be made up.
    let (runs, tests) = (row.all("run.finished"), row.all("test.finished"));
    let cut_short: Vec<&Value> =
        runs.iter().filter(|run| run["stage"] == "deploy" && run["outcome"] == "fail").collect();
    assert!(cut_short.len() >= 2, "{runs:#?}");
    for run in cut_short {
        assert_eq!(run["factors"]["load"], "loaded", "alone there is time enough: {run:#}");
        let of_run = |test: &&Value| test["attempt_id"] == run["attempt_id"];
        assert_eq!(tests.iter().filter(of_run).count(), 1, "{run:#}");
    }

    // With another revision of the test, the hash of the tests differs while the release stays the same.
    let with = |level: &str| {
        let run = runs.iter().find(|run| run["factors"]["test"] == level && run["factors"]["fix"] == "none");
        run.unwrap_or_else(|| panic!("no run with test={level}")).clone()
    };
    let (stale, current) = (with("stale"), with("current"));
    assert_ne!(stale["tests"], current["tests"]);
    assert_eq!((&stale["ref"], &stale["harness"]), (&current["ref"], &current["harness"]));

    // Each fix goes to its repository. No case belongs to the recipe's fix, so only validation and CI support it.
    let opened = row.all("pr.opened");
    let proposed = |fix: &str| {
        let found = opened.iter().rfind(|opened| opened["fix_id"] == fix);
        found.unwrap_or_else(|| panic!("no pull request for {fix}")).clone()
    };
    let of = |fix: &str| {
        let opened = proposed(fix);
        (opened["repo"].clone(), opened["route"].clone(), opened["cases"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(of("progress"), ("recipe-maintainers/harness".into(), "harness-pr".into(), 1));
    assert_eq!(of("overlay"), ("recipe-maintainers/harness".into(), "test-comment".into(), 1));
    assert_eq!(of("sidekiq"), ("recipe-maintainers/discourse".into(), "recipe-pr".into(), 0));
    for fix in ["progress", "overlay", "sidekiq"] {
        let head = proposed(fix)["head"].clone();
        let checks = row.all("pr.checked");
        let last =
            checks.iter().rfind(|check| check["head"] == head).unwrap_or_else(|| panic!("{fix}: no CI"));
        assert_eq!((&last["state"], &last["merged"]), (&"green".into(), &false.into()), "{fix}");
    }
}
