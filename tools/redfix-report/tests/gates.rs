//! Tests of every condition of both gates: a ledger that passes, and for each condition one that fails only because of
//! it.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use redfix_report::gate::GateName::{self, M1, M2};
use redfix_report::gate::Rederivation::{Agrees, Disagrees, NotAsked};
use serde_json::{Value, json};
use support::{
    DISCOURSE, Fake, GITEA, Ledger, MUMBLE, PATCH, checked, flake, genuine, rules, run, skipped, snap,
    stale_test,
};

type Damage = fn(&mut Ledger);

fn broken(gate: GateName, whole: &Ledger, damage: Damage) -> Vec<&'static str> {
    let mut ledger = whole.clone();
    damage(&mut ledger);
    rules(gate, &ledger, &Fake(Ok(())), NotAsked)
}

#[test]
fn a_whole_ledger_passes_both_gates() {
    let both = Ledger([flake().0, genuine().0].concat());
    for ledger in [flake(), genuine(), stale_test(), enrolled(), both] {
        for gate in [M1, M2] {
            assert_eq!(rules(gate, &ledger, &Fake(Ok(())), NotAsked), [""; 0]);
        }
    }
}

#[test]
fn each_condition_of_m1_blocks_by_itself() {
    let table: &[(&str, Damage)] = &[
        ("no-verdict", |l| l.remove("flake.verdict", 0)),
        ("undecided", |l| l.get("flake.verdict", 0)["verdict"] = json!("inconclusive")),
        ("no-contrast", |l| {
            l.get("flake.verdict", 0).as_object_mut().unwrap().remove("shown_by");
        }),
        ("unattributed", |l| l.get("flake.verdict", 0)["cause"] = json!("unattributed")),
        ("unfounded", |l| l.get("flake.verdict", 0)["verdict"] = json!("genuine")),
        ("unfounded", |l| l.get("flake.verdict", 0)["verdict"] = json!("flake")),
        ("stale", |l| l.push("run.finished", run("new", MUMBLE, "isolated", "none", "pass"))),
        ("no-run", |l| l.remove("run.finished", 8)),
        ("retold", |l| {
            let mut other = l.get("run.finished", 0).clone();
            other["duration_ms"] = json!(1);
            l.0.push(other);
        }),
        ("unproved", |l| l.get("run.finished", 0)["isolation"]["proved"] = json!(false)),
        ("left-over", |l| l.get("run.finished", 0)["cleanup"]["left"] = json!(["volume/x"])),
        ("isolated-tally", |l| l.get("flake.verdict", 0)["isolated"]["pass"] = json!(6)),
        ("isolated-tally", |l| l.get("run.finished", 0)["outcome"] = json!("infra")),
        ("isolated-tally", |l| {
            // An id that is listed twice is one run.
            let verdict = l.get("flake.verdict", 0);
            verdict["attempts"].as_array_mut().unwrap().push(json!("a1"));
            verdict["isolated"]["pass"] = json!(6);
        }),
        ("loaded-tally", |l| l.get("flake.verdict", 0)["loaded"]["fail"] = json!(5)),
        ("no-evidence", |l| {
            l.get("run.finished", 0).as_object_mut().unwrap().remove("evidence");
        }),
        ("no-snap", |l| l.remove("log.snapped", 0)),
    ];
    for (rule, damage) in table {
        assert_eq!(broken(M1, &flake(), *damage), [*rule]);
    }
    assert_eq!(rules(M1, &flake(), &Fake(Err("changed".into())), NotAsked), ["bad-evidence"]);
}

#[test]
fn a_run_that_was_refused_before_it_created_anything_has_no_logs_to_show() {
    let told = |key: &str, said: Value, created: Value| {
        let mut ledger = flake();
        ledger.remove("log.snapped", 0);
        ledger.get("run.finished", 0)[key] = said;
        ledger.get("run.finished", 0)["cleanup"]["created"] = created;
        rules(M1, &ledger, &Fake(Ok(())), NotAsked)
    };
    let refused = json!(["of others: POST /x"]);
    assert_eq!(told("refusals", refused.clone(), json!([])), [""; 0]);
    assert_eq!(told("reason", json!("namespace: stack warm-x is taken"), json!([])), [""; 0]);
    assert_eq!(told("reason", json!("the command was idle"), json!([])), ["no-snap"]);
    assert_eq!(told("refusals", refused, json!(["service/1 a"])), ["no-snap"]);
}

