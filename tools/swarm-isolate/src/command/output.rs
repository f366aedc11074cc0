//! Copies a child's output. Each line is redacted before it is written to disk; what is passed through stays raw.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::vocabulary::Stream;

/// Longest line of a log in bytes. A longer one is cut, at white space if it has any, to bound memory.
const LONGEST_LINE: usize = 64 << 10;
/// Longest record of a companion in bytes: the default limit of those who read records (`--max-line`).
const LONGEST_RECORD: usize = 16 << 20;

/// When something last showed progress; shared by all streams that count as such.
#[derive(Debug, Clone)]
pub struct Activity {
    since: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Activity {
    pub fn new() -> Self {
        Self { since: Instant::now(), last_ms: Arc::default() }
    }

    pub fn note(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    pub fn idle_for(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

/// Where a stream of a child goes besides, or instead of, its log.
pub enum Besides {
    Nothing,
    /// Lines are kept for the parent and not logged: they are a companion's records.
    Parent(mpsc::UnboundedSender<Vec<u8>>),
    /// Our own standard output or standard error, live and unchanged.
    Through(Box<dyn AsyncWrite + Send + Unpin>),
}

/// Reads a stream to its end.
pub async fn copy(
    mut from: impl AsyncRead + Unpin,
    log: mpsc::Sender<Vec<u8>>,
    mut besides: Besides,
    mut redactor: Stream,
    activity: Activity,
) {
    let longest = if matches!(besides, Besides::Parent(_)) { LONGEST_RECORD } else { LONGEST_LINE };
    let mut lines = Lines::new(longest);
    let mut chunk = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut chunk).await {
        let chunk = &chunk[..read];
        activity.note();
        if let Besides::Through(out) = &mut besides
            && (out.write_all(chunk).await.is_err() || out.flush().await.is_err())
        {
            // Our own output is closed. Go on: the log still gets everything.
            besides = Besides::Nothing;
        }
        let whole = if chunk.is_empty() { lines.rest().into_iter().collect() } else { lines.push(chunk) };
        for line in whole {
            match &besides {
                Besides::Parent(keep) => drop(keep.send(line)),
                _ => drop(log.send(redactor.line(&line)).await),
            }
        }
        if chunk.is_empty() {
            return;
        }
    }
}

/// Writes redacted lines to the log, and with `show` to standard error. A log that cannot be written must not block the
/// command, so reading goes on; the first error is returned at the end.
pub async fn write_log(mut file: File, mut lines: mpsc::Receiver<Vec<u8>>, show: bool) -> Option<io::Error> {
    let mut failed = None;
    while let Some(line) = lines.recv().await {
        if failed.is_none() {
            failed = file.write_all(&line).err();
        }
        if show {
            let _ = io::stderr().write_all(&line);
        }
    }
    failed
}

/// Assembles lines from chunks.
#[derive(Debug)]
struct Lines {
    begun: Vec<u8>,
    longest: usize,
}

impl Lines {
    fn new(longest: usize) -> Self {
        Self { begun: Vec::new(), longest }
    }

    /// The lines that this chunk completes, line feeds included.
    fn push(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                whole.push(std::mem::take(&mut self.begun));
            }
            while self.begun.len() > self.longest {
                let space = self.begun[..self.longest].iter().rposition(u8::is_ascii_whitespace);
                let rest = self.begun.split_off(space.map_or(self.longest, |at| at + 1));
                whole.push(std::mem::replace(&mut self.begun, rest));
            }
        }
        whole
    }

    /// The last line, if it has no line feed.
    fn rest(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.begun)).filter(|rest| !rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_endless_line_is_cut_between_words() {
        let mut lines = Lines::new(LONGEST_LINE);
        let text = [vec![b'x'; LONGEST_LINE - 10], b" PASSWORD=hunter22".to_vec()].concat();
        let whole = lines.push(&text);
        assert_eq!((whole.len(), whole[0].len()), (1, LONGEST_LINE - 9));
        assert_eq!(lines.rest().unwrap(), b"PASSWORD=hunter22");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_a_line_is_never_torn_by_a_chunk(chunks in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..50), 0..20)) {
            let mut lines = Lines::new(LONGEST_LINE);
            let mut whole: Vec<Vec<u8>> = chunks.iter().flat_map(|chunk| lines.push(chunk)).collect();
            prop_assert!(whole.iter().all(|line| line.ends_with(b"\n")));
            whole.extend(lines.rest());
            prop_assert_eq!(whole.concat(), chunks.concat());
        }
    }
}
