//! Tests that the block reader passes lines on byte for byte however the stream is split, with the same verdicts as
//! when records are read one by one.

use std::io::{BufRead, BufReader, Read};

use lib_common::clock::SystemClock;
use lib_common::diag::Diag;
use lib_common::record::Head;
use lib_common::record::run::TestOutcome;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::finding::findings;
use crate::testing::{failed, history, run_body, settings, test};

fn line(record: &Known) -> Vec<u8> {
    let kind = match record {
        Known::CaseFailed(_) => "case.failed",
        Known::RunFinished(_) => "run.finished",
        _ => "test.finished",
    };
    let (ts, investigation) = ("2026-06-18T00:00:00.000Z".into(), "01INV".into());
    let head = Head { kind: kind.into(), v: 1, ts, investigation, tool: "t/1".into() };
    [record.to_line(&head).unwrap(), b"\n".to_vec()].concat()
}

fn lines(records: &[Known]) -> Vec<u8> {
    records.iter().flat_map(line).collect()
}

/// Returns what is passed on, and the fold or the error.
fn passed(input: impl BufRead, lenient: bool) -> (Vec<u8>, Result<Fold>) {
    let mut out = Vec::new();
    let common = Common { lenient, max_line: 1 << 20, ..Common::default() };
    let mut io = Io {
        stdin: Box::new(input),
        stdin_is_terminal: false,
        stdout: Box::new(&mut out),
        diag: Diag::to_writer("test", Box::new(std::io::sink())),
        clock: &SystemClock,
    };
    let fold = passing(&common, &mut io, &mut Emitter::new(None, None));
    drop(io);
    (out, fold)
}

fn verdicts(fold: &Fold) -> Vec<String> {
    let said = |(_, finding): (_, crate::finding::Finding)| format!("{:?}", finding.verdict(&settings()));
    findings(fold, &settings()).map(said).collect()
}

/// A reader that gives at most `step` bytes a read, as a pipe may.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let step = self.1.min(into.len());
        self.0.read(&mut into[..step])
    }
}

/// Records as our tools write them, and other lines: unknown types, other forms, escapes, keys in another order.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let ours = (0u8..9, any::<bool>(), 0i64..50).prop_map(|(id, red, minute)| {
        let outcome = if red { TestOutcome::Fail } else { TestOutcome::Pass };
        let run = Known::RunFinished(Box::new(run_body(&id.to_string(), minute, "isolated")));
        lines(&[run, test(&id.to_string(), outcome)])
    });
    let foreign = select(vec![
        "{\"type\":\"x.y\",\"n\":1.10,\"big\":12345678901234567890123}\n",
        "{}\r\n",
        " {\"v\":1,\"type\":\"test.finished\",\"attempt_id\":\"1\",\"case\":\"a@1/\\u0074\",\"recipe\":\"a\",\"test\":\"t\",\"outcome\":\"fail\",\"duration_ms\":1}\n",
        "{\"type\":\"test.finished\",\"v\":1,\"attempt_id\":\"2\",\"case\":\"a@1/\\u0074\",\"recipe\":\"a\",\"test\":\"t\",\"outcome\":\"fail\",\"duration_ms\":1}\n",
        "{\"type\":\"test.finished\",\"v\":99,\"attempt_id\":7}\n",
        "{\"type\":7}\n",
        "{\"a\":1,\"a\":2,\"type\":\"x\"}\n",
    ]);
    prop_oneof![3 => ours, 1 => foreign.prop_map(|text| text.as_bytes().to_vec())]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_bytes_and_the_same_verdicts(all in vec(any_line(), 0..12), step in 1usize..300) {
        let text = [line(&failed()), all.concat()].concat();
        let (out, whole) = passed(&text[..], false);
        prop_assert_eq!(&out, &text);
        let (out, split) = passed(BufReader::with_capacity(1, Trickle(&text, step)), false);
        prop_assert_eq!(&out, &text);
        prop_assert_eq!(verdicts(&split.unwrap()), verdicts(&whole.unwrap()));
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in vec(prop_oneof![any::<u8>(), select(b"{}[]\":,\\\n\r0e-.u".to_vec())], 0..300)) {
        fuzz(&bytes);
        if let (_, Err(error)) = passed(&bytes[..], false) {
            prop_assert!(error.to_string().contains("standard input line "), "{}", error);
        }
        let (out, fold) = passed(&bytes[..], true);
        prop_assert!(fold.is_ok() && out.starts_with(&bytes));
    }
}

/// A stream of several blocks uses the parsing threads.
#[test]
fn a_long_file_is_read_by_the_team() {
    let mut records = vec![failed()];
    for number in 0..2000 {
        records.extend(history(&format!("{number:05}"), "Ii", 5, &[]));
    }
    let text = lines(&records);
    assert!(text.len() > 4 * blocks::SIZE);
    let (out, fold) = passed(&text[..], false);
    assert!(out == text, "byte for byte");
    assert_eq!(verdicts(&fold.unwrap()), verdicts(&crate::testing::fold(records)));
}

#[test]
fn an_error_in_a_late_block_names_its_line_and_passes_what_was_before() {
    let good = lines(&history("a", &"Ii".repeat(2000), 5, &[]));
    let text = [&good[..], b"not json\n", &good[..]].concat();
    let (out, fold) = passed(&text[..], false);
    let error = fold.unwrap_err().to_string();
    assert_eq!(error, "reading the record stream: standard input line 8001: not a JSON object");
    assert!(out == good, "{} of {}", out.len(), good.len());
    assert!(passed(&text[..], true).0 == text);
}

#[test]
fn a_record_of_a_known_type_that_is_none_is_named() {
    let text = b"{}\n{\"type\":\"run.finished\",\"v\":1,\"attempt_id\":\"x\"}\n";
    let error = passed(&text[..], false).1.unwrap_err().to_string();
    assert!(error.contains("standard input line 2: not a valid run.finished"), "{error}");
    let text =
        b"{\"type\":\"test.finished\",\"v\":1,\"attempt_id\":\"x\",\"case\":\"c\",\"outcome\":\"fail\"}\n";
    let error = passed(&text[..], false).1.unwrap_err().to_string();
    assert!(error.contains("standard input line 1: not a valid test.finished"), "{error}");
}

#[test]
fn a_line_longer_than_a_block_goes_through_and_one_beyond_the_limit_is_named() {
    let line = |length: usize| format!("{{\"a\":\"{}\"}}\n", "x".repeat(length - 8));
    let long = line(blocks::SIZE + 1000);
    let text = format!("{{}}\n{long}{{}}\n");
    assert!(passed(text.as_bytes(), false).0 == text.as_bytes());
    let text = format!("{{}}\n{}", line((1 << 20) + 2));
    for step in [1000, 1 << 22] {
        let (out, fold) = passed(BufReader::with_capacity(1, Trickle(text.as_bytes(), step)), true);
        let error = fold.unwrap_err().to_string();
        assert!(error.contains("standard input line 2: longer than 1048576 bytes"), "{error}");
        assert_eq!(out, b"{}\n");
    }
}
