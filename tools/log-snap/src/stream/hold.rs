//! Holds log lines in bounded memory until the bundle is written: the head and the tail of each log, compressed.
//!
//! Raw text exists in memory and nowhere else, because all secrets are known only at the end. All logs share one
//! [`Shelf`]. When its budget is spent, the largest log drops chunks from its middle. So the memory is bounded whatever
//! the number and the size of the logs are, and what was dropped is counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chunk::{Chunk, Open};
use super::line::Line;

/// Bytes of text in one chunk. It is small because every log that is being read has one chunk uncompressed.
const CHUNK: u64 = 64 * 1024;

/// The lines that a log dropped to stay within a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elided {
    pub lines: u64,
    pub bytes: u64,
    /// When the first of them was written.
    pub at: i64,
    /// The last BEGIN (true) or END (false) line of a private key among them, for stdout and for stderr.
    pub pem: [Option<bool>; 2],
}

impl Elided {
    /// Counts a dropped chunk. `before` says that it stood before the ones that were dropped earlier.
    fn add(&mut self, chunk: &Chunk, before: bool) {
        if before || self.lines == 0 {
            self.at = chunk.first;
        }
        self.lines += chunk.lines;
        self.bytes += chunk.bytes + chunk.lines;
        for (mine, theirs) in self.pem.iter_mut().zip(chunk.pem) {
            *mine = if before { mine.or(theirs) } else { theirs.or(*mine) };
        }
    }
}

/// The memory in which all logs are held.
pub struct Shelf(Mutex<Inner>);

struct Inner {
    budget: u64,
    used: u64,
    logs: Vec<Log>,
}

/// One log: half of its cap holds its head, the rest is a window over its end.
#[derive(Default)]
struct Log {
    cap: u64,
    head: Vec<Chunk>,
    head_bytes: u64,
    tail: VecDeque<Chunk>,
    tail_bytes: u64,
    elided: Elided,
    /// Whether chunks were dropped because the shared budget was spent, and not because of the log's own cap.
    squeezed: bool,
    size: u64,
}

impl Shelf {
    /// `budget` is the number of bytes that all held logs together may take.
    #[must_use]
    pub fn new(budget: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner { budget, used: 0, logs: Vec::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, slot: usize, chunk: Chunk) {
        let size = chunk.size();
        self.used += size;
        let log = &mut self.logs[slot];
        log.size += size;
        log.put(chunk);
        while log.head_bytes + log.tail_bytes > log.cap && log.let_go(&mut self.used) {}
        while self.used > self.budget {
            let Some(log) = self.logs.iter_mut().max_by_key(|log| log.size) else { break };
            if !log.let_go(&mut self.used) {
                break;
            }
            log.squeezed = true;
        }
    }
}

impl Log {
    fn put(&mut self, chunk: Chunk) {
        let fits = self.head_bytes + chunk.bytes <= self.cap / 2;
        if self.tail.is_empty() && self.elided.lines == 0 && fits {
            self.head_bytes += chunk.bytes;
            self.head.push(chunk);
        } else {
            self.tail_bytes += chunk.bytes;
            self.tail.push_back(chunk);
        }
    }

    /// Drops one chunk from the middle: the end of the head or the start of the tail, whichever is larger. Returns
    /// false if only the first and the last chunk are left.
    fn let_go(&mut self, used: &mut u64) -> bool {
        let from_head = self.head_bytes > self.tail_bytes && self.head.len() > 1;
        let chunk = if from_head {
            let chunk = self.head.pop();
            self.head_bytes -= chunk.as_ref().map_or(0, |chunk| chunk.bytes);
            chunk
        } else if self.tail.len() > 1 {
            let chunk = self.tail.pop_front();
            self.tail_bytes -= chunk.as_ref().map_or(0, |chunk| chunk.bytes);
            chunk
        } else {
            None
        };
        let Some(chunk) = chunk else { return false };
        self.elided.add(&chunk, from_head);
        self.size -= chunk.size();
        *used -= chunk.size();
        true
    }
}

/// The place of one log on the shelf, with its open chunk.
pub struct Held {
    shelf: Arc<Shelf>,
    slot: usize,
    chunk: u64,
    open: Open,
}

/// What was kept of a log, in order: the head, the count of what was dropped, the tail.
pub struct Kept {
    pub head: Vec<Chunk>,
    pub elided: Elided,
    pub squeezed: bool,
    pub tail: VecDeque<Chunk>,
}

impl Held {
    /// `cap` is the number of bytes of text that are kept of this log.
    #[must_use]
    pub fn new(shelf: &Arc<Shelf>, cap: u64) -> Self {
        let mut inner = shelf.lock();
        inner.logs.push(Log { cap, ..Log::default() });
        let slot = inner.logs.len() - 1;
        // A small cap needs small chunks: otherwise one chunk would fill the whole window.
        Self { shelf: Arc::clone(shelf), slot, chunk: CHUNK.min(cap / 8), open: Open::default() }
    }

    pub fn push(&mut self, line: &Line) {
        if !self.open.is_empty() && self.open.bytes() + line.text.len() as u64 > self.chunk {
            self.close();
        }
        self.open.push(line);
    }