#[test]
fn a_verdict_must_be_borne_by_its_own_counts() {
    let table = [
        ("load-flake", [1, 0], [4, 0]),
        ("load-flake", [0, 5], [0, 4]),
        ("genuine", [0, 5], [0, 0]),
        ("genuine", [5, 1], [0, 0]),
        ("flake", [5, 0], [0, 0]),
        ("flake", [0, 5], [4, 0]),
    ];
    for (word, isolated, loaded) in table {
        let verdict = support::verdict(MUMBLE, word, "load", "harness-pr", isolated, loaded, &[]);
        let ledger = Ledger::default().with("flake.verdict", verdict);
        assert!(rules(M1, &ledger, &Fake(Ok(())), NotAsked).contains(&"unfounded"), "{word} {isolated:?}");
    }
}

#[test]
fn a_disagreeing_rederivation_blocks_the_case_that_it_names() {
    let both = Ledger([flake().0, genuine().0].concat());
    let blocked = |said: &str| {
        let fold = both.read().fold;
        let evidence = redfix_report::evidence::verify_deciding(&fold, &Fake(Ok(())));
        let proofs = redfix_report::gate::Proofs {
            evidence,
            rederivation: Disagrees(said.to_owned()),
            ledger: "LEDGER".into(),
            ..redfix_report::gate::Proofs::default()
        };
        let mut blocked = Vec::new();
        for case in fold.cases() {
            let missing = redfix_report::gate::missing(M1, case, &fold, &proofs);
            assert!(missing.iter().all(|missing| missing.rule == "recheck"));
            blocked.extend((!missing.is_empty()).then(|| case.key.clone()));
        }
        blocked
    };
    assert_eq!(blocked(&format!("{GITEA}: says genuine, the runs say flake")), [GITEA]);
    assert_eq!(blocked("something is off"), [GITEA, MUMBLE]);
}

#[test]
fn a_run_that_the_verdict_need_not_count_does_not_make_it_stale() {
    let table: &[Damage] = &[
        // The run has a fix, is unproved, says nothing, is at another level than the red one, or is excluded.
        |l| l.push("run.finished", run("new", GITEA, "isolated", "ffff", "pass")),
        |l| {
            let mut other = run("new", GITEA, "isolated", "none", "pass");
            other["isolation"]["proved"] = json!(false);
            l.push("run.finished", other);
        },
        |l| l.push("run.finished", run("new", GITEA, "isolated", "none", "infra")),
        |l| {
            let mut other = run("new", GITEA, "isolated", "none", "pass");
            other["factors"]["path"] = json!("cold");
            l.push("run.finished", other);
        },
        |l| {
            l.push("run.finished", run("new", GITEA, "isolated", "none", "pass"));
            l.get("flake.verdict", 0)["excluded"] = json!([{"reason": "x", "count": 1, "attempts": ["new"]}]);
        },
    ];
    for damage in table {
        assert_eq!(broken(M1, &genuine(), *damage), [""; 0]);
    }
}

#[test]
fn a_run_since_the_deciding_one_needs_a_rederivation_an_earlier_one_a_new_verdict() {
    for (started, rederived) in
        [("2026-11-23T11:00:00.000Z", [""; 0].as_slice()), ("2026-11-23T08:00:00.000Z", &["stale"])]
    {
        let mut ledger = flake();
        let mut other = run("new", MUMBLE, "isolated", "none", "fail");
        other["started"] = json!(started);
        ledger.push("run.finished", other);
        assert_eq!(rules(M1, &ledger, &Fake(Ok(())), NotAsked), ["stale"]);
        assert_eq!(rules(M1, &ledger, &Fake(Ok(())), Agrees), rederived);
    }
}

#[test]
fn the_verdict_that_covers_most_runs_counts_whatever_came_last() {
    let mut ledger = flake();
    let mut partial = ledger.get("flake.verdict", 0).clone();
    partial["ts"] = json!("2026-12-01T00:00:00.000Z");
    partial["verdict"] = json!("inconclusive");
    partial["attempts"] = json!(["a1"]);
    ledger.0.push(partial);
    assert_eq!(rules(M1, &ledger, &Fake(Ok(())), NotAsked), [""; 0]);
}

