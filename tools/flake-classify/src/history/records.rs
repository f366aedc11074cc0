//! Turns the runs of a history into records: a `run.finished` for each run, a `test.finished` for each result, and a
//! `case.failed` for each test that was ever red. Pure, except for the random key of the redactor.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lib_common::case::CaseKey;
use lib_common::clock::rfc3339;
use lib_common::record::case::{CaseFailed, Contrast, LastGreen, Ref, Stage};
use lib_common::record::run::{Cleanup, Isolation, Outcome, RunFinished, TestFinished, TestOutcome};
use lib_common::record::{Factors, Known};
use lib_common::redact::Redactor;
use lib_common::signature::signature;
use lib_common::text::Text;

use super::{PastResult, PastRun};
use crate::attempt::Reason;
use crate::cli::Sweep;

/// Longest failure text that a record keeps. Whole logs are for evidence bundles, not for records.
const MESSAGE_MAX: usize = 64 * 1024;

/// Recipe and version in case keys if neither the history nor the user names them.
const UNNAMED: (&str, &str) = ("history", "any");

/// All records of a history: the red cases first, then every run with its results.
pub fn tell(runs: &[PastRun], sweep: &Sweep) -> Vec<Known> {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let cases = failed(runs, sweep, &mut redactor);
    let mut all: Vec<Known> = cases.into_iter().map(|case| Known::CaseFailed(Box::new(case))).collect();
    let keys: BTreeSet<CaseKey> =
        runs.iter().flat_map(|run| run.results.iter().map(|result| key(sweep, run, &result.test))).collect();
    for run in runs {
        all.push(Known::RunFinished(Box::new(run_finished(run, sweep, &keys))));
        let told = run.results.iter().filter_map(|result| test_finished(run, result, sweep, &mut redactor));
        all.extend(told.map(|test| Known::TestFinished(Box::new(test))));
    }
    all
}

/// One case for each test that was ever red, with the data of its last red run, in the order of the first red runs.
pub fn failed(runs: &[PastRun], sweep: &Sweep, redactor: &mut Redactor) -> Vec<CaseFailed> {
    let mut places: BTreeMap<CaseKey, usize> = BTreeMap::new();
    let mut last: Vec<(&PastRun, &PastResult)> = Vec::new();
    let mut greens: BTreeMap<CaseKey, &PastRun> = BTreeMap::new();
    for run in runs {
        for result in &run.results {
            let key = key(sweep, run, &result.test);
            match result.outcome {
                Some(TestOutcome::Fail | TestOutcome::Error) => {
                    let at = *places.entry(key).or_insert(last.len());
                    if at == last.len() {
                        last.push((run, result));
                    } else if run.started >= last[at].0.started {
                        last[at] = (run, result);
                    }
                }
                Some(TestOutcome::Pass) => {
                    let known = greens.entry(key).or_insert(run);
                    if run.started >= known.started {
                        *known = run;
                    }
                }
                _ => {}
            }
        }
    }
    let case = |(run, result): (&PastRun, &PastResult)| {
        let green = greens.get(&key(sweep, run, &result.test)).copied();
        case_failed(run, result, green, sweep, redactor)
    };
    last.into_iter().map(case).collect()
}

/// The case key of a test: recipe and version as the file names them, else as the user does. Characters that separate
/// the parts of a key are replaced.
fn key(sweep: &Sweep, run: &PastRun, test: &str) -> CaseKey {
    let pick = |own: &Option<String>, flag: &Option<String>, else_: &str| {
        own.clone().or_else(|| flag.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| else_.into())
    };
    let recipe = pick(&run.recipe, &sweep.recipe, UNNAMED.0).replace('@', "-");
    let version = pick(&run.version, &sweep.version_under_test, UNNAMED.1).replace('/', "-");
    let test = if test.is_empty() { "unnamed" } else { test };
    CaseKey { recipe, version, test: test.to_owned() }
}

