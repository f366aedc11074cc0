//! Records for this crate's tests.

use lib_common::record::case::{CaseFailed, Contrast, Ref, Stage};
use lib_common::record::run::{Cleanup, Isolation, Outcome, RunFinished, TestFinished, TestOutcome};
use lib_common::record::{Factors, Known};

use crate::finding::{Finding, findings};
use crate::fold::Fold;
use crate::rule::Rule;
use crate::settings::Settings;

pub const CASE: &str = "mumble@1/custom/test_x.py::test_y";

/// A failing case. Tests that need contrasts and a baseline add them.
pub fn case() -> CaseFailed {
    CaseFailed {
        case: CASE.into(),
        recipe: "mumble".into(),
        version: "1".into(),
        reference: None,
        test: "custom/test_x.py::test_y".into(),
        stage: Stage::Custom,
        domain: None,
        stack: None,
        message: None,
        hypothesis: None,
        source: "sweep.xml".into(),
        contrasts: vec![],
        baseline: Factors::new(),
        last_green: None,
    }
}

pub fn failed() -> Known {
    Known::CaseFailed(Box::new(case()))
}

pub fn contrast(factor: &str, levels: &[&str]) -> Contrast {
    Contrast { factor: factor.into(), levels: levels.iter().map(ToString::to_string).collect() }
}

/// An eligible run without a result, started `minute` minutes after 1970.
pub fn run_body(id: &str, minute: i64, load: &str) -> RunFinished {
    RunFinished {
        attempt_id: id.into(),
        recipe: "mumble".into(),
        version: "1".into(),
        cases: vec![CASE.into()],
        reference: Some(Ref { commit: "c0ffee".into(), kind: "tag".into(), name: None }),
        harness: Some("h1".into()),
        tests: Some("t1".into()),
        engine: "20.10.24".into(),
        node: "n1".into(),
        boot_id: "b1".into(),
        stack: "s".into(),
        domain: None,
        factors: Factors::from([("load".into(), load.into()), ("fix".into(), "none".into())]),
        outcome: Outcome::Pass,
        reason: None,
        exit_code: Some(0),
        signal: None,
        stage: None,
        started: jiff::Timestamp::from_second(minute * 60).unwrap().to_string(),
        duration_ms: 60_000,
        signature: None,
        isolation: Isolation { proved: true, slots_held: 1, slots_total: 1, ..Isolation::default() },
        cleanup: Cleanup::default(),
        refusals: vec![],
        guard: None,
        harm: vec![],
        notes: vec![],
        evidence: None,
    }
}

pub fn run(id: &str, minute: i64, load: &str) -> Known {
    Known::RunFinished(Box::new(run_body(id, minute, load)))
}

pub fn test(id: &str, outcome: TestOutcome) -> Known {
    Known::TestFinished(Box::new(TestFinished {
        attempt_id: id.into(),
        case: CASE.into(),
        recipe: "mumble".into(),
        test: "custom/test_x.py::test_y".into(),
        outcome,
        duration_ms: 1000,
        message: None,
        signature: None,
    }))
}

/// Records of one history: `i`/`l` isolated/loaded green, `I`/`L` red, one every `step` minutes, with the
/// given further factors.
pub fn history(prefix: &str, letters: &str, step: i64, factors: &[(&str, &str)]) -> Vec<Known> {
    let mut records = Vec::new();
    for (number, letter) in letters.chars().enumerate() {
        let id = format!("{prefix}{number:03}");
        let load = if letter.eq_ignore_ascii_case(&'i') { "isolated" } else { "loaded" };
        let mut body = run_body(&id, i64::try_from(number).unwrap() * step, load);
        body.factors.extend(factors.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        records.push(Known::RunFinished(Box::new(body)));
        let outcome = if letter.is_ascii_uppercase() { TestOutcome::Fail } else { TestOutcome::Pass };
        records.push(test(&id, outcome));
    }
    records
}

/// What `records` prove of `failed`, by the default settings.
pub fn find(failed: &CaseFailed, records: Vec<Known>) -> Finding {
    let mut all = vec![Known::CaseFailed(Box::new(failed.clone()))];
    all.extend(records);
    found(all, &settings())
}

/// What `records` prove of their first case.
pub fn found(records: impl IntoIterator<Item = Known>, settings: &Settings) -> Finding {
    findings(&fold(records), settings).next().unwrap().1
}

/// What was read after `records`.
pub fn fold(records: impl IntoIterator<Item = Known>) -> Fold {
    let mut fold = Fold::default();
    for record in records {
        fold.note(record);
    }
    fold.finish();
    fold
}

pub fn settings() -> Settings {
    Settings {
        rule: Rule::new(20, false).unwrap(),
        spacing_ms: 600_000,
        accept_correlated: false,
        accept_claimed: false,
    }
}
