//! Ledgers for the tests. They pass both gates, each in another way; tests then damage one condition at a time.
#![allow(dead_code)] // each test binary uses its own part

use lib_common::record::Head;
use lib_common::record::log::LogSnapped;
use redfix_report::bundles::{FirstError, LogBundles};
use redfix_report::evidence::{EvidenceFolders, verify_deciding};
use redfix_report::gate::{GateName, Proofs, Rederivation, missing};
use redfix_report::input::{Gather, Input, Keep};
use redfix_report::report::Report;
use serde_json::{Value, json};

pub const MUMBLE: &str = "mumble@1.0.0+v1.6.870-0/custom/test_protocol_handshake.py::test_handshake_completes_with_channel_presence";
pub const GITEA: &str = "gitea@3.6.0/promote";
pub const DISCOURSE: &str = "discourse@0.8.1/upgrade";
pub const PATCH: &str = "0123456789abcdef0123456789abcdef01234567";
pub const HEAD: &str = "89abcdef0123456789abcdef0123456789abcdef";
/// BLAKE3 root hash of `tests/data/evidence/run`.
pub const EVIDENCE: &str = "999f1fbaf4b32ec1061d81c0a51df6f7d0a6960c8ef25a7b8139c195b6635f88";

/// A ledger in time order. `push` gives each record a head whose time is a second after the one before.
#[derive(Clone, Default)]
pub struct Ledger(pub Vec<Value>);

impl Ledger {
    pub fn push(&mut self, kind: &str, body: Value) {
        let second = self.0.len();
        let head = Head {
            kind: kind.into(),
            v: 1,
            ts: format!("2026-11-23T10:{:02}:{:02}.000Z", second / 60, second % 60),
            investigation: "01KAS3Q5T0000000000000000A".into(),
            tool: "test/0.1.0".into(),
        };
        let mut record = serde_json::to_value(head).unwrap();
        let Value::Object(body) = body else { panic!("a body is an object") };
        record.as_object_mut().unwrap().extend(body);
        self.0.push(record);
    }

    pub fn with(mut self, kind: &str, body: Value) -> Self {
        self.push(kind, body);
        self
    }

    /// The `nth` record of a type.
    pub fn get(&mut self, kind: &str, nth: usize) -> &mut Value {
        self.0.iter_mut().filter(|record| record["type"] == kind).nth(nth).unwrap()
    }

    pub fn remove(&mut self, kind: &str, nth: usize) {
        let at = self.0.iter().enumerate().filter(|(_, r)| r["type"] == kind).nth(nth).unwrap().0;
        self.0.remove(at);
    }

    pub fn text(&self) -> String {
        self.0.iter().map(|record| record.to_string() + "\n").collect()
    }

    pub fn read(&self) -> Input {
        read(&self.text())
    }
}

pub fn read(text: &str) -> Input {
    use lib_common::{cli::Common, diag::Diag, stream::Reader, stream::Torn};
    let common = Common { max_line: 1 << 20, ..Common::default() };
    let diag = Diag::to_writer("redfix-report", Box::new(std::io::sink()));
    let mut gather = Gather::new(Keep::default());
    gather
        .read(Reader::new(text.as_bytes(), "test", &common, Torn::Error), "test", &diag, |_| Ok(()))
        .unwrap();
    gather.finish()
}

/// A run with these factors and this outcome, with which everything else is in order.
pub fn run(id: &str, case: &str, load: &str, fix: &str, outcome: &str) -> Value {
    let recipe = case.split('@').next().unwrap();
    let minute: u32 = id.bytes().map(u32::from).sum::<u32>() % 60;
    json!({
        "attempt_id": id, "recipe": recipe, "version": "1", "cases": [case],
        "engine": "20.10.24", "node": "n1", "boot_id": "b", "stack": format!("iso_{id}"),
        "factors": {"load": load, "fix": fix}, "outcome": outcome,
        "started": format!("2026-11-23T09:{minute:02}:00.000Z"), "duration_ms": 61_500,
        "isolation": {"proved": true, "slots_held": 1, "slots_total": 1, "other_deploys": 0},
        "cleanup": {"created": [format!("service/{id}")], "left": [], "duration_ms": 900, "others_unchanged": true},
        "evidence": {"path": "evidence/run", "blake3": EVIDENCE},
    })
}

pub fn snap(id: &str) -> Value {
    json!({"attempt_id": id, "stack": format!("iso_{id}"), "path": format!("evidence/{id}/logs"), "blake3": "0",
        "complete": true, "tasks": 1, "streams": 2, "lines": 10, "bytes": 100, "duration_ms": 5})
}

