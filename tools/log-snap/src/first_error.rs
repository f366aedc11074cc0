//! `log-snap first-error`: finds the earliest line that may be the cause of a failure.
//!
//! Candidates are ranked: an error in the log of a task that failed comes before an error elsewhere, a clear error
//! before a vague one, an earlier one before a later one. Swarm's own error texts (no such image, command not found)
//! count as lines, because a task that could not start has no log.

use std::sync::LazyLock;

use lib_common::Result;
use lib_common::signature::signature;
use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use serde::Serialize;

use crate::bundle::entry::Task;
use crate::bundle::merge::merge;
use crate::bundle::read::Bundle;
use crate::diff::Place;
use lib_common::swarm::stamp;

/// Patterns of a clear error: the program gives up, or says what is wrong.
const CLEAR: [&str; 12] = [
    r"\b(fatal|panic(ked)?|emergency|crit(ical)?|segfault|core dumped|abort(ed|ing))\b",
    r"\b(traceback|unhandled|uncaught|unrecoverable)\b",
    r"\b[a-z]+(error|exception)\b\s*[:(]",
    r"\bexception\b",
    r"\bout of memory\b|\boom[- ]kill|\bcannot allocate memory\b",
    r"\bread-only file ?system\b|\bno space left\b|\bpermission denied\b|\boperation not permitted\b",
    r"\bno such file or directory\b|\bcommand not found\b|\bexec format error\b",
    r"\baddress (already )?in use\b|\bport is already allocated\b",
    r"\b(authentication|migration|assertion|startup|initiali[sz]ation) (has )?failed\b",
    r"\bno such (host|image|table|database|column)\b|\bdoes not exist\b",
    r"\b(invalid|missing|unknown) (configuration|option|argument|value|key|directive)\b",
    r"\bexit(ed)? (with )?(code|status) [1-9]",
];
/// Patterns of a vague error: a failure, or an attempt that the program will repeat.
const VAGUE: [&str; 6] = [
    r"\berrors?\b|\berr\b|\[e\]|\blevel=err",
    r"\b(fail|failed|failing|failures?)\b",
    r"\b(connection|request) (was )?(refused|reset|timed out|closed)\b|\btime(d)?[- ]?out\b",
    r"\bunable to\b|\bcould ?n[o']t\b|\bcannot\b|\bcan't\b",
    r"\b(unhealthy|unavailable|unreachable|refused|denied|rejected|deadline exceeded)\b",
    r"\b(status|http)[ =:/0-9.]*\b5\d\d\b",
];
/// Lines that only mention such words: "0 errors", `error_log = ...`, debug messages.
const HARMLESS: &str = r"(?i)\b(0|no|zero|without) (errors?|failures?)\b|\b(errors?|failed|failures?)[\x22']?\s*[=:]\s*[\x22']?(0\b|null|nil|none|false|\[\]|\x22)|error[_-]?(log|page|handler|reporting|level)|\b(log[_-]?level|on[_-]?error|if[_-]?error)\b|\[(debug|trace)\]|level=(debug|trace)";

static SETS: LazyLock<Option<(RegexSet, RegexSet, Regex)>> = LazyLock::new(|| {
    let set = |words: &[&str]| RegexSetBuilder::new(words).case_insensitive(true).unicode(false).build().ok();
    Some((set(&CLEAR)?, set(&VAGUE)?, Regex::new(HARMLESS).ok()?))
});

/// The line that was chosen, and why: what `first-error` prints.
#[derive(Debug, Serialize)]
pub struct FirstError {
    pub service: String,
    /// Hash of the line's normalised text, computed as the signature of `run.finished` is.
    pub signature: String,
    pub why: String,
    #[serde(flatten)]
    pub place: Place,
}

/// The rank of a candidate; the smallest wins: whether its task did not fail, then its class (0 clear, 1 vague, 2 only
/// the last line of a failed task), then its time.
type Rank = (bool, u8, i64);

