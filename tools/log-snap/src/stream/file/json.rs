//! Decodes records of the `json-file` driver, one JSON object per line.
//!
//! The driver writes `{"log":"...","stream":"...","time":"..."}`, with attributes in between if it has any. The usual
//! form is decoded by hand, which is faster; everything else by a JSON parser.

use memchr::{memchr, memchr2};
use serde::Deserialize;

use crate::stream::line::TimedPiece;
use lib_common::swarm::frame::From;
use lib_common::swarm::stamp;

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    log: String,
    #[serde(default)]
    stream: String,
    time: String,
}

/// Length of the first record of `bytes` with its line feed; `None` if it is not complete.
#[must_use]
pub fn size(bytes: &[u8]) -> Option<usize> {
    memchr(b'\n', bytes).map(|end| end + 1)
}

/// Decodes one record, with `text` as the buffer for its text; `None` if it is damaged.
pub fn decode<'t>(record: &[u8], text: &'t mut Vec<u8>) -> Option<TimedPiece<'t>> {
    text.clear();
    let (from, at) = quick(record, text).or_else(|| slow(record, text))?;
    let (text, ends) = text.strip_suffix(b"\n").map_or((text.as_slice(), false), |text| (text, true));
    Some(TimedPiece { from, at, text, ends })
}

fn quick(record: &[u8], text: &mut Vec<u8>) -> Option<(From, i64)> {
    let mut rest = record.strip_prefix(br#"{"log":""#)?;
    loop {
        let at = memchr2(b'"', b'\\', rest)?;
        text.extend_from_slice(&rest[..at]);
        if rest[at] == b'"' {
            rest = &rest[at + 1..];
            break;
        }
        let (byte, used) = match rest.get(at + 1)? {
            b'n' => (b'\n', 2),
            b't' => (b'\t', 2),
            b'r' => (b'\r', 2),
            quoted @ (b'"' | b'\\' | b'/') => (*quoted, 2),
            // Terminal colours (`\u001b`) and `<` (`\u003c`) are common. Escapes beyond ASCII are left to the parser.
            b'u' if rest.get(at + 2..at + 4)? == b"00" => {
                let digits = std::str::from_utf8(rest.get(at + 4..at + 6)?).ok()?;
                (u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?, 6)
            }
            _ => return None,
        };
        text.push(byte);
        rest = &rest[at + used..];
    }
    let (from, rest) = if let Some(rest) = rest.strip_prefix(br#","stream":"stdout","time":""#) {
        (From::Out, rest)
    } else {
        (From::Err, rest.strip_prefix(br#","stream":"stderr","time":""#)?)
    };
    let end = memchr(b'"', rest)?;
    (rest[end..].trim_ascii_end() == b"\"}").then_some((from, stamp::parse_bytes(&rest[..end])?))
}

fn slow(record: &[u8], text: &mut Vec<u8>) -> Option<(From, i64)> {
    let record: Record = serde_json::from_slice(record).ok()?;
    text.clear();
    text.extend_from_slice(record.log.as_bytes());
    let from = if record.stream == "stderr" { From::Err } else { From::Out };
    Some((from, stamp::parse(&record.time)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: &str = "2026-01-02T03:04:05.5Z";

    /// The text, whether it is from stderr, and whether its line ends.
    fn read(record: &str) -> Option<(String, bool, bool)> {
        let mut text = Vec::new();
        let entry = decode(record.as_bytes(), &mut text)?;
        assert_eq!(stamp::show(entry.at), "2026-01-02T03:04:05.500000000Z");
        Some((String::from_utf8(entry.text.to_vec()).unwrap(), entry.from == From::Err, entry.ends))
    }

    #[test]
    fn records_of_the_driver() {
        let record = |log: &str, stream: &str| {
            format!("{{\"log\":\"{log}\",\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n")
        };
        assert_eq!(read(&record("a\\n", "stdout")), Some(("a".into(), false, true)));
        assert_eq!(
            read(&record("a \\u001b[1m\\u003c\\t\\\"q\\\\", "stderr")),
            Some(("a \u{1b}[1m<\t\"q\\".into(), true, false))
        );
        assert_eq!(
            read(&record("\\ud83d\\ude00\\u2028 \u{fffd}\\n", "stdout")),
            Some(("\u{1f600}\u{2028} \u{fffd}".into(), false, true))
        );
        let attributes = format!(
            "{{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{{\"a\":\"b\"}},\"time\":\"{TIME}\"}}"
        );
        assert_eq!(read(&attributes), Some(("x".into(), false, true)));
        for broken in [
            "",
            "{}",
            "nonsense",
            "{\"log\":\"x",
            &record("x", "stdout")[3..],
            "{\"log\":\"\\u00ff\",\"time\":\"x\"}",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_is_the_parsers(log in ".{0,40}", feed: bool) {
            let log = if feed { format!("{log}\n") } else { log };
            let record = serde_json::json!({"log": log, "stream": "stdout", "time": TIME}).to_string();
            let (text, _, ends) = read(&record).unwrap();
            prop_assert_eq!(format!("{text}{}", if ends { "\n" } else { "" }), log);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes, &mut Vec::new());
        }
    }
}
