//! Tests of `fold`: joining, duplicates, and which attempts are kept when there are too many.

use super::*;
use crate::testing::{CASE, failed, fold, history, run, test};

#[test]
fn a_result_finds_its_run_in_either_order() {
    let (a, b) = (run("1", 0, "isolated"), test("1", TestOutcome::Fail));
    for records in [[a.clone(), b.clone()], [b, a]] {
        let fold = fold(records);
        let cases = fold.cases();
        assert_eq!(cases[0].0, CASE);
        assert_eq!(cases[0].1.attempts[0].test.as_ref().unwrap().outcome, TestOutcome::Fail);
        assert_eq!(fold.without_run(), 0);
    }
}

#[test]
fn duplicates_are_one_attempt() {
    let records = [failed(), run("1", 0, "isolated"), run("1", 0, "isolated"), test("1", TestOutcome::Pass)];
    assert_eq!(fold(records).cases()[0].1.attempts.len(), 1);
}

#[test]
fn a_result_without_a_run_is_told() {
    assert_eq!(fold([failed(), test("1", TestOutcome::Pass)]).without_run(), 1);
}

#[test]
fn memory_is_bounded_and_the_earliest_stay() {
    let mut fold = Fold::default();
    let many = 2 * i64::try_from(OF_ONE_CASE.1).unwrap();
    for number in (0..many).rev() {
        fold.note(run(&format!("{number:06}"), number, "isolated"));
    }
    fold.finish();
    let cases = fold.cases();
    assert_eq!(cases[0].1.attempts.len(), OF_ONE_CASE.1);
    assert!(cases[0].1.overfull);
    assert_eq!(&*cases[0].1.attempts[0].run.id, "000000");
}

#[test]
fn many_runs_of_the_baseline_push_no_fix_out_and_prefer_no_outcome() {
    let mut case = Case::default();
    let mut shared = Shared::default();
    let mut keep = |records: Vec<Known>| {
        for record in records {
            if let Known::RunFinished(body) = record {
                let facts = Facts {
                    id: &body.attempt_id,
                    started: milliseconds(&body.started),
                    cost_ms: 1,
                    profile: Profiles::default().of(&View::of(&body)),
                    signature: None,
                };
                case.keep(&Rc::new(shared.run(&facts)), None, 64);
            }
        }
    };
    keep(history("a", &"Iii".repeat(100), 1, &[]));
    keep(history("f", "iii", 1000, &[("fix", "p")]));
    case.trim(64);
    let fixes = case.attempts.iter().filter(|attempt| attempt.run.setup().factors["fix"] == "p").count();
    let base: Vec<&str> = case.attempts.iter().map(|a| &*a.run.id).filter(|id| id.starts_with('a')).collect();
    assert_eq!((fixes, base.len()), (3, 61));
    assert!(base.iter().zip(0..).all(|(id, number)| **id == format!("a{number:03}")), "{base:?}");
}

#[test]
fn levels_fill_what_there_is() {
    assert_eq!(level(vec![300, 3], 64), 61);
    assert_eq!(level(vec![10, 10, 10], 30), 10);
    assert_eq!(level(vec![10, 50, 50], 30), 10);
    assert_eq!(level(vec![1; 100], 64), 0);
}

/// A stream whose every run has another commit and another signature.
#[test]
fn what_is_shared_does_not_grow_with_the_stream() {
    let mut fold = Fold::default();
    fold.note(failed());
    for number in 0..6_000 {
        let mut body = crate::testing::run_body(&format!("{number:06}"), number, "isolated");
        body.reference.as_mut().unwrap().commit = number.to_string();
        body.signature = Some(format!("s{number}"));
        fold.note(Known::RunFinished(Box::new(body)));
    }
    fold.finish();
    assert_eq!(fold.cases()[0].1.attempts.len(), OF_ONE_CASE.1);
}
