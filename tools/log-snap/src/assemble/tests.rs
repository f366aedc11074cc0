//! Tests without an engine: what stays of redacted and cut lines, and how gaps are described.

use super::log::clean;
use super::*;
use crate::stream::line::Line;
use lib_common::redact::Redactor;
use lib_common::swarm::frame::From;

fn line(text: &str) -> Line<'_> {
    Line { at: 1, from: From::Out, text: text.as_bytes(), whole: text.len() as u64 }
}

#[test]
fn the_inside_of_a_private_key_leaves_no_line() {
    let mut redactor = Redactor::new(&[""; 0]);
    let mut kept = Vec::new();
    for text in ["-----BEGIN RSA PRIVATE KEY-----", "MIIEabc", "-----END RSA PRIVATE KEY-----", "", "after"] {
        kept.extend(clean(&line(text), 1000, &mut redactor).map(|clean| String::from_utf8(clean).unwrap()));
    }
    assert!(kept[0].starts_with("[REDACTED:private-key:"), "{kept:?}");
    assert_eq!(kept[1..], ["", "after"]);
}

#[test]
fn a_cut_never_leaves_half_a_secret() {
    let secret = "s3cr3t-".repeat(10);
    let text = format!("{}{secret}{}", "x".repeat(95), "y".repeat(crate::stream::line::OVERLAP - 65));
    let line = Line { whole: 1_000_000, ..line(&text) };
    assert_eq!(line.text.len(), 100 + crate::stream::line::OVERLAP);
    let clean = clean(&line, 100, &mut Redactor::new(&[secret])).unwrap();
    let clean = String::from_utf8(clean).unwrap();
    assert!(!clean.contains("s3cr3t") && clean.ends_with("[log-snap: cut, 1000000 bytes in all]"), "{clean}");
}

#[test]
fn gaps_say_which_log_and_why() {
    let stream = |ended: &str, source: &str, lines| entry::Stream {
        container: "0123456789abcdef".into(),
        task: None,
        service: "s_app".into(),
        name: "app.1".into(),
        source: source.into(),
        bytes: 0,
        lines,
        first: None,
        last: None,
        ended: ended.into(),
        error: Some("broken".into()),
        notes: Vec::new(),
        elided_lines: 7,
        elided_bytes: 70,
        cut_lines: 0,
        text: None,
        times: None,
    };
    assert_eq!(gap(&stream("eof", "container", 0)), None);
    assert_eq!(gap(&stream("eof", "task", 3)), None);
    assert!(gap(&stream("eof", "task", 0)).unwrap().contains("task endpoint"));
    assert_eq!(gap(&stream("error", "container", 1)).unwrap(), "log of app.1 (0123456789ab): broken");
    assert!(gap(&stream("cap", "container", 1)).unwrap().ends_with("7 lines left out of its middle"));
}
