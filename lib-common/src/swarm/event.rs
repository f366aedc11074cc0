//! Reads the engine's events as raw JSON, because newer engines have types and actions that these tools do not know.

use serde_json::Value;

use super::object::Kind;
use super::stamp;
use crate::text::percent_encode;

/// Longest event that is kept until its line feed comes, so that a stream without line feeds cannot fill the memory.
const LONGEST: usize = 1 << 20;

/// Which events the engine is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'w> {
    /// If empty, events of every kind.
    pub kinds: &'w [Kind],
    /// `create`, `die`, ...; if empty, every action.
    pub actions: &'w [&'w str],
    /// Nanoseconds since 1970. The engine also sends the events from then on that it still has; it keeps the last 256.
    pub since: Option<i64>,
    /// Nanoseconds since 1970, at which the stream ends. Without it the stream has no end.
    pub until: Option<i64>,
}

impl Wanted<'_> {
    /// The path of the request.
    #[must_use]
    pub fn path(&self) -> String {
        let mut filters = serde_json::Map::new();
        if !self.kinds.is_empty() {
            let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
            filters.insert("type".into(), names.into());
        }
        if !self.actions.is_empty() {
            filters.insert("event".into(), self.actions.into());
        }
        let mut query = Vec::new();
        query.extend(self.since.map(|at| format!("since={}", stamp::query(at))));
        query.extend(self.until.map(|at| format!("until={}", stamp::query(at))));
        if !filters.is_empty() {
            query.push(format!("filters={}", percent_encode(Value::from(filters).to_string())));
        }
        format!("/events?{}", query.join("&"))
    }
}

/// Cuts the chunks of the engine's answer into events, one per line.
#[derive(Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Takes a chunk and returns the events that are whole now. Lines that are not JSON are left out.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Value> {
        self.0.extend_from_slice(bytes);
        let end = memchr::memrchr(b'\n', &self.0).map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.0.drain(..end).collect();
        if self.0.len() > LONGEST {
            self.0.clear();
        }
        whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

#[cfg(feature = "docker")]
pub use stream::Events;

#[cfg(feature = "docker")]
mod stream {
    use std::collections::VecDeque;

    use hyper::Response;
    use hyper::body::Incoming;
    use serde_json::Value;

    use super::{Lines, Wanted};
    use crate::docker::{ApiResult, Engine};

    /// An open stream of events. As long as it does not break, no event after its opening is missed.
    pub struct Events {
        body: Response<Incoming>,
        lines: Lines,
        read: VecDeque<Value>,
    }

    impl Events {
        pub async fn open(engine: &Engine, wanted: &Wanted<'_>) -> ApiResult<Self> {
            let body = engine.stream(&wanted.path()).await?;
            Ok(Self { body, lines: Lines::default(), read: VecDeque::new() })
        }

        /// The next event; `None` if the engine ended the stream. The future may be dropped without losing an event.
        pub async fn next(&mut self) -> ApiResult<Option<Value>> {
            loop {
                if let Some(event) = self.read.pop_front() {
                    return Ok(Some(event));
                }
                let Some(chunk) = Engine::chunk(&mut self.body).await? else { return Ok(None) };
                self.read.extend(self.lines.push(&chunk));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn only_what_is_wanted_is_asked_for() {
        assert_eq!(Wanted::default().path(), "/events?");
        let since = Wanted { since: Some(1_000_000_005), until: Some(2_000_000_000), ..Wanted::default() };
        assert_eq!(since.path(), "/events?since=1.000000005&until=2.000000000");
        let created =
            Wanted { kinds: &[Kind::Config, Kind::Volume], actions: &["create"], ..Wanted::default() };
        let filters = percent_encode(r#"{"event":["create"],"type":["config","volume"]}"#);
        assert_eq!(created.path(), format!("/events?filters={filters}"));
    }

    #[test]
    fn whole_lines_are_events_and_the_rest_waits() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"{\"Type\":\"a\"}\nno\n{\"Type\":"), [json!({"Type": "a"})]);
        assert_eq!(lines.0, b"{\"Type\":");
        assert_eq!(lines.push(b"\"b\"}\n"), [json!({"Type": "b"})]);
        assert!(lines.0.is_empty());
    }

    #[test]
    fn objects_come_whole_whatever_the_chunks() {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        for byte in b"{\"a\":1}\nnonsense\n{\"a\":2}\n" {
            got.extend(lines.push(&[*byte]).iter().map(|event| event["a"].clone()));
        }
        assert_eq!(got, [1, 2]);
    }

    #[test]
    fn a_stream_without_line_ends_does_not_fill_the_memory() {
        let mut lines = Lines::default();
        for _ in 0..5 {
            assert_eq!(lines.push(&vec![b'x'; LONGEST / 2]), Vec::<Value>::new());
            assert!(lines.0.len() <= LONGEST);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut lines = Lines::default();
            let _ = lines.push(&bytes);
            prop_assert!(!lines.0.contains(&b'\n'));
        }
    }
}
