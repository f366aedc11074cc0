//! Property tests of the stream: records are passed on byte for byte, and no input makes a reader panic.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::io::BufReader;

use lib_common::cli::Common;
use lib_common::clock::SystemClock;
use lib_common::diag::Diag;
use lib_common::emit::{Emitter, copy_records};
use lib_common::record::TYPES;
use lib_common::stream::{Line, Reader, Torn};
use lib_common::{Error, Io};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use support::{lines, parse};

fn diag() -> Diag {
    Diag::to_writer("test", Box::new(std::io::sink()))
}

fn common(lenient: bool, max_line: u64) -> Common {
    Common { lenient, max_line, ..Common::default() }
}

/// Reads everything through a buffer of `chunk` bytes, so that lines are split in odd places.
fn read(input: &[u8], common: &Common, torn: Torn, chunk: usize) -> Result<Vec<Line>, Error> {
    let mut reader = Reader::new(BufReader::with_capacity(chunk, input), "test", common, torn);
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line(&diag())? {
        reader.known(&line, &diag())?;
        lines.push(line);
    }
    Ok(lines)
}

fn copied(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut io = Io {
        stdin: Box::new(input),
        stdin_is_terminal: false,
        stdout: Box::new(&mut out),
        diag: diag(),
        clock: &SystemClock,
    };
    copy_records(&common(false, 1 << 20), &mut io, &mut Emitter::new(None, None), |_, _, _| Ok(())).unwrap();
    drop(io);
    out
}

/// JSON as others write it: odd numbers, escapes, white space, keys that repeat.
fn json() -> impl Strategy<Value = String> {
    let number = select(vec![
        "0",
        "-0",
        "1.10",
        "1e5",
        "1E+05",
        "12345678901234567890123",
        "-0.0e-0",
        "1e400",
        "0.1000000000000000055511151231257827",
    ]);
    let text = prop_oneof![
        "[a-zA-Z ]{0,8}".prop_map(|text| format!("\"{text}\"")),
        select(vec![
            "\"\\u00e9\\ud83d\\ude00\"",
            "\"\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
            "\"\u{2028}é😀\"",
            "\"\\u0000\""
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        number.prop_map(str::to_owned),
        text,
        select(vec!["true", "null", "[ ]", "{\t}"]).prop_map(str::to_owned)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,"))),
            vec(("[a-c]", inner), 0..4).prop_map(|all| braces(&all)),
        ]
    })
}

fn braces(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
    format!("{{{}}}", members.join(", "))
}

/// One line: an object of an unknown type, of a known type in a newer version, or without a type.
fn object() -> impl Strategy<Value = String> {
    let kind = select(vec![
        "",
        "\"type\":\"x.y\",\"v\":1,",
        "\"type\":\"run.finished\",\"v\":99,",
        "\"type\":7,",
        "\"v\":-1,\"type\":\"case.failed\",",
    ]);
    (select(vec!["", " ", "\t"]), kind, vec(("[a-c]|\\\\u0061", json()), 1..5))
        .prop_map(|(space, kind, members)| format!("{space}{{{kind}{}", &braces(&members)[1..]))
}

fn stream() -> impl Strategy<Value = String> {
    (vec((object(), select(vec!["\n", "\r\n"])), 0..6), any::<bool>()).prop_map(|(lines, whole)| {
        let text: String = lines.iter().flat_map(|(line, end)| [line.as_str(), end]).collect();
        if whole { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
    })
}

/// JSON pointers to all strings and numbers of a value, those in maps such as `factors` included.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                // These fields take only certain words, or decide how the line is read, so they keep their value.
                let fixed = [
                    "type", "v", "stage", "outcome", "verdict", "cause", "route", "routes", "action",
                    "state", "bytes",
                ];
                if !fixed.contains(&key.as_str())
                    || (key == "stage" && at.is_empty() && map.contains_key("engine"))
                {
                    leaves(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
                }
            }
        }
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(n, inner)| leaves(inner, &format!("{at}/{n}"), found));
        }
        Value::String(_) | Value::Number(_) => found.push(at.to_owned()),
        Value::Bool(_) | Value::Null => {}
    }
}

