//! A `test.finished` exactly as our own tools write it: the keys in their order, no white space, no escapes. One scan
//! from quote to quote, two to three times as fast as a parser that must expect anything. Whatever differs by a byte
//! is for that parser.

use lib_common::record::run::TestOutcome;
use memchr::memchr2;

/// The beginning of such a line.
pub const START: &str = r#"{"type":"test.finished","v":1,"#;

#[derive(Debug, PartialEq, Eq)]
pub struct Test<'a> {
    pub attempt_id: &'a str,
    pub case: &'a str,
    pub outcome: TestOutcome,
    pub message: Option<&'a str>,
    pub signature: Option<&'a str>,
}

/// `None`: not of this form, whether valid or not.
pub fn test(line: &str) -> Option<Test<'_>> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    // JSON has no bare control characters. No early end, so that it runs over many bytes at once.
    if line.bytes().min().is_some_and(|least| least < b' ') {
        return None;
    }
    let mut rest = Rest(line.strip_prefix(START)?);
    for key in [r#""ts":""#, r#""investigation":""#, r#""tool":""#] {
        rest.text(key)?;
        rest.skip(",")?;
    }
    let attempt_id = rest.text(r#""attempt_id":""#)?;
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
    (rest.0 == "}").then_some(Test { attempt_id, case, outcome, message, signature })
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// What follows `key`, up to the closing quote. Nothing is taken where there is no such key.
    fn text(&mut self, key: &str) -> Option<&'a str> {
        let after = self.0.strip_prefix(key)?;
        let end = memchr2(b'"', b'\\', after.as_bytes())?;
        let (text, quote) = after.split_at(end);
        self.0 = quote.strip_prefix('"')?;
        Some(text)
    }

    /// A whole number that fits: 1 to 18 digits without a leading zero.
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
    use proptest::prelude::*;

    use crate::input::wire;

    const LINE: &str = r#"{"type":"test.finished","v":1,"ts":"2026-06-17T23:18:04.512Z","investigation":"01J","tool":"t/1","attempt_id":"a1","case":"m@1/t","recipe":"m","test":"t","outcome":"fail","duration_ms":1250,"message":"boom é","signature":"00ff"}"#;

    fn same(line: &str) -> bool {
        let Some(fast) = test(line) else { return true };
        let Ok(careful) = serde_json::from_str::<wire::Test>(line) else { return false };
        (fast.attempt_id, fast.case, fast.outcome, fast.signature)
            == (&*careful.attempt_id, &*careful.case, careful.outcome, careful.signature.as_deref())
            && fast.message.map(str::as_bytes) == careful.message.as_ref().map(|text| &text.0[..])
    }

    #[test]
    fn our_own_lines_are_taken() {
        let line = format!("{LINE}\r\n");
        let seen = test(&line).unwrap();
        assert_eq!((seen.attempt_id, seen.case, seen.outcome), ("a1", "m@1/t", TestOutcome::Fail));
        assert_eq!((seen.message, seen.signature), (Some("boom é"), Some("00ff")));
        let bare = LINE.replace(r#","message":"boom é","signature":"00ff""#, "");
        assert_eq!(test(&bare).unwrap().signature, None);
        for frozen in include_str!("../../../../lib-common/tests/data/v1/test.finished.jsonl").lines() {
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
            assert_eq!(test(&LINE.replace(part, other)), None, "{part} -> {other}");
        }
    }

    proptest! {
        /// Whatever it takes, the parser takes too, and says the same.
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