    /// Closes the open chunk, so that a log that nobody reads takes only its compressed size.
    pub fn close(&mut self) {
        if let Some(chunk) = self.open.close() {
            self.shelf.lock().put(self.slot, chunk);
        }
    }

    /// Takes the log from the shelf, and frees its part of the budget.
    #[must_use]
    pub fn take(mut self) -> Kept {
        self.close();
        let mut inner = self.shelf.lock();
        let log = std::mem::take(&mut inner.logs[self.slot]);
        inner.used -= log.size;
        Kept { head: log.head, elided: log.elided, squeezed: log.squeezed, tail: log.tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::swarm::frame::From;

    fn push(held: &mut Held, n: i64, text: &[u8]) {
        let from = if n % 2 == 0 { From::Out } else { From::Err };
        held.push(&Line { at: n, from, text, whole: text.len() as u64 });
    }

    /// Times of the lines that are kept, and whether text and output came back as they were.
    fn times(kept: &Kept, text: impl Fn(i64) -> Vec<u8>) -> Vec<i64> {
        let mut times = Vec::new();
        for chunk in kept.head.iter().chain(&kept.tail) {
            let block = chunk.unpack().unwrap();
            for line in block.lines() {
                assert_eq!(line.text, text(line.at));
                assert_eq!(line.from == From::Err, line.at % 2 != 0);
                times.push(line.at);
            }
        }
        times
    }

    #[test]
    fn what_goes_in_comes_out() {
        let text = |n: i64| format!("line {n} \u{fffd}").into_bytes();
        let mut held = Held::new(&Shelf::new(1 << 30), 16 << 20);
        (0..20_000).for_each(|n| push(&mut held, n, &text(n)));
        let kept = held.take();
        assert_eq!(times(&kept, text), (0..20_000).collect::<Vec<_>>());
        assert_eq!(kept.elided, Elided::default());
    }

    #[test]
    fn head_and_tail_stay_and_the_rest_is_counted() {
        let mut held = Held::new(&Shelf::new(1 << 30), 8000);
        (0..1000).for_each(|n| push(&mut held, n, &[b'x'; 100]));
        let kept = held.take();
        let times = times(&kept, |_| vec![b'x'; 100]);
        let elided = kept.elided;
        assert_eq!((times[0], *times.last().unwrap()), (0, 999));
        assert_eq!(times.len() as u64 + elided.lines, 1000);
        assert_eq!(elided.bytes, elided.lines * 101);
        assert!(times.len() * 100 <= 8000 && times.len() * 100 > 6000, "{}", times.len());
        let before = kept.head.iter().map(|chunk| chunk.lines).sum::<u64>().cast_signed();
        assert_eq!((elided.at, kept.squeezed), (before, false));
    }

    #[test]
    fn the_budget_holds_over_all_logs_and_the_largest_pays() {
        let shelf = Shelf::new(200_000);
        // Random bytes, because zstd cannot compress them.
        let noise = |n: i64| blake3::Hasher::new().update(&n.to_le_bytes()).finalize_xof().read_to_vec(1000);
        let (mut small, mut large) = (Held::new(&shelf, 1 << 30), Held::new(&shelf, 1 << 30));
        (0..100).for_each(|n| push(&mut small, n, &noise(n)));
        small.close();
        (0..2000).for_each(|n| push(&mut large, n, &noise(n)));
        assert!(shelf.lock().used <= 200_000 + CHUNK, "{}", shelf.lock().used);
        let (small, large) = (small.take(), large.take());
        assert_eq!(times(&small, noise).len(), 100);
        let times = times(&large, noise);
        assert!(large.squeezed && !small.squeezed && times[0] == 0 && *times.last().unwrap() == 1999);
        assert_eq!(times.len() as u64 + large.elided.lines, 2000);
        assert_eq!(shelf.lock().used, 0);
    }

    #[test]
    fn what_compresses_well_costs_little() {
        let shelf = Shelf::new(1 << 20);
        let mut held = Held::new(&shelf, 1 << 30);
        (0..100_000).for_each(|n| push(&mut held, n, &[b'x'; 100]));
        held.close();
        assert!(shelf.lock().used < 700_000, "{}", shelf.lock().used);
        assert_eq!(held.take().elided.lines, 0);
    }

    trait ReadToVec {
        fn read_to_vec(self, len: usize) -> Vec<u8>;
    }

    impl ReadToVec for blake3::OutputReader {
        fn read_to_vec(mut self, len: usize) -> Vec<u8> {
            let mut out = vec![0; len];
            self.fill(&mut out);
            out.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = 0);
            out
        }
    }

    #[test]
    fn an_elision_within_a_private_key_is_known() {
        let mut held = Held::new(&Shelf::new(1 << 30), 1600);
        (0..20).for_each(|n| push(&mut held, n, &[b'x'; 100]));
        push(&mut held, 20, b"-----BEGIN RSA PRIVATE KEY-----");
        (21..60).for_each(|n| push(&mut held, n, &[b'k'; 100]));
        assert_eq!(held.take().elided.pem, [Some(true), None]);
    }
}
