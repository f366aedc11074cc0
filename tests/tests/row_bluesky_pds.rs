//! The bluesky-pds row on a real swarm with Traefik, Caddy and fifteen other warm domains: other stacks answer at its warm
//! name, and both fixes are verified.

use e2e::objects_named;
use e2e::row::{Neighbours, Row};
use serde_json::Value;

#[test]
fn the_alias_is_named_and_both_fixes_cure_it() {
    let _neighbours = Neighbours::up();
    let before = objects_named("warm-");
    let row = Row::run("bluesky-pds");
    row.assert_as_expected();
    row.assert_gates();
    row.assert_nothing_left();
    assert_eq!(objects_named("warm-"), before, "only the neighbours are there");

    // Deployed from scratch it is red at that name too, so the warm path is not the cause. Each fix alone makes it green.
    let at = |levels: [&str; 3], outcome: &str| {
        let is = |run: &&Value| {
            ["path", "domain", "fix"].iter().zip(levels).all(|(key, level)| run["factors"][key] == level)
        };
        let runs = row.all("run.finished");
        let runs: Vec<&Value> = runs.iter().filter(is).collect();
        assert!(
            !runs.is_empty() && runs.iter().all(|run| run["outcome"] == outcome),
            "{levels:?}: {runs:#?}"
        );
    };
    at(["warm", "warm", "none"], "fail");
    at(["cold", "warm", "none"], "fail");
    at(["warm", "leased", "none"], "pass");
    let fixes: Vec<Value> = row.all("fix.verdict");
    let promoted = row.all("canon.promoted");
    for opened in row.all("pr.opened") {
        let patch = opened["patch"].as_str().unwrap_or_default();
        at(["warm", "warm", patch], "pass");
        assert!(fixes.iter().any(|fix| fix["fix"] == patch && fix["verdict"] == "fixed"), "{fixes:#?}");
        assert!(promoted.iter().any(|p| p["fix"] == patch && p["trial"] == true), "{promoted:#?}");
    }
    assert_eq!(promoted.len(), 2);

    // The probe that was recorded while the red stack existed names the alias collision.
    let probed = row.all("domain.probed");
    assert!(
        probed.iter().any(|p| p["kind"] == "alias-collision" && p["domain"] == "warm-bluesky-pds.ci.example")
    );
    let audited = row.all("domain.audited");
    assert!(audited.iter().any(|a| a["kind"] == "alias-answered-by-strangers"), "{audited:#?}");
}