/// Finds the best candidate of a bundle, if there is any.
pub fn find(bundle: &Bundle) -> Result<Option<FirstError>> {
    let failed: Vec<&Task> = bundle.tasks.iter().filter(|task| has_failed(task)).collect();
    let is_failed = |id: Option<&String>| failed.is_empty() || failed.iter().any(|task| Some(&task.id) == id);
    let mut best: Option<(Rank, Place, &str)> = None;
    let mut last_words: Option<(Rank, Place, &str)> = None;
    let better =
        |rank: &Rank, best: &Option<(Rank, Place, &str)>| best.as_ref().is_none_or(|(than, ..)| rank < than);
    for task in &failed {
        let own = format!("task: non-zero exit ({})", task.exit_code.unwrap_or_default());
        let steps = bundle.timelines.get(&task.id).into_iter().flatten();
        // "task: non-zero exit (1)" does not say why the task exited; its log does. So that text is no candidate.
        for step in steps.filter(|step| !step.error.is_empty() && !step.error.starts_with(&own)) {
            let rank = (false, 0, stamp::parse(&step.at).unwrap_or(i64::MAX));
            if better(&rank, &best) {
                best = Some((
                    rank,
                    of_task(task, &step.at, &step.error),
                    "swarm's own error about a failed task",
                ));
            }
        }
    }
    merge(bundle, bundle.streams.iter(), |row| {
        let of_failed = is_failed(row.stream.task.as_ref());
        if let Some(class) = classify(row.line) {
            let rank = (!of_failed, class, row.at);
            if better(&rank, &best) {
                let why = match (failed.is_empty(), class) {
                    (true, 0) => "the first clear error",
                    (true, _) => "the first line that may be an error",
                    (false, 0) => "the first clear error of a task that failed",
                    (false, _) => "the first line of a task that failed that may be an error",
                };
                best = Some((
                    rank,
                    Place::of(row),
                    if of_failed { why } else { "an error, of a task that did not fail" },
                ));
            }
        }
        if of_failed && !failed.is_empty() && !row.line.trim_ascii().is_empty() {
            // Remember the last line of the first failed container: each further line of it replaces the one before.
            let same =
                last_words.as_ref().is_some_and(|(_, place, _)| place.container == row.stream.container);
            if same || last_words.is_none() {
                last_words =
                    Some(((false, 2, row.at), Place::of(row), "the last words of a task that failed"));
            }
        }
        Ok(true)
    })?;
    // An error of a task that did not fail is only a guess: unless it is a clear one, the last line of the failed
    // task is the better answer.
    let best = match (best, last_words) {
        (Some(best), Some(words)) if best.0.0 => Some(words).filter(|_| best.0.1 > 0).or(Some(best)),
        (best, words) => best.or(words),
    };
    Ok(best.map(|(_, place, why)| FirstError {
        service: place.name.rsplit_once('.').map_or(place.name.clone(), |(name, _)| name.to_owned()),
        signature: signature(place.text.as_bytes()),
        why: why.to_owned(),
        place,
    }))
}

/// Whether a task failed. Exit code 143 is SIGTERM: swarm stopped the task, which is no failure.
fn has_failed(task: &Task) -> bool {
    ["failed", "rejected"].contains(&task.state.as_str())
        || task.exit_code.is_some_and(|code| code != 0 && code != 143)
}

/// The class of a line: 0 is a clear error, 1 a vague one; `None` is no error.
fn classify(line: &[u8]) -> Option<u8> {
    let (clear, vague, harmless) = SETS.as_ref()?;
    if clear.is_match(line) && !harmless.is_match(line) {
        return Some(0);
    }
    (vague.is_match(line) && !harmless.is_match(line)).then_some(1)
}

/// Swarm's error about a task, in the form of a log line. It stands in no blob.
fn of_task(task: &Task, at: &str, error: &str) -> Place {
    Place {
        name: task.name.clone(),
        container: task.container.clone().unwrap_or_default(),
        at: at.to_owned(),
        from: "swarm".into(),
        line: 0,
        offset: 0,
        blob: String::new(),
        text: error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_what_only_mentions_them() {
        assert!(SETS.is_some());
        for (line, class) in [
            ("FATAL:  role \"app\" does not exist", Some(0)),
            ("java.lang.NullPointerException: x", Some(0)),
            ("Traceback (most recent call last):", Some(0)),
            ("open /etc/app.ini: read-only file system", Some(0)),
            ("dial tcp 10.0.0.3:5432: connect: connection refused", Some(1)),
            ("level=error msg=\"no answer\"", Some(1)),
            ("could not connect, trying again", Some(1)),
            ("finished with 0 errors", None),
            ("{\"status\":200,\"error\":\"\"}", None),
            ("loading /var/log/nginx/error.log", Some(1)),
            ("error_log = /x", None),
            ("[debug] cannot find it yet", None),
            ("listening on :80", None),
        ] {
            assert_eq!(classify(line.as_bytes()), class, "{line}");
        }
    }
}
