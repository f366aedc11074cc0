//! Reads `$REDFIX_EVIDENCE/run.json`, in which the harness reports what it really tested. That counts, not what it was
//! asked to test. Every field is optional.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use lib_common::record::case::Ref;
use serde::Deserialize;
use serde_json::Value;

/// At most 1 MiB of run.json is read.
const LONGEST: u64 = 1 << 20;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub reference: Option<Ref>,
    pub harness: Option<String>,
    pub tests: Option<String>,
    pub stage: Option<String>,
}

/// Reads the report in an evidence folder; also returns what is wrong with it, for people.
pub fn read(folder: &Path) -> (Report, Vec<String>) {
    let path = folder.join("run.json");
    match fs::symlink_metadata(&path) {
        Err(_) => return (Report::default(), Vec::new()),
        // Opening a named pipe would block for ever.
        Ok(about) if !about.is_file() => {
            return (Report::default(), vec!["run.json is no regular file".into()]);
        }
        Ok(_) => {}
    }
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut text)) {
        Ok(_) => parse(&text),
        Err(e) => (Report::default(), vec![format!("run.json: {e}")]),
    }
}

/// Parses the report. A wrong field is left out and named; the others count.
#[must_use]
pub fn parse(text: &[u8]) -> (Report, Vec<String>) {
    let mut report = Report::default();
    let Ok(Value::Object(fields)) = serde_json::from_slice(text) else {
        return (report, vec!["run.json is not a JSON object".into()]);
    };
    let mut wrong = Vec::new();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
        let word = || value.as_str().filter(|word| !word.is_empty()).map(ToOwned::to_owned);
        let understood = match name.as_str() {
            "ref" => {
                report.reference = Ref::deserialize(&value).ok().filter(is_whole);
                report.reference.is_some()
            }
            "harness" => set(&mut report.harness, word()),
            "tests" => set(&mut report.tests, word()),
            "stage" => set(&mut report.stage, word()),
            // Ignore other fields: a harness may keep more in this file.
            _ => true,
        };
        if !understood {
            wrong.push(format!("run.json: '{name}' is not understood"));
        }
    }
    (report, wrong)
}

fn set(field: &mut Option<String>, value: Option<String>) -> bool {
    *field = value;
    field.is_some()
}

/// Whether the commit is a full hash. A short one proves nothing: it may come to mean another commit, or a branch.
fn is_whole(reference: &Ref) -> bool {
    let commit = reference.commit.rsplit(':').next().unwrap_or_default();
    commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_the_rest_counts() {
        let commit = "4ca7f4180c2b7a1e9d5f3b6c8e0a1d2f3b4c5d6e";
        let text = format!(r#"{{"ref":{{"commit":"{commit}","kind":"tag"}},"stage":7,"own":[1]}}"#);
        let (report, wrong) = parse(text.as_bytes());
        assert_eq!(report.reference.unwrap().commit, commit);
        assert_eq!(wrong, ["run.json: 'stage' is not understood"]);
        let (report, wrong) = parse(br#"{"ref":{"commit":"4ca7f41","kind":"tag"},"harness":"h"}"#);
        assert_eq!((report.reference, report.harness.as_deref(), wrong.len()), (None, Some("h"), 1));
        assert_eq!(parse(b"[]").1.len(), 1);
    }

    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), (Report::default(), vec![]));
        std::os::unix::net::UnixListener::bind(dir.path().join("run.json")).unwrap();
        assert_eq!(read(dir.path()).1, ["run.json is no regular file"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text);
        }
    }
}
