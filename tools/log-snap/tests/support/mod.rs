//! Helpers with which tests write bundles.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use log_snap::bundle::entry::Stream;
use log_snap::bundle::write::Writer;

/// Writes the log of a service's container. Each line comes with the second in which it was written.
pub fn log<'l>(writer: &mut Writer, service: &str, lines: impl Iterator<Item = (u32, &'l str)>) -> Stream {
    let (mut text, mut times) = (writer.builder().unwrap(), writer.builder().unwrap());
    let mut count = 0;
    for (second, line) in lines {
        text.push(format!("{line}\n").as_bytes()).unwrap();
        times.push(format!("2026-01-02T03:04:{second:02}.000000000Z out\n").as_bytes()).unwrap();
        count += 1;
    }
    Stream {
        container: format!("{service}0123456789abcdef"),
        task: None,
        service: format!("s_{service}"),
        name: format!("{service}.1"),
        source: "container".into(),
        bytes: 10,
        lines: count,
        first: None,
        last: None,
        ended: "eof".into(),
        error: None,
        notes: Vec::new(),
        elided_lines: 0,
        elided_bytes: 0,
        cut_lines: 0,
        text: writer.blob(text).unwrap(),
        times: writer.blob(times).unwrap(),
    }
}
