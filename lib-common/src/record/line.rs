//! Parses single lines of a long ledger fast.
//!
//! Nearly all lines of such a ledger are `test.finished`. A line of this type is parsed in one scan from quote to quote
//! if it is exactly as our own tools write it: the keys in their order, no white space, no escapes. `serde_json` takes
//! three times as long for the same line with borrowed strings, sonic-rs 2.5 times. A line that differs by a byte is
//! parsed by the records' own definition.

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::run::{TestFinished, TestOutcome};
use super::{Body, Keys, Known, TYPES};

/// What a line holds.
#[derive(Debug)]
pub enum Content<'a> {
    /// An object that is no record of a type that this build knows.
    Other,
    /// A `test.finished` as our own tools write it.
    Test(TestLine<'a>),
    Known(Known),
    /// Not an object, not valid for its type, or newer than this build. [`crate::stream::Reader::examine`] and
    /// [`crate::stream::Reader::known`] tell which, and word the error or the warning.
    Doubtful,
}

/// Parses one line, which comes without its line feed.
#[must_use]
pub fn parse_line(line: &str) -> Content<'_> {
    if let Some(test) = TestLine::parse(line) {
        return Content::Test(test);
    }
    // serde would also read a struct from an array.
    if !line.trim_start_matches([' ', '\t']).starts_with('{') {
        return Content::Doubtful;
    }
    if let Some((kind, v)) = beginning(line) {
        return known(kind, v, line);
    }
    match serde_json::from_str::<Keys>(line) {
        Ok(Keys { kind: Some(kind), v: Some(v), .. }) if is_ours(&kind) => known(&kind, v, line),
        Ok(_) => Content::Other,
        // An object whose `type`, `v` or `investigation` is not of the form that records have.
        Err(_) if serde_json::from_str::<IgnoredAny>(line).is_ok() => Content::Other,
        Err(_) => Content::Doubtful,
    }
}

/// Type and version of a known record that begins as our own tools write it, so that the line need not be searched for
/// them.
fn beginning(line: &str) -> Option<(&str, u32)> {
    let (kind, rest) = line.strip_prefix(r#"{"type":""#)?.split_once(r#"","v":"#)?;
    let (v, _) = rest.split_once(',')?;
    Some((kind, v.parse().ok()?)).filter(|(kind, _)| is_ours(kind))
}

fn is_ours(kind: &str) -> bool {
    TYPES.iter().any(|(name, _)| *name == kind)
}

fn known(kind: &str, v: u32, line: &str) -> Content<'static> {
    match Known::parse(kind, v, line.as_bytes()) {
        Ok(Some(known)) => Content::Known(known),
        _ => Content::Doubtful,
    }
}

/// The beginning of a `test.finished`.
const START: &str = r#"{"type":"test.finished","v":1,"#;

const _: () = assert!(TestFinished::V == 1, "the fast parser reads version 1");

/// The fields of a `test.finished` that our tools use, borrowed from the line.
#[derive(Debug, PartialEq, Eq)]
pub struct TestLine<'a> {
    pub ts: &'a str,
    pub attempt_id: &'a str,
    pub case: &'a str,
    pub outcome: TestOutcome,
    pub message: Option<&'a str>,
    pub signature: Option<&'a str>,
}