pub fn verdict(
    key: &str,
    word: &str,
    cause: &str,
    route: &str,
    isolated: [u32; 2],
    loaded: [u32; 2],
    attempts: &[&str],
) -> Value {
    json!({
        "case": key, "verdict": word,
        "isolated": {"fail": isolated[0], "pass": isolated[1]}, "loaded": {"fail": loaded[0], "pass": loaded[1]},
        "ratios": {"half": 1.0, "det": 50.0, "clean": 1.0, "load": 57.9},
        "thresholds": {"t": 20.0, "t_load": 24.0, "cap": 20, "eps": 0.02},
        "attempts": attempts, "cause": cause, "routes": [route],
        "sentence": format!("{key} is a {word}."),
    })
}

pub fn fix_verdict(case: &str, load: &str, attempts: &[&str]) -> Value {
    json!({"case": case, "fix": PATCH, "verdict": "fixed", "under": {"load": load},
        "before": {"fail": 4, "pass": 0}, "after": {"fail": 0, "pass": attempts.len()},
        "ratio": 32.0, "threshold": 20.0, "attempts": attempts, "further_runs": 0, "sentence": "It is fixed."})
}

pub fn opened(case: &str, repo: &str, number: u64, route: &str) -> Value {
    json!({"cases": [case], "action": "created", "forge": "https://git.example", "repo": repo, "number": number,
        "url": format!("https://git.example/{repo}/pulls/{number}"), "branch": "redfix/readiness", "head": HEAD,
        "base": "main", "title": "wait until the channel is there", "fix_id": "readiness", "patch": PATCH, "route": route})
}

pub fn checked(case: &str, repo: &str, number: u64, state: &str) -> Value {
    json!({"cases": [case], "forge": "https://git.example", "repo": repo, "number": number, "head": HEAD,
        "patch": PATCH, "state": state, "open": true, "merged": false, "waited_ms": 1000})
}

const LOADED: [&str; 4] = ["l1", "l2", "l3", "l4"];
const ALONE: [&str; 5] = ["a1", "a2", "a3", "a4", "a5"];
const AFTER: [&str; 5] = ["f1", "f2", "f3", "f4", "f5"];

/// A load-flake that a harness pull request cures.
pub fn flake() -> Ledger {
    let mut ledger = Ledger::default().with("case.failed", json!({
        "case": MUMBLE, "recipe": "mumble", "version": "1.0.0+v1.6.870-0", "test": "custom/test_protocol_handshake.py",
        "stage": "custom", "message": "TimeoutError: no channel", "source": "sweep.xml",
        "ref": {"commit": HEAD, "kind": "tag", "name": "1.0.0+v1.6.870-0"},
        "last_green": {"ts": "2026-06-17T18:05:01Z", "ref": {"commit": HEAD, "kind": "tag", "name": "1.0.0+v1.6.870-0"}},
    }));
    for (ids, load, fix, outcome) in
        [(&ALONE[..], "isolated", "none", "pass"), (&LOADED, "loaded", "none", "fail")]
    {
        for id in ids {
            ledger.push("run.finished", run(id, MUMBLE, load, fix, outcome));
            ledger.push("log.snapped", snap(id));
        }
    }
    let mut decided = verdict(
        MUMBLE,
        "load-flake",
        "load",
        "harness-pr",
        [0, 5],
        [4, 0],
        &[ALONE.as_slice(), &LOADED].concat(),
    );
    decided["shown_by"] = json!({"factor": "load", "red": "loaded", "green": "isolated", "ratio": 57.9});
    ledger.push("flake.verdict", decided);
    ledger.push("pr.opened", opened(MUMBLE, "coop/harness", 7, "harness-pr"));
    for id in AFTER {
        ledger.push("run.finished", run(id, MUMBLE, "loaded", PATCH, "pass"));
    }
    ledger.with("fix.verdict", fix_verdict(MUMBLE, "loaded", &AFTER))
}

/// A genuine defect that failed to promote, with a recipe pull request, green in CI and promoted as a trial.
pub fn genuine() -> Ledger {
    let mut ledger = Ledger::default().with(
        "case.failed",
        json!({
            "case": GITEA, "recipe": "gitea", "version": "3.6.0", "test": "promote", "stage": "promote",
            "source": "sweep.xml", "baseline": {"path": "warm"},
        }),
    );
    let (alone, after) = (["g1", "g2", "g3", "g4", "g5"], ["h1", "h2", "h3", "h4", "h5"]);
    for id in alone {
        let mut red = run(id, GITEA, "isolated", "none", "fail");
        red["factors"]["path"] = json!("warm");
        ledger.push("run.finished", red);
        ledger.push("log.snapped", snap(id));
    }
    let mut decided = verdict(GITEA, "genuine", "recipe", "recipe-pr", [5, 0], [0, 0], &alone);
    decided["shown_by"] = json!({"factor": "path", "red": "warm", "green": "cold", "ratio": 32.0});
    ledger.push("flake.verdict", decided);
    ledger.push("pr.opened", opened(GITEA, "coop/gitea", 3, "recipe-pr"));
    ledger.push("pr.checked", checked(GITEA, "coop/gitea", 3, "green"));
    for id in after {
        ledger.push("run.finished", run(id, GITEA, "isolated", PATCH, "pass"));
    }
    ledger.push("fix.verdict", fix_verdict(GITEA, "isolated", &after));
    ledger.with(
        "canon.promoted",
        json!({"case": GITEA, "recipe": "gitea", "version": "3.6.0",
        "domain": "trial-gitea.ci.example", "trial": true, "fix": PATCH}),
    )
}

