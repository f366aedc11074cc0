//! The review queue of a `dir:` forge: `PATH/queue.jsonl`, one event per line, appended under the file's lock.
//!
//! Every event has `event`, `id` (the number of its line), `repo` (`owner/name`), `ts` (RFC 3339), and:
//!
//! | `event` | further fields | written by |
//! | --- | --- | --- |
//! | `pull.opened` | `number`, `head` (branch), `base`, `sha`, `title`, `body`, `labels`, `reviewers` | `pr-open` |
//! | `pull.updated` | `number`, those of `sha`, `title`, `body` that changed | `pr-open` |
//! | `pull.closed`, `pull.merged` | `number` | people |
//! | `comment` | `number`, `body`, `sha` (the head at that time) | `pr-open`, people |
//! | `status` | `number`, `sha`, `context`, `status`, `description`, `target_url` | CI |
//!
//! The state of a pull request is a fold over the events. A line that is no such event (because it is torn, or a
//! stranger's) is skipped.

use serde::{Deserialize, Serialize};

use super::Status;

/// Numbers must be below this: it is the largest integer that every JSON reader keeps exact (RFC 8259, 6).
const MAX_NUMBER: u64 = 1 << 53;

/// One line of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    #[serde(rename = "event")]
    pub kind: String,
    pub id: u64,
    pub repo: String,
    pub number: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reviewers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_url: Option<String>,
    #[serde(default)]
    pub ts: String,
}

/// A pull request after all events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub head: String,
    pub base: String,
    pub sha: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub merged: bool,
}

/// One comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    /// The number of its line.
    pub id: u64,
    pub body: &'a str,
    /// RFC 3339.
    pub ts: &'a str,
}

impl<'e> Comment<'e> {
    fn of(event: &'e Event) -> Self {
        Self { id: event.id, body: event.body.as_deref().unwrap_or(""), ts: &event.ts }
    }
}

/// The events of one repository.
#[derive(Debug, Default)]
pub struct Queue {
    events: Vec<Event>,
    /// How many whole lines the file has; the next event gets the next line's number.
    pub lines: u64,
}

impl Queue {
    /// Parses the whole file; keeps the events of `repo`.
    #[must_use]
    pub fn parse(bytes: &[u8], repo: &str) -> Self {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let events = lines.clone().filter_map(|line| serde_json::from_slice::<Event>(line).ok());
        let whole = lines.filter(|line| line.ends_with(b"\n")).count() as u64;
        // Skip a line with a huge number: `next_number` could not go beyond it.
        let of_it = |event: &Event| event.repo == repo && event.number < MAX_NUMBER;
        Self { events: events.filter(of_it).collect(), lines: whole }
    }

    /// All pull requests, in the order in which they were opened.
    #[must_use]
    pub fn pulls(&self) -> Vec<Entry> {
        let mut pulls: Vec<Entry> = Vec::new();
        for event in self.events.iter().cloned() {
            if event.kind == "pull.opened" {
                pulls.push(Entry {
                    number: event.number,
                    head: event.head.unwrap_or_default(),
                    base: event.base.unwrap_or_default(),
                    sha: event.sha.unwrap_or_default(),
                    title: event.title.unwrap_or_default(),
                    body: event.body.unwrap_or_default(),
                    open: true,
                    merged: false,
                });
                continue;
            }
            let Some(entry) = pulls.iter_mut().find(|entry| entry.number == event.number) else { continue };
            match event.kind.as_str() {
                "pull.updated" => {
                    for (field, new) in [
                        (&mut entry.sha, event.sha),
                        (&mut entry.title, event.title),
                        (&mut entry.body, event.body),
                    ] {
                        if let Some(new) = new {
                            *field = new;
                        }
                    }
                }
                "pull.closed" => entry.open = false,
                "pull.merged" => (entry.open, entry.merged) = (false, true),
                _ => {}
            }
        }
        pulls
    }