#[test]
fn a_test_result_speaks_louder_than_its_run() {
    let mut ledger = genuine();
    // The runs are red, but the case's own test was green in one of them.
    for (id, outcome) in [("g1", "fail"), ("g2", "pass")] {
        ledger.push(
            "test.finished",
            json!({"attempt_id": id, "case": GITEA, "recipe": "gitea",
            "test": "promote", "outcome": outcome, "duration_ms": 1}),
        );
    }
    assert_eq!(rules(M1, &ledger, &Fake(Ok(())), NotAsked), ["isolated-tally"]);
}

#[test]
fn each_condition_of_m2_blocks_by_itself() {
    let harness: &[(&str, Damage)] = &[
        ("no-verdict", |l| l.remove("flake.verdict", 0)),
        ("no-verdict", |l| l.get("flake.verdict", 0)["verdict"] = json!("inconclusive")),
        ("no-pr", |l| l.remove("pr.opened", 0)),
        ("unsupported", |l| l.get("pr.opened", 0)["no_verdict"] = json!(true)),
        ("route", |l| l.get("flake.verdict", 0)["routes"] = json!(["recipe-pr"])),
        ("route", |l| l.get("flake.verdict", 0)["routes"] = json!([])),
        ("ci-red", |l| l.push("pr.checked", checked(MUMBLE, "coop/harness", 7, "red"))),
        ("merged", |l| {
            let mut merged = checked(MUMBLE, "coop/harness", 7, "green");
            (merged["merged"], merged["open"]) = (json!(true), json!(false));
            l.push("pr.checked", merged);
        }),
        ("closed", |l| {
            let mut closed = checked(MUMBLE, "coop/harness", 7, "none");
            closed["open"] = json!(false);
            l.push("pr.checked", closed);
        }),
        ("unverified", |l| l.remove("fix.verdict", 0)),
        ("unverified", |l| l.get("fix.verdict", 0)["fix"] = json!("another")),
        ("unverified", |l| l.get("pr.opened", 0)["patch"] = json!("another")),
        ("not-fixed", |l| l.get("fix.verdict", 0)["verdict"] = json!("not-fixed")),
        ("not-fixed", |l| l.get("fix.verdict", 0)["verdict"] = json!("inconclusive")),
        ("too-few", |l| l.get("fix.verdict", 0)["ratio"] = json!(19.9)),
        ("after-tally", |l| l.get("fix.verdict", 0)["after"]["pass"] = json!(6)),
        ("no-after-run", |l| {
            let fix = l.get("fix.verdict", 0);
            (fix["attempts"], fix["after"]["pass"]) = (json!(["gone"]), json!(1));
            l.0.retain(|r| !r["attempt_id"].as_str().unwrap_or("").starts_with('f'));
        }),
        ("other-patch", |l| l.get("run.finished", 9)["factors"]["fix"] = json!("another")),
        ("other-condition", |l| l.get("run.finished", 9)["factors"]["load"] = json!("isolated")),
        ("after-unproved", |l| l.get("run.finished", 9)["isolation"]["proved"] = json!(false)),
        ("after-unproved", |l| l.get("run.finished", 9)["cleanup"]["left"] = json!(["network/x"])),
        ("after-red", |l| l.get("run.finished", 9)["outcome"] = json!("timeout")),
        ("after-silent", |l| l.get("run.finished", 9)["outcome"] = json!("aborted")),
        ("fix-stale", |l| l.push("run.finished", run("new", MUMBLE, "loaded", PATCH, "fail"))),
    ];
    for (rule, damage) in harness {
        assert_eq!(broken(M2, &flake(), *damage), [*rule]);
    }
    let recipe: &[(&str, Damage)] = &[
        ("ci-not-green", |l| l.remove("pr.checked", 0)),
        ("ci-not-green", |l| l.get("pr.checked", 0)["state"] = json!("pending")),
        ("ci-not-green", |l| l.get("pr.checked", 0)["head"] = json!("another")),
        ("ci-red", |l| l.push("pr.checked", checked(GITEA, "coop/gitea", 3, "red"))),
        ("not-promoted", |l| l.remove("canon.promoted", 0)),
        ("not-promoted", |l| l.get("canon.promoted", 0)["fix"] = json!("another")),
        ("not-promoted", |l| l.get("canon.promoted", 0)["trial"] = json!(false)),
    ];
    for (rule, damage) in recipe {
        assert_eq!(broken(M2, &genuine(), *damage), [*rule]);
    }
}

