//! `log-snap redact`: writes a new bundle with the lines of an old one, redacted with more rules or secrets. The
//! old bundle stays as it is.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Instant;

use lib_common::record::log::LogSnapped;
use lib_common::{Error, Result};
use serde_json::Value;

use crate::assemble::{check, log};
use crate::bundle::INDEX;
use crate::bundle::entry::{End, Stream};
use crate::bundle::read::Bundle;
use crate::bundle::verify::verify;
use crate::bundle::write::Writer;
use crate::clean::Cleaner;
use crate::usage::peak_memory;

const DOING: &str = "redacting the bundle again";

/// Verifies the bundle in `folder`, writes the new bundle to `out` and returns its record. The caller fills in the
/// record's path.
pub fn redact(folder: &Path, out: &Path, mut cleaner: Cleaner) -> Result<LogSnapped> {
    let began = Instant::now();
    if let Some(wrong) = verify(folder)?.into_iter().next() {
        return Err(Error::cannot(DOING, wrong)
            .on(folder.display())
            .hint("log-snap redacts only bundles that verify, so that changed evidence does not get a new root hash"));
    }
    let bundle = Bundle::open(folder)?;
    let mut writer = Writer::create(out)?;
    let (mut end, mut gaps) = (None, Vec::new());
    let fail = |e: &dyn std::fmt::Display| Error::cannot(DOING, e).on(folder.display());
    let index = File::open(folder.join(INDEX)).map_err(|e| fail(&e))?;
    for line in BufReader::new(index).lines() {
        let line = line.map_err(|e| fail(&e))?;
        let mut value: Value = serde_json::from_str(&line).map_err(|e| fail(&e))?;
        match value["kind"].as_str() {
            // The new blobs get lines of their own when their log is written.
            Some("blob") => continue,
            Some("end") => {
                end = serde_json::from_value::<End>(value).ok();
                break;
            }
            Some("gap") => gaps.extend(value["what"].as_str().map(|what| cleaner.text(what))),
            Some("stream") => {
                let stream: Stream = serde_json::from_value(value.clone()).map_err(|e| fail(&e))?;
                let written = blobs(&bundle, &stream, &mut cleaner, &mut writer)?;
                for (name, hash) in [("text", written.text), ("times", written.times)] {
                    if let Some(hash) = hash {
                        value[name] = hash.into();
                    } else if let Some(map) = value.as_object_mut() {
                        map.remove(name);
                    }
                }
            }
            _ => {}
        }
        writer.line(&clean(&line, &value, &mut cleaner))?;
    }
    let mut end = end.ok_or_else(|| fail(&"the index has no last line (kind end)"))?;
    for (rule, count) in cleaner.counts() {
        *end.redactions.entry(rule.clone()).or_default() += count;
    }
    check::no_leak(&mut writer, &cleaner)?;
    let blake3 = writer.finish(end.clone())?;
    let snap = bundle.snap;
    Ok(LogSnapped {
        attempt_id: snap.as_ref().and_then(|snap| snap.attempt_id.clone()),
        stack: snap.map(|snap| snap.stack).unwrap_or_default(),
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        peak_memory: peak_memory(),
        ..end.snapped(blake3, gaps)
    })
}

/// The redacted index line. A line without a finding is returned byte for byte; in a changed one `kind` comes first,
/// as readers of the index expect (`serde_json` would sort the keys).
fn clean(line: &str, value: &Value, cleaner: &mut Cleaner) -> Vec<u8> {
    let before: Value = serde_json::from_str(line).unwrap_or_default();
    let after = cleaner.value(value);
    if before == after {
        return format!("{line}\n").into_bytes();
    }
    let mut fields = vec![format!("\"kind\":{}", after["kind"])];
    let others = after.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
    fields.extend(others.map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))));
    format!("{{{}}}\n", fields.join(",")).into_bytes()
}

/// Redacts both blobs of a log line by line. Where a line disappears (the inside of a private key), its time
/// disappears too, so that both blobs keep the same number of lines.
fn blobs(
    bundle: &Bundle,
    stream: &Stream,
    cleaner: &mut Cleaner,
    writer: &mut Writer,
) -> Result<log::Written> {
    let (Some(text), Some(times)) = (&stream.text, &stream.times) else {
        return Ok(log::Written { text: None, times: None, cut: 0 });
    };
    let fail = |e: std::io::Error| Error::cannot(DOING, e).on(&stream.name);
    let (mut text, mut times) = (bundle.content(text)?, bundle.content(times)?);
    let (mut new_text, mut new_times) = (writer.builder()?, writer.builder()?);
    let mut redactors = [cleaner.for_stream(), cleaner.for_stream()];
    let (mut line, mut time) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        time.clear();
        if text.read_until(b'\n', &mut line).map_err(fail)? == 0 {
            break;
        }
        times.read_until(b'\n', &mut time).map_err(fail)?;
        let redactor = &mut redactors[usize::from(time.ends_with(b" err\n"))];
        let clean = redactor.line(&line);
        if !clean.is_empty() {
            new_text.push(&clean).and_then(|()| new_times.push(&time)).map_err(fail)?;
        }
    }
    for redactor in &redactors {
        cleaner.count(redactor);
    }
    Ok(log::Written { text: writer.blob(new_text)?, times: writer.blob(new_times)?, cut: 0 })
}