    /// The number that the next pull request gets.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        let opened = self.events.iter().filter(|event| event.kind == "pull.opened");
        opened.map(|event| event.number).max().unwrap_or(0) + 1
    }

    /// The id of the last comment on `number` that is exactly `text` and was written when the head was `sha`.
    #[must_use]
    pub fn asked(&self, number: u64, sha: &str, text: &str) -> Option<u64> {
        let fits = |event: &&Event| {
            event.kind == "comment"
                && event.number == number
                && event.sha.as_deref() == Some(sha)
                && event.body.as_deref().is_some_and(|body| body.trim() == text)
        };
        self.events.iter().rfind(fits).map(|event| event.id)
    }

    /// Every comment on `number`, oldest first.
    pub fn comments(&self, number: u64) -> impl Iterator<Item = Comment<'_>> {
        let of_it = move |event: &&Event| event.kind == "comment" && event.number == number;
        self.events.iter().filter(of_it).map(Comment::of)
    }

    /// Statuses of a commit, oldest first.
    #[must_use]
    pub fn statuses(&self, sha: &str) -> Vec<Status> {
        let of_it = |event: &&Event| event.kind == "status" && event.sha.as_deref() == Some(sha);
        let status = |event: &Event| Status {
            id: event.id,
            context: event.context.clone().unwrap_or_default(),
            state: event.status.clone().unwrap_or_default(),
            description: event.description.clone(),
            url: event.target_url.clone(),
            created: event.ts.clone(),
        };
        self.events.iter().filter(of_it).map(status).collect()
    }
}

/// Folds arbitrary bytes and checks invariants; an entry point for property tests and fuzzing.
#[doc(hidden)]
pub fn fold_anything(file: &[u8]) {
    let queue = Queue::parse(file, "o/n");
    let pulls = queue.pulls();
    assert!(pulls.iter().all(|entry| entry.number < queue.next_number()), "a number is never used twice");
    for entry in pulls {
        let comments = queue.comments(entry.number).count();
        assert!(
            comments > 0 || queue.asked(entry.number, &entry.sha, "!testme").is_none(),
            "asked by a comment"
        );
        let _ = queue.statuses(&entry.sha);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The lines of the test below, cut, doubled and reordered, with arbitrary bytes in between.
        #[test]
        fn no_file_makes_us_fall_over(
            parts in proptest::collection::vec((0usize..8, any::<u16>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..12)
        ) {
            let lines: Vec<&str> = LINES.lines().collect();
            let mut file = Vec::new();
            for (line, cut, noise) in parts {
                let line = lines.get(line).copied().unwrap_or("{}").as_bytes();
                file.extend_from_slice(&line[..line.len().min(usize::from(cut))]);
                file.extend_from_slice(&noise);
                file.push(b'\n');
            }
            fold_anything(&file);
        }

        #[test]
        fn no_numbers_make_us_fall_over(number in any::<u64>()) {
            let file = LINES.replace("\"number\":1", &format!("\"number\":{number}"));
            fold_anything(file.as_bytes());
        }
    }

    const LINES: &str = r#"{"event":"pull.opened","id":1,"repo":"o/n","number":1,"head":"fix/a/b","base":"main","sha":"s1","title":"t","body":"b","ts":"x"}
{"event":"comment","id":2,"repo":"o/n","number":1,"body":"!testme","sha":"s1","ts":"x"}
{"event":"pull.opened","id":3,"repo":"o/other","number":1,"head":"h","base":"main","sha":"s9","title":"t","body":"b","ts":"x"}
{"event":"status","id":4,"repo":"o/n","number":1,"sha":"s1","context":"c","status":"success","ts":"x"}
{"event":"sta
{"event":"pull.updated","id":6,"repo":"o/n","number":1,"sha":"s2","ts":"x"}
{"event":"pull.merged","id":7,"repo":"o/n","number":1,"ts":"x"}
"#;

    #[test]
    fn the_fold() {
        let queue = Queue::parse(LINES.as_bytes(), "o/n");
        assert_eq!(queue.lines, 7);
        let pulls = queue.pulls();
        assert_eq!(pulls.len(), 1);
        assert_eq!((pulls[0].sha.as_str(), pulls[0].title.as_str()), ("s2", "t"));
        assert!(!pulls[0].open && pulls[0].merged);
        assert_eq!(queue.next_number(), 2);
        assert_eq!(queue.asked(1, "s1", "!testme"), Some(2));
        assert_eq!(queue.asked(1, "s2", "!testme"), None);
        assert_eq!(queue.statuses("s1").len(), 1);
        assert_eq!(Queue::parse(b"", "o/n").next_number(), 1);
    }

    #[test]
    fn a_torn_end_is_not_a_line() {
        let torn = &LINES.as_bytes()[..LINES.len() - 10];
        let queue = Queue::parse(torn, "o/n");
        assert_eq!(queue.lines, 6);
        assert!(queue.pulls()[0].open);
    }
}