fn case_failed(
    run: &PastRun,
    result: &PastResult,
    green: Option<&PastRun>,
    sweep: &Sweep,
    redactor: &mut Redactor,
) -> CaseFailed {
    let key = key(sweep, run, &result.test);
    // The baseline has the levels of the red run. A factor that the history does not name has its contrast's first
    // level.
    let firsts =
        sweep.contrast.iter().filter_map(|(name, levels)| Some((name.clone(), levels.first()?.clone())));
    let mut baseline: Factors = firsts.collect();
    baseline.extend(run.factors.clone());
    // The failure is what a fix is to cure, so its baseline is without one.
    if let Some(fix) = baseline.get_mut("fix") {
        "none".clone_into(fix);
    }
    if sweep.emit.is_some() {
        // The runs of a sweep share the node, so they count as loaded.
        baseline.insert("load".into(), "loaded".into());
    }
    let last_green = green.and_then(|run| {
        let started = run.started?;
        Some(LastGreen { ts: rfc3339(started), reference: reference(run)? })
    });
    CaseFailed {
        case: key.to_string(),
        recipe: key.recipe,
        version: key.version,
        reference: reference(run),
        stage: stage(&key.test),
        test: key.test,
        domain: None,
        stack: None,
        message: result.message.as_deref().map(|text| message(text, redactor)),
        hypothesis: None,
        source: run.source.clone(),
        contrasts: sweep.contrast.iter().map(|(factor, levels)| contrast(factor, levels)).collect(),
        baseline,
        last_green,
    }
}

fn contrast(factor: &str, levels: &[String]) -> Contrast {
    Contrast { factor: factor.to_owned(), levels: levels.to_vec() }
}

fn reference(run: &PastRun) -> Option<Ref> {
    let kind = run.kind.clone().unwrap_or_else(|| "commit".into());
    run.commit.clone().map(|commit| Ref { commit, kind, name: None })
}

fn run_finished(run: &PastRun, sweep: &Sweep, keys: &BTreeSet<CaseKey>) -> RunFinished {
    let own = key(sweep, run, "");
    let mut factors = run.factors.clone();
    let (load, claimed) = condition(run, sweep);
    factors.extend(load.map(|level| ("load".to_owned(), level)));
    // The cases without a result: if the run gave none at all, all cases of the history (of its recipe).
    let lost: Vec<String> = if run.unver.is_some() {
        let ours =
            |case: &&CaseKey| run.recipe.is_none() && sweep.recipe.is_none() || case.recipe == own.recipe;
        keys.iter().filter(ours).map(ToString::to_string).collect()
    } else {
        let lost = run.results.iter().filter(|result| result.outcome.is_none());
        lost.map(|result| key(sweep, run, &result.test).to_string()).collect()
    };
    let reason = if sweep.selected.contains(&run.id) {
        Some(Reason::Selected)
    } else {
        Some(Reason::Unver).filter(|_| !lost.is_empty() || run.unver.is_some())
    };
    let red = run.results.iter().any(|result| result.outcome == Some(TestOutcome::Fail));
    let unknown = || "unknown".to_owned();
    RunFinished {
        attempt_id: run.id.clone(),
        recipe: own.recipe,
        version: own.version,
        cases: lost,
        reference: reference(run),
        harness: run.harness.clone(),
        tests: run.tests.clone(),
        engine: run.engine.clone().unwrap_or_else(unknown),
        node: run.machine.clone().unwrap_or_else(unknown),
        boot_id: run.machine.clone().unwrap_or_else(unknown),
        stack: unknown(),
        domain: None,
        factors,
        outcome: match (&run.unver, red) {
            (Some(_), _) => Outcome::Infra,
            (None, true) => Outcome::Fail,
            (None, false) => Outcome::Pass,
        },
        reason: reason.map(|reason| reason.word().to_owned()),
        exit_code: None,
        signal: None,
        stage: None,
        started: run.started.map_or_else(unknown, rfc3339),
        duration_ms: run.duration_ms,
        signature: None,
        isolation: Isolation {
            why: Some(format!("not measured: the history of another CI ({})", run.source)),
            claimed: Some(claimed),
            ..Isolation::default()
        },
        cleanup: Cleanup::default(),
        refusals: vec![],
        guard: None,
        harm: vec![],
        notes: vec![],
        evidence: None,
    }
}

