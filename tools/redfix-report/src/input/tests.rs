//! Tests that reading in blocks gives the same as reading line by line, in any order.

use super::*;

/// What was read, or the error, as a text that can be compared.
fn told(input: Result<Input>) -> std::result::Result<String, String> {
    input.map(|input| format!("{input:?}")).map_err(|error| error.to_string())
}

#[test]
fn blocks_and_lines_give_the_same() {
    let ledger = include_str!("../../tests/data/ledger.jsonl");
    // Lines for the fast parser and for the general one, with escapes, of a newer version, and lines that are no
    // records.
    let result = |id: &str| {
        format!(
            r#"{{"type":"test.finished","v":1,"ts":"2026-01-01T00:00:00.000Z","investigation":"I","tool":"t/1","attempt_id":"{id}","case":"a@1/t","recipe":"a","test":"t","outcome":"fail","duration_ms":1,"message":"m"}}"#
        )
    };
    let odd = ["{}", r#"{"type":7}"#, r#"{"type":"test.finished","v":9}"#, r#"{"type":"x","type":"y"}"#];
    let newer = result("x").replace(r#""v":1"#, r#""v":2"#);
    let doubled = result("x").replace(r#""v":1"#, r#""v":1,"type":"x.y""#);
    let all = [
        ledger,
        &result("x"),
        "\n",
        &result(r"\u0078"),
        "\r\n",
        &newer,
        "\n",
        &doubled,
        "\n",
        &odd.join("\n"),
    ];
    let all = all.concat();
    assert!(all.len() > 20_000, "several blocks");
    let [blocks, lines] = both_ways(all.as_bytes(), false);
    // Maps that hash may print in any order; what is made of them is compared by tests/prop.rs.
    let (blocks, lines) = (blocks.unwrap(), lines.unwrap());
    assert_eq!((&blocks.hash, &blocks.raw, &blocks.journal), (&lines.hash, &lines.raw, &lines.journal));
    assert_eq!((&blocks.fold.until, &blocks.investigation), (&lines.fold.until, &lines.investigation));
    let keys = |input: &Input| input.fold.cases().map(|case| case.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&blocks), keys(&lines));
    for bad in ["not json\n", "\n", "[]\n", "{\"type\":\"log.snapped\",\"v\":1}\n", "{\"a\":\"\u{1}\"}\n{}\n"]
    {
        let text = format!("{all}\n{bad}");
        let [blocks, lines] = both_ways(text.as_bytes(), false).map(told);
        assert!(blocks.is_err() && blocks == lines, "{bad}: {blocks:?} {lines:?}");
        assert!(both_ways(text.as_bytes(), true).iter().all(Result::is_ok), "{bad}");
    }
    let long = format!("{all}\n{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(1 << 20));
    let [blocks, lines] = both_ways(long.as_bytes(), true).map(told);
    assert!(blocks.as_ref().is_err_and(|e| e.contains("longer than")) && blocks == lines, "{blocks:?}");
    let torn = format!("{all}\n{{\"type\":");
    assert!(both_ways(torn.as_bytes(), false).iter().all(Result::is_ok));
}

const REVIEW: &str = r#"{"type":"review.recorded","v":1,"ts":"2026-01-01T00:00:03.000Z","investigation":"I","tool":"t/1","reviewer":"a","gate":"M1","ledger":"x","pass":true}"#;
const OTHER: &str = r#"{"type":"x.y","n":1.10}"#;

fn gather(text: &str) -> Input {
    let common = Common { max_line: 1 << 20, ..Common::default() };
    let diag = Diag::to_writer("redfix-report", Box::new(std::io::sink()));
    let mut gather = Gather::new(Keep { raw: true, journal: true });
    let reader = Reader::new(text.as_bytes(), "test", &common, Torn::Error);
    gather.read(reader, "test", &diag, |_| Ok(())).unwrap();
    gather.finish()
}

#[test]
fn neither_order_nor_repetition_nor_a_review_changes_the_hash() {
    let hash = gather(&format!("{OTHER}\n{{}}\n")).hash;
    assert_eq!(hash, gather(&format!("{{}}\n{OTHER}\n{{}}\r\n{REVIEW}\n")).hash);
    assert_ne!(hash, gather(&format!("{OTHER}\n")).hash);
}

#[test]
fn raw_lines_are_kept_as_they_came() {
    assert_eq!(gather(&format!("{OTHER}\n{REVIEW}")).raw, format!("{OTHER}\n{REVIEW}\n").as_bytes());
    assert_eq!(gather(OTHER).fold.cases().count(), 0);
    assert_eq!(gather(REVIEW).journal.len(), 1);
}