proptest! {
    #[test]
    fn passing_on_never_alters_a_byte(text in stream()) {
        let mut expected = text.clone().into_bytes();
        if !expected.is_empty() && expected.last() != Some(&b'\n') {
            expected.push(b'\n');
        }
        prop_assert_eq!(copied(text.as_bytes()), expected);
    }

    #[test]
    fn lines_are_found_wherever_a_buffer_ends(text in stream(), chunk in 1usize..40) {
        let lines = read(text.as_bytes(), &common(false, 1 << 20), Torn::Error, chunk).unwrap();
        let raw: Vec<u8> = lines.iter().flat_map(|line| line.raw.clone()).collect();
        prop_assert_eq!(raw, text.as_bytes());
        prop_assert!(lines.iter().enumerate().all(|(n, line)| line.number == n as u64 + 1 && line.is_object));
    }

    #[test]
    fn parse_and_emit_are_inverse(
        kind in select(TYPES),
        nth in any::<Index>(),
        changes in vec((any::<Index>(), ".{0,12}", any::<u32>(), -1e12f64..1e12), 1..8),
    ) {
        let frozen = lines(kind.0);
        let mut value: Value = serde_json::from_slice(&frozen[nth.index(frozen.len())]).unwrap();
        let mut places = Vec::new();
        leaves(&value, "", &mut places);
        for (place, text, whole, real) in &changes {
            let place = &places[place.index(places.len())];
            let leaf = value.pointer_mut(place).unwrap();
            *leaf = match leaf {
                // A status of HTTP has three digits.
                Value::Number(_) if place.ends_with("/status") => (whole % 1000).into(),
                Value::Number(number) if number.is_f64() => (*real).into(),
                Value::Number(number) if number.as_u64().is_some_and(|n| n < 1 << 31) => (whole >> 1).into(),
                Value::Number(_) => (*whole).into(),
                _ => text.clone().into(),
            };
        }
        let (head, known) = parse(&serde_json::to_vec(&value).unwrap());
        let line = known.to_line(&head).unwrap();
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(parse(&line), (head, known));
    }

    #[test]
    fn no_bytes_bring_a_reader_down(
        bytes in vec(prop_oneof![any::<u8>(), select(b"{}[]\":,\\\n\r0e-.u".to_vec())], 0..200),
        chunk in 1usize..64,
    ) {
        for torn in [Torn::Error, Torn::SetAside] {
            let strict = read(&bytes, &common(false, 1 << 20), torn, chunk);
            if let Err(error) = strict {
                prop_assert!(error.to_string().contains("test line "), "{}", error);
            }
            // With `--lenient` every byte is passed on, except a torn last line, which is set aside.
            let lenient = read(&bytes, &common(true, 1 << 20), torn, chunk).unwrap();
            let raw: Vec<u8> = lenient.into_iter().flat_map(|line| line.raw).collect();
            prop_assert!(bytes.starts_with(&raw));
            prop_assert!(torn == Torn::SetAside || raw == bytes);
        }
    }

    #[test]
    fn a_known_type_with_any_body_is_a_record_or_an_error(kind in select(TYPES), members in vec(("[a-z_]{1,8}", json()), 0..5)) {
        let body = braces(&members);
        let comma = if members.is_empty() { "" } else { "," };
        let line = format!("{{\"type\":\"{}\",\"v\":1{comma}{}\n", kind.0, &body[1..]);
        let error = read(line.as_bytes(), &common(false, 1 << 20), Torn::Error, 4096);
        if let Err(error) = error {
            prop_assert!(error.to_string().contains("test line 1"), "{}", error);
        }
        prop_assert_eq!(read(line.as_bytes(), &common(true, 1 << 20), Torn::Error, 4096).unwrap().len(), 1);
    }

    #[test]
    fn a_line_beyond_the_limit_is_named(limit in 16u64..200, beyond in 1usize..50, before in 0usize..4, chunk in 1usize..64) {
        let size = usize::try_from(limit).unwrap();
        let line = |length: usize| format!("{{{}}}\n", " ".repeat(length - 2));
        let within = line(size).repeat(before + 1);
        prop_assert_eq!(read(within.as_bytes(), &common(false, limit), Torn::Error, chunk).unwrap().len(), before + 1);
        let text = format!("{}{}", line(size).repeat(before), line(size + beyond));
        for lenient in [false, true] {
            let error = read(text.as_bytes(), &common(lenient, limit), Torn::Error, chunk).unwrap_err();
            let expected = format!("reading the record stream: test line {}: longer than {limit} bytes", before + 1);
            prop_assert_eq!(error.to_string(), expected);
            prop_assert_eq!(error.exit().code(), 2);
        }
    }

    #[test]
    fn a_torn_last_line_is_set_aside_only_where_it_may_be(object in object(), keep in any::<Index>()) {
        prop_assume!(object.is_ascii());
        let torn = &object[..=keep.index(object.len() - 1)];
        prop_assume!(serde_json::from_str::<Value>(torn).is_err());
        let text = format!("{{}}\n{torn}");
        let read = |torn| read(text.as_bytes(), &common(false, 1 << 20), torn, 4096);
        prop_assert_eq!(read(Torn::SetAside).unwrap().len(), 1);
        let error = read(Torn::Error).unwrap_err().to_string();
        prop_assert!(error.contains("test line 2"), "{}", error);
    }
}

#[test]
fn a_broken_line_that_is_not_the_last_is_never_set_aside() {
    let error = read(b"{}\n{\"a\"\n{}\n", &common(false, 1 << 20), Torn::SetAside, 4096).unwrap_err();
    assert!(error.to_string().contains("test line 2"));
}
