//! Property tests: neither the order of lines nor their repetition changes the report, and no bytes make it panic.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use proptest::prelude::*;
use redfix_report::evidence::verify_deciding;
use redfix_report::gate::Proofs;
use redfix_report::report::Report;
use redfix_report::{json, md, text};
use support::{Fake, Ledger, flake, genuine, read};

/// The report in three formats, and the hash of the ledger.
fn seen(lines: &[&str]) -> [String; 4] {
    let input = read(&lines.concat());
    let (hash, fold) = (input.hash, input.fold);
    let evidence = verify_deciding(&fold, &Fake(Ok(())));
    let proofs = Proofs { evidence, ledger: "LEDGER".into(), ..Proofs::default() };
    let report = Report::new(&fold, &proofs, &[], &hash, None);
    [
        text::render(&report, text::Style::plain()),
        md::render(&report, None).unwrap(),
        json::render(&report).unwrap(),
        hash.clone(),
    ]
}

/// A ledger of two investigations, in which two records of one attempt differ and several records have the same time.
fn ledger() -> String {
    let mut all = Ledger([flake().0, genuine().0].concat());
    let mut retold = all.get("run.finished", 0).clone();
    retold["duration_ms"] = 7.into();
    all.0.push(retold);
    let mut second = all.get("flake.verdict", 0).clone();
    second["sentence"] = "Said at the same moment.".into();
    second["investigation"] = "01KAS3Q5T0000000000000000B".into();
    all.0.push(second);
    let mut again = all.get("pr.opened", 0).clone();
    again["title"] = "Also at the same moment.".into();
    all.0.push(again);
    for outcome in ["pass", "fail"] {
        all.push(
            "test.finished",
            serde_json::json!({"attempt_id": "g1", "case": support::GITEA,
            "recipe": "gitea", "test": "promote", "outcome": outcome, "duration_ms": 1}),
        );
    }
    all.text()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_and_repetition_change_nothing(
        order in Just((0..ledger().lines().count()).collect::<Vec<_>>()).prop_shuffle(),
        repeated in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let text = ledger();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut shuffled: Vec<&str> = order.iter().map(|at| lines[*at]).collect();
        for index in &repeated {
            let line = lines[index.index(lines.len())];
            let place = index.index(shuffled.len());
            shuffled.insert(place, line);
        }
        prop_assert!(seen(&lines) == seen(&shuffled));
    }
}

/// A line of the golden ledger with one byte changed, removed or doubled, so that it is nearly a record.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Vec<u8>> =
        include_bytes!("data/ledger.jsonl").split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    (prop::sample::select(lines), change).prop_map(|(mut line, (at, byte, how))| {
        let at = at.index(line.len());
        match how {
            0 => line[at] = byte,
            1 => drop(line.remove(at)),
            2 => line.insert(at, line[at]),
            _ => {}
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_bring_the_report_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        redfix_report::fuzz(&bytes);
    }

    #[test]
    fn no_ledger_that_was_damaged_brings_it_down(lines in proptest::collection::vec(mutated(), 1..40)) {
        redfix_report::fuzz(&lines.concat());
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_go_through() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/redfix_report_fold");
    let seeds: Vec<Vec<u8>> =
        std::fs::read_dir(seeds).unwrap().map(|seed| std::fs::read(seed.unwrap().path()).unwrap()).collect();
    assert!(seeds.len() > 5);
    for seed in &seeds {
        redfix_report::fuzz(seed);
    }
    redfix_report::fuzz(&seeds.concat());
}
