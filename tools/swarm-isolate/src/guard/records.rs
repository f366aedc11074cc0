//! Reads the guard's records, one per line, and sums them up for the run's own record.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use lib_common::record::guard::GuardRefused;
use lib_common::record::{Head, Known};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::{oneshot, watch};

use crate::teardown::calls::Calls;

/// Most different refusals that are listed; further ones are only counted.
const MOST: usize = 100;

/// What the run's record says of the guard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub requests: u64,
    pub refused: u64,
    /// Each different refusal once, in the order of their first occurrence.
    pub refusals: Vec<String>,
    /// Objects of the run that the guard never saw being created.
    pub unseen: Vec<String>,
    /// A sentence when the guard could not cover the engine's own socket.
    pub note: Option<String>,
    /// Why it is not proved that nothing went around the guard; `None` if it is.
    pub unproved: Option<String>,
    /// How the guard died, if it did. The run says nothing about its case then.
    pub died: Option<String>,
    /// Whether `guard.finished` was read.
    pub is_whole: bool,
}

/// Reads records until the guard's output ends. Signals `ready` at `guard.started`, and `silent` at the end.
pub async fn listen(
    records: impl AsyncRead + Unpin,
    ready: oneshot::Sender<()>,
    calls: Calls,
    silent: watch::Sender<bool>,
) -> Report {
    let (mut report, mut refusals, mut ready) = (Report::default(), Refusals::default(), Some(ready));
    let mut lines = BufReader::new(records).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(head) = serde_json::from_str::<Head>(&line) else { continue };
        match Known::parse(&head.kind, head.v, line.as_bytes()) {
            Ok(Some(Known::GuardStarted(_))) => drop(ready.take().map(|ready| ready.send(()))),
            Ok(Some(Known::GuardPassed(call))) => {
                // In a path such as `/services/ID/update` the second segment is the object's full id.
                call.path.split('/').nth(2).into_iter().for_each(|id| calls.note_at(id, at(&head.ts)));
            }
            Ok(Some(Known::GuardRefused(refused))) => refusals.add(text(&refused)),
            Ok(Some(Known::GuardFinished(last))) => {
                report = Report {
                    requests: last.requests,
                    refused: last.refused,
                    unseen: last.unseen,
                    unproved: last.unproved,
                    is_whole: true,
                    ..report
                };
            }
            // Ignore other records, also those of a newer guard.
            _ => {}
        }
    }
    if !report.is_whole {
        report.refused = refusals.count;
        report.unproved = Some("the guard ended unexpectedly".into());
    }
    report.refusals = refusals.list();
    let _ = silent.send(true);
    report
}

fn text(refused: &GuardRefused) -> String {
    let remedy = refused.remedy.as_ref().map(|remedy| format!("; {}", remedy.lossy())).unwrap_or_default();
    format!("{}: {}: {}{remedy}", refused.rule, refused.call.lossy(), refused.what.lossy())
}

/// Converts a record's time to our monotonic clock. Both processes are on this machine, so its wall clock relates them.
fn at(ts: &str) -> Instant {
    let now = Instant::now();
    let ago = ts.parse::<Timestamp>().ok().and_then(|ts| Timestamp::now().duration_since(ts).try_into().ok());
    ago.and_then(|ago| now.checked_sub(ago)).unwrap_or(now)
}

/// Collects the refusals.
#[derive(Debug, Default)]
struct Refusals {
    seen: BTreeSet<String>,
    order: Vec<String>,
    more: usize,
    /// How many refusals there were, repeated ones included.
    count: u64,
}

impl Refusals {
    fn add(&mut self, text: String) {
        self.count += 1;
        if self.seen.contains(&text) {
            return;
        }
        if self.order.len() == MOST {
            self.more += 1;
            return;
        }
        self.seen.insert(text.clone());
        self.order.push(text);
    }

    fn list(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.order.iter().cloned().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_refusal_once_and_not_without_end() {
        let mut refusals = Refusals::default();
        for number in 0..150 {
            refusals.add(format!("r{}", number % 120));
        }
        let list = refusals.list();
        assert_eq!((list.len(), list[0].as_str()), (101, "r0"));
        assert!(list[100].starts_with("and "), "{list:?}");
    }

    async fn heard(text: String) -> (Report, Calls, bool) {
        let ((ready, mut is_ready), (tell, silent)) = (oneshot::channel(), watch::channel(false));
        let calls = Calls::default();
        let report = listen(text.as_bytes(), ready, calls.clone(), tell).await;
        assert!(*silent.borrow());
        (report, calls, is_ready.try_recv().is_ok())
    }

    fn line(kind: &str, ts: &str, rest: &str) -> String {
        format!(
            r#"{{"type":"guard.{kind}","v":1,"ts":"{ts}","investigation":"i","tool":"swarm-guard/1","owner":"o",{rest}}}"#
        ) + "\n"
    }

    #[tokio::test]
    async fn what_a_guard_tells_becomes_the_runs_report() {
        let ts = "2026-01-01T00:00:00.000Z";
        let soon = lib_common::clock::rfc3339(Timestamp::now());
        let text = [
            line("started", ts, r#""socket":"/s""#),
            "no record\n".into(),
            line("passed", &soon, r#""method":"POST","path":"/containers/abc/stop""#),
            line(
                "refused",
                ts,
                r#""rule":"swarm","call":"POST /swarm/leave","what":"it","remedy":"leave it""#,
            ),
            line("later", ts, r#""x":1"#),
            line("finished", ts, r#""requests":3,"refused":1,"unseen":["config c"]"#),
        ]
        .concat();
        let (report, calls, is_ready) = heard(text).await;
        assert!(is_ready && report.is_whole && report.died.is_none());
        assert_eq!((report.requests, report.refused, report.unproved), (3, 1, None));
        assert_eq!(report.refusals, ["swarm: POST /swarm/leave: it; leave it"]);
        assert_eq!(report.unseen, ["config c"]);
        let calls = calls.all();
        assert_eq!((calls.len(), calls[0].id.as_str()), (1, "abc"));
        assert!(calls[0].at.elapsed() < Duration::from_mins(1));
    }

    #[tokio::test]
    async fn a_guard_without_a_last_word_proves_nothing() {
        let ts = "2026-01-01T00:00:00.000Z";
        let refused = line("refused", ts, r#""rule":"swarm","call":"POST /swarm/leave","what":"it""#);
        let (report, _, is_ready) = heard(refused).await;
        assert!(!is_ready && !report.is_whole && report.unproved.is_some());
        assert_eq!(report.refused, 1);
    }
}
