//! Property tests of whole streams: order, duplicates and excluded runs change no verdict, and nothing panics. Also a
//! simulation of the error that `--spacing` prevents.

use lib_common::record::Known;
use lib_common::record::run::{Outcome, TestOutcome};
use lib_common::record::verdict::{FlakeVerdict, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::explain::explain;
use crate::finding::findings;
use crate::needed::Needed;
use crate::plan;
use crate::recheck::recheck;
use crate::rule::Rule;
use crate::settings::Settings;
use crate::testing::{CASE, failed, fold, found, history, run_body, settings, test};

fn verdict(records: &[Known], settings: &Settings) -> FlakeVerdict {
    found(records.iter().cloned(), settings).verdict(settings)
}

fn order_free() -> Settings {
    Settings { rule: Rule::new(20, true).unwrap(), accept_correlated: true, ..settings() }
}

fn letters() -> impl Strategy<Value = String> {
    vec(select(vec!['i', 'I', 'l', 'L']), 0..30).prop_map(|letters| letters.into_iter().collect())
}

fn stream(letters: &str) -> Vec<Known> {
    let mut records = vec![failed()];
    records.extend(history("a", letters, 1, &[]));
    records
}

/// Any run, with or without a result, in any group.
fn anything() -> impl Strategy<Value = Vec<Known>> {
    let outcomes = [
        Outcome::Pass,
        Outcome::Fail,
        Outcome::Timeout,
        Outcome::Aborted,
        Outcome::Infra,
        Outcome::Disturbed,
        Outcome::GuardBypassed,
    ];
    let results = [TestOutcome::Pass, TestOutcome::Fail, TestOutcome::Error, TestOutcome::Skip];
    let factors = vec(
        (
            select(vec!["load", "fix", "path", "version", ""]),
            select(vec!["isolated", "loaded", "none", "p", ""]),
        ),
        0..4,
    );
    let one = (
        0u8..20,
        any::<i16>(),
        select(outcomes.to_vec()),
        proptest::option::of(select(results.to_vec())),
        factors,
        any::<bool>(),
        any::<u64>(),
    );
    let record = one.prop_map(|(id, minute, outcome, result, factors, proved, duration_ms)| {
        let id = id.to_string();
        let mut body = run_body(&id, minute.into(), "isolated");
        body.factors.extend(factors.into_iter().map(|(k, v)| (k.into(), v.into())));
        (body.outcome, body.isolation.proved, body.duration_ms) = (outcome, proved, duration_ms);
        if duration_ms % 7 == 0 {
            body.started = "never".into();
        }
        let mut records = vec![Known::RunFinished(Box::new(body))];
        records.extend(result.map(|result| test(&id, result)));
        records
    });
    vec(record, 0..40).prop_map(|records| records.into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn the_order_of_records_changes_nothing(letters in letters(), seed in any::<u64>()) {
        let records = stream(&letters);
        let mut shuffled = records.clone();
        shuffle(&mut shuffled, seed);
        for settings in [settings(), order_free()] {
            prop_assert_eq!(verdict(&records, &settings), verdict(&shuffled, &settings));
        }
    }

    #[test]
    fn order_free_means_that_the_order_of_runs_changes_nothing(letters in letters(), seed in any::<u64>()) {
        let mut other: Vec<char> = letters.chars().collect();
        shuffle(&mut other, seed);
        let other: String = other.into_iter().collect();
        let (one, two) = (verdict(&stream(&letters), &order_free()), verdict(&stream(&other), &order_free()));
        prop_assert_eq!((one.verdict, one.isolated, one.loaded, one.ratios), (two.verdict, two.isolated, two.loaded, two.ratios));
    }

    #[test]
    fn duplicates_change_nothing(letters in letters(), at in any::<prop::sample::Index>()) {
        let records = stream(&letters);
        let mut doubled = records.clone();
        doubled.push(records[at.index(records.len())].clone());
        prop_assert_eq!(verdict(&records, &settings()), verdict(&doubled, &settings()));
    }

    #[test]
    fn an_excluded_run_is_only_listed(letters in letters(), minute in -50i64..50) {
        let records = stream(&letters);
        let mut more = records.clone();
        let mut body = run_body("z", minute, "isolated");
        body.outcome = Outcome::Infra;
        more.push(Known::RunFinished(Box::new(body)));
        more.push(test("z", TestOutcome::Fail));
        let (before, mut after) = (verdict(&records, &settings()), verdict(&more, &settings()));
        prop_assert_eq!(after.excluded.pop().unwrap().attempts, ["z"]);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn nothing_panics_and_a_plan_is_always_an_answer(records in anything(), cap in select(vec![12u32, 20, 40]), free in any::<bool>()) {
        let settings = Settings { rule: Rule::new(cap, free).unwrap(), ..settings() };
        let fold = fold(std::iter::once(failed()).chain(records));
        let (case, finding) = findings(&fold, &settings).next().unwrap();
        let verdict = finding.verdict(&settings);
        prop_assert!([verdict.ratios.half, verdict.ratios.det, verdict.ratios.clean, verdict.ratios.load].iter().all(|r| r.is_finite()));
        let text = explain(&finding, &settings, &mut Needed::new(&settings.rule));
        prop_assert!(text.starts_with(CASE));
        plan::next(&finding, &settings, &mut Needed::new(&settings.rule));
        recheck(case, Some(&finding), &settings);
    }
}

/// A small generator of its own, so that the simulation below is the same on every machine (`SplitMix64`).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        let to = random(&mut seed) % (last as u64 + 1);
        items.swap(last, usize::try_from(to).unwrap());
    }
}

/// How many of `repeats` simulated flakes are called genuine. Each is run once a minute on one machine, beginning with
/// a red run. The machine is ill for six minutes at a time on average, a quarter of all time, and every run fails
/// meanwhile, so that the flake fails in one run of four.
fn false_genuine(repeats: u32, settings: &Settings) -> u32 {
    let mut seed = 20_250_607;
    let mut count = 0;
    for _ in 0..repeats {
        let (mut ill, mut letters) = (true, String::new());
        for _ in 0..40 {
            letters.push(if ill { 'I' } else { 'i' });
            let dice = random(&mut seed) % 180;
            ill = if ill { dice >= 30 } else { dice < 10 };
        }
        count += u32::from(verdict(&stream(&letters), settings).verdict == Verdict::Genuine);
    }
    count
}

/// The manual page states the rates that the simulation gives.
#[test]
fn spacing_prevents_false_genuine_verdicts_of_correlated_runs() {
    let repeats = 500;
    let percent = |settings: &Settings| (false_genuine(repeats, settings) * 100 + repeats / 2) / repeats;
    let without = percent(&Settings { accept_correlated: true, ..settings() });
    let with = percent(&settings());
    let long = percent(&Settings { spacing_ms: 30 * 60_000, ..settings() });
    assert!(long * 10 < with && with * 2 < without, "{without}, {with}, {long} in 100");
    let page = include_str!("../../../man/flake-classify.1");
    let stated = format!("{without} in 100 back to back, {with} with 10m, {long} with 30m");
    assert!(page.contains(&stated), "the page does not say: {stated}");
}