/// A ledger about a recipe that is not in the canon, so that nothing of it was ever promoted.
fn enrolled() -> Ledger {
    let mut ledger = genuine();
    ledger.get("case.failed", 0)["stage"] = json!("enrol");
    ledger
}

#[test]
fn a_standing_exception_blocks_by_itself() {
    // The recipe stays left out although its fix is proved.
    assert_eq!(broken(M2, &enrolled(), |l| l.remove("canon.promoted", 0)), ["standing-exception"]);
    // Somebody accepted the failure: there is a verdict, and nothing after it.
    let accepted = broken(M2, &flake(), |l| {
        l.0.retain(|r| !["pr.opened", "fix.verdict"].iter().any(|kind| r["type"] == *kind));
    });
    assert_eq!(accepted, ["no-pr"]);
}

#[test]
fn a_comment_will_do_for_a_stale_test_alone() {
    let table: &[(&str, Damage)] = &[
        ("no-pr", |l| l.remove("pr.commented", 0)),
        ("unsupported", |l| l.get("pr.commented", 0)["no_verdict"] = json!(true)),
        ("route", |l| l.get("flake.verdict", 0)["routes"] = json!(["recipe-pr"])),
        ("route", |l| {
            l.get("flake.verdict", 0)["routes"] = json!(["harness-pr"]);
            l.get("pr.commented", 0)["route"] = json!("harness-pr");
        }),
        ("unverified", |l| l.get("pr.commented", 0)["patch"] = json!("another")),
        ("unverified", |l| l.remove("fix.verdict", 0)),
        ("other-patch", |l| l.get("run.finished", 6)["factors"]["fix"] = json!("another")),
        ("merged", |l| {
            let mut merged = checked(DISCOURSE, "coop/discourse", 4, "none");
            (merged["merged"], merged["open"]) = (json!(true), json!(false));
            l.push("pr.checked", merged);
        }),
        ("closed", |l| {
            let mut closed = checked(DISCOURSE, "coop/discourse", 4, "none");
            closed["open"] = json!(false);
            l.push("pr.checked", closed);
        }),
    ];
    for (rule, damage) in table {
        assert_eq!(broken(M2, &stale_test(), *damage), [*rule]);
    }
    // A pull request that patches the test, which somebody allowed with --with-tests, suffices as well.
    let patched = broken(M2, &stale_test(), |l| {
        l.remove("pr.commented", 0);
        l.push("pr.opened", support::opened(DISCOURSE, "coop/harness", 5, "test-comment"));
    });
    assert_eq!(patched, [""; 0]);
}

#[test]
fn what_pr_open_found_closed_or_merged_is_no_fix_until_it_is_opened_again() {
    for (state, number, rule) in [("closed", json!(7), "closed"), ("nothing-to-do", json!(null), "merged")] {
        let mut ledger = flake();
        ledger.push("pr.skipped", skipped(state, &number));
        assert_eq!(rules(M2, &ledger, &Fake(Ok(())), NotAsked), [rule]);
        ledger.push("pr.opened", support::opened(MUMBLE, "coop/harness", 7, "harness-pr"));
        assert_eq!(rules(M2, &ledger, &Fake(Ok(())), NotAsked), [""; 0]);
        let mut alone = flake();
        alone.remove("pr.opened", 0);
        alone.push("pr.skipped", skipped(state, &number));
        assert_eq!(rules(M2, &alone, &Fake(Ok(())), NotAsked), ["no-pr"]);
    }
    let mut other = flake();
    other.push("pr.skipped", skipped("closed", &json!(8)));
    assert_eq!(rules(M2, &other, &Fake(Ok(())), NotAsked), [""; 0]);
}

