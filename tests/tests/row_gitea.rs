//! The gitea row on a real swarm: deployed from scratch it is green; advanced in place, it restarts again and again because
//! it cannot write a file. With either fix it is promoted and keeps its data.

use e2e::row::{Neighbours, Row};
use serde_json::Value;

const RELEASE: &str = "3.6.0+1.25.0-rootless";

#[test]
fn the_warm_path_keeps_a_configuration_that_the_release_cannot_complete() {
    let _neighbours = Neighbours::up();
    let row = Row::run("gitea");
    row.assert_as_expected();
    row.assert_gates();
    row.assert_nothing_left();

    let verdicts = row.all("flake.verdict");
    let shown = &verdicts[verdicts.len() - 1]["shown_by"];
    assert_eq!((&shown["factor"], &shown["green"]), (&"path".into(), &"cold".into()), "{verdicts:#?}");

    // Every red run has the true error message; after each green run the data is still in the database.
    let tests = row.all("test.finished");
    let of = |name: &str| -> Vec<&Value> { tests.iter().filter(|test| test["test"] == name).collect() };
    for red in of("promote").iter().filter(|test| test["outcome"] == "fail") {
        let said = red["message"].to_string();
        assert!(said.contains("app.ini") && said.contains("read-only file system"), "{said}");
    }
    let kept = of("promote/test_data.py::test_repositories_are_there");
    assert!(!kept.is_empty() && kept.iter().all(|test| test["outcome"] == "pass"), "{kept:#?}");

    // Each fix is verified on the warm path, and the trial promotion used that fix.
    let (verdicts, promoted) = (row.all("fix.verdict"), row.all("canon.promoted"));
    let opened = row.all("pr.opened");
    let repos: Vec<&Value> = opened.iter().map(|opened| &opened["repo"]).collect();
    assert_eq!(repos, ["recipe-maintainers/gitea", "recipe-maintainers/harness"]);
    for patch in opened.iter().map(|opened| &opened["patch"]) {
        let fixed = verdicts.iter().rfind(|fix| fix["fix"] == *patch);
        let fixed = fixed.unwrap_or_else(|| panic!("no verdict on {patch}"));
        assert_eq!((&fixed["verdict"], &fixed["under"]["path"]), (&"fixed".into(), &"warm".into()));
        let is = |one: &&Value| one["fix"] == *patch && one["trial"] == true && one["version"] == RELEASE;
        assert!(promoted.iter().any(|one| is(&one)), "{promoted:#?}");
    }
}