/// A stale test, explained in a comment on somebody else's pull request, with a patch that is proved.
pub fn stale_test() -> Ledger {
    let mut ledger = Ledger::default().with(
        "case.failed",
        json!({
            "case": DISCOURSE, "recipe": "discourse", "version": "0.8.1", "test": "upgrade", "stage": "upgrade",
            "source": "sweep.xml", "baseline": {"test": "stale"},
        }),
    );
    let (alone, after) = (["c1", "c2", "c3", "c4", "c5"], ["e1", "e2", "e3", "e4", "e5"]);
    for id in alone {
        let mut red = run(id, DISCOURSE, "isolated", "none", "fail");
        red["factors"]["test"] = json!("stale");
        ledger.push("run.finished", red);
        ledger.push("log.snapped", snap(id));
    }
    let mut decided = verdict(DISCOURSE, "genuine", "test", "test-comment", [5, 0], [0, 0], &alone);
    decided["shown_by"] = json!({"factor": "test", "red": "stale", "green": "current", "ratio": 32.0});
    ledger.push("flake.verdict", decided);
    ledger.push("pr.commented", commented());
    for id in after {
        ledger.push("run.finished", run(id, DISCOURSE, "isolated", PATCH, "pass"));
    }
    ledger.with("fix.verdict", fix_verdict(DISCOURSE, "isolated", &after))
}

pub fn commented() -> Value {
    json!({"cases": [DISCOURSE], "action": "created", "forge": "https://git.example", "repo": "coop/discourse",
        "number": 4, "url": "https://git.example/coop/discourse/pulls/4#issuecomment-12", "fix_id": "stale-test",
        "patch": PATCH, "route": "test-comment"})
}

/// The `pr.skipped` about the pull request of [`flake`].
pub fn skipped(state: &str, number: &Value) -> Value {
    let mut skip = json!({"cases": [MUMBLE], "state": state, "forge": "https://git.example", "repo": "coop/harness",
        "branch": "redfix/readiness", "base": "main", "fix_id": "readiness", "route": "harness-pr"});
    if !number.is_null() {
        skip["number"] = number.clone();
    }
    skip
}

/// Evidence and bundles on a disk on which one of them was changed.
#[derive(Default)]
pub struct Disk {
    pub folder: Option<String>,
    pub bundle: Option<String>,
}

impl EvidenceFolders for Disk {
    fn verify(&self, evidence: &lib_common::record::run::Evidence) -> Result<(), String> {
        if self.folder.as_ref() == Some(&evidence.path) { Err("changed".into()) } else { Ok(()) }
    }
}

impl LogBundles for Disk {
    fn verify(&self, snap: &LogSnapped) -> lib_common::Result<Result<(), String>> {
        Ok(if self.bundle.as_ref() == Some(&snap.path) { Err("changed".into()) } else { Ok(()) })
    }

    fn first_error(&self, _: &LogSnapped, _: std::time::Instant) -> Result<FirstError, String> {
        Err("not looked for".into())
    }
}

/// Evidence of which every folder, or none, is what was recorded.
pub struct Fake(pub Result<(), String>);

impl EvidenceFolders for Fake {
    fn verify(&self, _: &lib_common::record::run::Evidence) -> Result<(), String> {
        self.0.clone()
    }
}

/// The rules by which a ledger fails a gate, sorted, each once.
pub fn rules(
    gate: GateName,
    ledger: &Ledger,
    folders: &dyn EvidenceFolders,
    rederivation: Rederivation,
) -> Vec<&'static str> {
    let fold = ledger.read().fold;
    let proofs = Proofs {
        evidence: verify_deciding(&fold, folders),
        rederivation,
        ledger: "LEDGER".into(),
        ..Proofs::default()
    };
    let mut rules: Vec<_> = fold
        .cases()
        .flat_map(|case| missing(gate, case, &fold, &proofs))
        .map(|missing| missing.rule)
        .collect();
    let report = Report::new(&fold, &proofs, &[gate], "", None);
    assert_eq!(report.passes(), rules.is_empty() && fold.cases().count() > 0);
    rules.sort_unstable();
    rules.dedup();
    rules
}