/// The level of `load`, and who claims it.
fn condition(run: &PastRun, sweep: &Sweep) -> (Option<String>, String) {
    if let Some(level) = &run.load {
        return (Some(level.clone()), "by a column of the history".into());
    }
    match sweep.condition.as_deref() {
        Some(level @ ("isolated" | "loaded")) => (Some(level.to_owned()), "by --condition".into()),
        _ => (None, "unknown".into()),
    }
}

fn test_finished(
    run: &PastRun,
    result: &PastResult,
    sweep: &Sweep,
    redactor: &mut Redactor,
) -> Option<TestFinished> {
    let outcome = result.outcome?;
    let key = key(sweep, run, &result.test);
    let message = result.message.as_deref().map(|text| message(text, redactor));
    let red = matches!(outcome, TestOutcome::Fail | TestOutcome::Error);
    Some(TestFinished {
        attempt_id: run.id.clone(),
        case: key.to_string(),
        recipe: key.recipe,
        test: key.test,
        outcome,
        duration_ms: result.duration_ms,
        signature: message.as_ref().filter(|_| red).map(|text| signature(&text.0)),
        message: message.filter(|_| red),
    })
}

/// The stage that the first part of the test's name names, e.g. `custom` of `custom/test_x.py::test_y`.
fn stage(test: &str) -> Stage {
    let first = test.split(['/', ':']).next().unwrap_or_default();
    serde_json::from_value(first.into()).unwrap_or(Stage::Custom)
}

fn message(text: &str, redactor: &mut Redactor) -> Text {
    let mut end = text.len().min(MESSAGE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Each text gets a redactor of its own: a key block that one text leaves open must not swallow the next.
    Text(redactor.fork().text(&text.as_bytes()[..end]))
}

/// For fuzzing: checks that any runs can be turned into records, and that every record has a valid case key.
pub fn fuzz(mut runs: Vec<PastRun>) {
    for (number, run) in runs.iter_mut().enumerate() {
        if run.id.is_empty() {
            run.id = number.to_string();
        }
        assert!(run.started.is_none_or(|at| at > Timestamp::MIN));
    }
    for record in tell(&runs, &Sweep::default()) {
        if let Known::TestFinished(test) = &record {
            assert!(CaseKey::parse(&test.case).is_ok(), "{}", test.case);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_the_first_part() {
        assert_eq!(stage("custom/test_x.py::test_y"), Stage::Custom);
        assert_eq!(stage("restore/test_restore.py::t"), Stage::Restore);
        assert_eq!(stage("deploy"), Stage::Deploy);
        assert_eq!(stage("smoke::t"), Stage::Custom);
    }

    #[test]
    fn a_long_message_is_cut_between_characters_and_redacted() {
        let mut redactor = Redactor::new::<&[u8]>(&[]);
        assert_eq!(message(&"é".repeat(MESSAGE_MAX), &mut redactor).0.len(), MESSAGE_MAX);
        assert!(!message("PASSWORD=hunter22", &mut redactor).lossy().contains("hunter22"));
    }

    #[test]
    fn names_are_made_fit_for_a_key() {
        let run =
            PastRun { recipe: Some("a@b".into()), version: Some("feature/x".into()), ..PastRun::default() };
        assert_eq!(key(&Sweep::default(), &run, "t").to_string(), "a-b@feature-x/t");
        assert_eq!(key(&Sweep::default(), &PastRun::default(), "").to_string(), "history@any/unnamed");
    }
}