impl<'a> TestLine<'a> {
    /// `None`: the line is not exactly as our tools write it. It may be valid nevertheless.
    fn parse(line: &'a str) -> Option<Self> {
        let mut rest = Rest(line.strip_prefix(START)?);
        // JSON allows no bare control characters. `min` looks at all bytes, which vectorises; a search that ends early
        // does not.
        if line.bytes().min().is_some_and(|least| least < b' ') {
            return None;
        }
        let ts = rest.text(r#""ts":""#)?;
        for key in [r#","investigation":""#, r#","tool":""#] {
            rest.text(key)?;
        }
        let attempt_id = rest.text(r#","attempt_id":""#)?;
        let case = rest.text(r#","case":""#)?;
        rest.text(r#","recipe":""#)?;
        rest.text(r#","test":""#)?;
        let outcome = match rest.text(r#","outcome":""#)? {
            "pass" => TestOutcome::Pass,
            "fail" => TestOutcome::Fail,
            "error" => TestOutcome::Error,
            "skip" => TestOutcome::Skip,
            _ => return None,
        };
        rest.skip(r#","duration_ms":"#)?;
        rest.number()?;
        let message = rest.text(r#","message":""#);
        let signature = rest.text(r#","signature":""#);
        (rest.0 == "}").then_some(Self { ts, attempt_id, case, outcome, message, signature })
    }
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// The text behind `key`, up to its closing quote. Takes nothing if `key` does not come next.
    fn text(&mut self, key: &str) -> Option<&'a str> {
        let after = self.0.strip_prefix(key)?;
        let end = memchr2(b'"', b'\\', after.as_bytes())?;
        let (text, quote) = after.split_at(end);
        self.0 = quote.strip_prefix('"')?;
        Some(text)
    }

    /// Takes a whole number of 1 to 18 digits, which a `u64` can hold, without a leading zero, which JSON forbids.
    fn number(&mut self) -> Option<()> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        ((1..=18).contains(&digits) && (digits == 1 || !number.starts_with('0'))).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Head;
    use proptest::prelude::*;

    const LINE: &str = r#"{"type":"test.finished","v":1,"ts":"2026-06-17T23:18:04.512Z","investigation":"01J","tool":"t/1","attempt_id":"a1","case":"m@1/t","recipe":"m","test":"t","outcome":"fail","duration_ms":1250,"message":"boom é","signature":"00ff"}"#;

    fn same(line: &str) -> bool {
        let Some(fast) = TestLine::parse(line) else { return true };
        let Ok(head) = serde_json::from_str::<Head>(line) else { return false };
        let Ok(careful) = serde_json::from_str::<TestFinished>(line) else { return false };
        (fast.ts, fast.attempt_id, fast.case, fast.outcome, fast.signature)
            == (
                &*head.ts,
                &*careful.attempt_id,
                &*careful.case,
                careful.outcome,
                careful.signature.as_deref(),
            )
            && fast.message.map(str::as_bytes) == careful.message.as_ref().map(|text| &text.0[..])
    }

    #[test]
    fn our_own_lines_are_taken() {
        let seen = TestLine::parse(LINE).unwrap();
        assert_eq!((seen.attempt_id, seen.case, seen.outcome), ("a1", "m@1/t", TestOutcome::Fail));
        assert_eq!((seen.message, seen.signature), (Some("boom é"), Some("00ff")));
        let bare = LINE.replace(r#","message":"boom é","signature":"00ff""#, "");
        assert_eq!(TestLine::parse(&bare).unwrap().signature, None);
        for frozen in include_str!("../../tests/data/v1/test.finished.jsonl").lines() {
            assert!(same(frozen), "{frozen}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_parser() {
        for (part, other) in [
            ("boom", "bo\\nom"),
            ("boom", "bo\u{1}om"),
            ("1250", "01"),
            ("1250", "-1"),
            ("1250", "1.5"),
            ("1250", "99999999999999999999"),
            ("\"fail\"", "\"red\""),
            ("\"v\":1,", "\"v\":2,"),
            ("}", ",\"x\":1}"),
            ("}", "} "),
            ("\"recipe\":\"m\",", ""),
        ] {
            assert_eq!(TestLine::parse(&LINE.replace(part, other)), None, "{part} -> {other}");
        }
    }

    proptest! {
        /// Each line that the fast parser takes, serde takes too, with the same values.
        #[test]
        fn it_never_takes_what_the_parser_would_not(at in 0..LINE.len(), with in "[\"\\\\{}:,0-9a-z\\x00-\\x1fé]{0,3}", cut in 0usize..4) {
            let (start, mut end) = (at, (at + cut).min(LINE.len()));
            prop_assume!(LINE.is_char_boundary(start));
            while !LINE.is_char_boundary(end) {
                end += 1;
            }
            let line = format!("{}{with}{}", &LINE[..start], &LINE[end..]);
            prop_assert!(same(&line), "{}", line);
        }
    }
}