/// The rules that block each case if one attempt's folder, or one bundle, is not what was recorded.
fn faults(ledger: &Ledger, folder: Option<&str>, bundle: Option<&str>) -> Vec<(String, Vec<&'static str>)> {
    let fold = ledger.read().fold;
    let evidence = redfix_report::evidence::verify_deciding(&fold, &Fake(Ok(())));
    let disk = support::Disk { folder: folder.map(Into::into), bundle: bundle.map(Into::into) };
    let faults = redfix_report::evidence::verify_all(&fold, &evidence, &disk, &disk).unwrap();
    let proofs = redfix_report::gate::Proofs { evidence, faults, ..Default::default() };
    let cases = fold.cases().map(|case| {
        assert_eq!(redfix_report::gate::missing(M2, case, &fold, &proofs), []);
        let missing = redfix_report::gate::missing(M1, case, &fold, &proofs);
        (case.key.clone(), missing.iter().map(|one| one.rule).collect())
    });
    cases.collect()
}

#[test]
fn verified_evidence_blocks_the_case_whose_attempt_was_changed_and_nobodys_blocks_all() {
    let mut both = Ledger([flake().0, genuine().0].concat());
    both.get("run.finished", 9)["evidence"]["path"] = json!("evidence/after");
    let none = [(GITEA.to_owned(), vec![]), (MUMBLE.to_owned(), vec![])];
    assert_eq!(faults(&both, None, None), none);
    // An after-fix run, which no verdict of M1 counts.
    let changed = faults(&both, Some("evidence/after"), None);
    assert_eq!(changed, [(GITEA.into(), vec![]), (MUMBLE.into(), vec!["changed-evidence"])]);
    let changed = faults(&both, None, Some("evidence/g2/logs"));
    assert_eq!(changed, [(GITEA.into(), vec!["changed-bundle"]), (MUMBLE.into(), vec![])]);
    let mut stray = snap("x");
    stray.as_object_mut().unwrap().remove("attempt_id");
    both.push("log.snapped", stray);
    let changed = faults(&both, None, Some("evidence/x/logs"));
    assert_eq!(changed, [(GITEA.into(), vec!["changed-bundle"]), (MUMBLE.into(), vec!["changed-bundle"])]);
}

#[test]
fn after_fix_verdict_without_runs_is_no_proof() {
    let rules = broken(M2, &flake(), |l| {
        let fix = l.get("fix.verdict", 0);
        (fix["attempts"], fix["after"]["pass"]) = (json!([]), json!(0));
        l.0.retain(|r| !r["attempt_id"].as_str().unwrap_or("").starts_with('f'));
    });
    assert_eq!(rules, ["no-after-run"]);
}

#[test]
fn one_good_pull_request_is_enough_and_a_reopened_one_is_open() {
    let mut two = flake();
    two.push("pr.opened", support::opened(MUMBLE, "coop/mumble", 9, "recipe-pr"));
    assert_eq!(rules(M2, &two, &Fake(Ok(())), NotAsked), [""; 0]);
    let mut reopened = flake();
    let mut closed = checked(MUMBLE, "coop/harness", 7, "none");
    closed["open"] = json!(false);
    reopened.push("pr.checked", closed);
    reopened.push("pr.opened", support::opened(MUMBLE, "coop/harness", 7, "harness-pr"));
    assert_eq!(rules(M2, &reopened, &Fake(Ok(())), NotAsked), [""; 0]);
}

#[test]
fn an_empty_ledger_fails_both_gates() {
    for gate in [M1, M2] {
        // Without a case there is no rule to report; `rules` asserts that the report fails nevertheless.
        assert_eq!(rules(gate, &Ledger::default(), &Fake(Ok(())), NotAsked), [""; 0]);
    }
}

#[test]
fn runs_alone_are_a_case_that_waits_for_its_verdict() {
    let ledger = Ledger::default()
        .with("run.finished", run("a1", MUMBLE, "isolated", "none", "pass"))
        .with("log.snapped", snap("a1"));
    assert_eq!(rules(M1, &ledger, &Fake(Ok(())), NotAsked), ["no-verdict"]);
    assert_eq!(rules(M2, &ledger, &Fake(Ok(())), NotAsked), ["no-pr", "no-verdict"]);
}
