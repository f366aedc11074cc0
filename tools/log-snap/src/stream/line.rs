//! Puts lines together that the engine has split.
//!
//! The engine splits a line every 16 KiB. All parts carry the same timestamp, and only the last one ends with a line
//! feed. So a part continues the part before it on the same output if that one has no line feed and exactly the same
//! timestamp.

use lib_common::swarm::frame::From;
use lib_common::swarm::stamp;

/// Bytes that are kept beyond the cap, so that a secret that lies across the cut is recognised before the line is cut.
pub const OVERLAP: usize = 4096;

/// One line as the container wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// When it was written, in nanoseconds since 1970, by the clock of the container's node.
    pub at: i64,
    pub from: From,
    /// The text without its line feed, at most as many bytes as the cap and [`OVERLAP`] allow.
    pub text: &'t [u8],
    /// The true length of the line, in bytes.
    pub whole: u64,
}

/// A whole line or a part of one with its time, from a log file or from the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedPiece<'t> {
    pub from: From,
    pub at: i64,
    /// The text without its line feed.
    pub text: &'t [u8],
    /// Whether the line ends with this piece.
    pub ends: bool,
}

struct Pending {
    at: i64,
    text: Vec<u8>,
    whole: u64,
}

/// Joins the pieces of one container's log into lines.
pub struct Assembler {
    cap: usize,
    pending: [Option<Pending>; 2],
    last: i64,
}

impl Assembler {
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { cap, pending: [None, None], last: 0 }
    }

    /// Takes one piece in the form of the API, with its timestamp in front.
    pub fn push(&mut self, from: From, piece: &[u8], on: &mut impl FnMut(Line)) {
        let (at, skip) = stamp::split(piece).unwrap_or((self.last, 0));
        let text = &piece[skip..];
        let (text, ends) = text.strip_suffix(b"\n").map_or((text, false), |text| (text, true));
        self.timed(TimedPiece { from, at, text, ends }, on);
    }

    /// Takes one piece and hands the lines that it completes to `on`.
    pub fn timed(&mut self, entry: TimedPiece, on: &mut impl FnMut(Line)) {
        self.last = entry.at;
        let mut text = entry.text;
        // The drivers put no line feed inside a piece. If there is one all the same, the piece holds several lines.
        while let Some(end) = memchr::memchr(b'\n', text) {
            self.part(TimedPiece { text: &text[..end], ends: true, ..entry }, on);
            text = &text[end + 1..];
        }
        self.part(TimedPiece { text, ..entry }, on);
    }

    fn part(&mut self, entry: TimedPiece, on: &mut impl FnMut(Line)) {
        let TimedPiece { from, at, text, ends } = entry;
        let limit = self.cap.saturating_add(OVERLAP);
        let slot = &mut self.pending[from.index()];
        if let Some(old) = slot.take_if(|old| old.at != at) {
            on(Line { at: old.at, from, text: &old.text, whole: old.whole });
        }
        if slot.is_none() && ends {
            on(Line { at, from, text: &text[..text.len().min(limit)], whole: text.len() as u64 });
            return;
        }
        let line = slot.get_or_insert_with(|| Pending { at, text: Vec::new(), whole: 0 });
        let room = limit.saturating_sub(line.text.len());
        line.text.extend_from_slice(&text[..text.len().min(room)]);
        line.whole += text.len() as u64;
        if ends && let Some(line) = slot.take() {
            on(Line { at, from, text: &line.text, whole: line.whole });
        }
    }

    /// Ends the log: text without a line feed at the end is a line too.
    pub fn finish(&mut self, on: &mut impl FnMut(Line)) {
        for from in [From::Out, From::Err] {
            if let Some(line) = self.pending[from.index()].take() {
                on(Line { at: line.at, from, text: &line.text, whole: line.whole });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "2026-01-02T03:04:05.000000001Z ";
    const B: &str = "2026-01-02T03:04:05.000000002Z ";

    /// The text and the true length of each line.
    fn lines(cap: usize, pieces: &[(From, String)]) -> Vec<(String, u64)> {
        let (mut assembler, mut done) = (Assembler::new(cap), Vec::new());
        let mut keep = |line: Line| done.push((String::from_utf8(line.text.to_vec()).unwrap(), line.whole));
        for (from, piece) in pieces {
            assembler.push(*from, piece.as_bytes(), &mut keep);
        }
        assembler.finish(&mut keep);
        done
    }

    fn texts(pieces: &[(From, String)]) -> Vec<String> {
        lines(99, pieces).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn parts_of_a_long_line_are_joined() {
        let pieces = [
            (From::Out, format!("{A}aaa")),
            (From::Err, format!("{A}between\n")),
            (From::Out, format!("{A}bbb")),
            (From::Out, format!("{A}\n")),
            (From::Out, format!("{A}next\n")),
        ];
        assert_eq!(texts(&pieces), ["between", "aaabbb", "next"]);
    }

    #[test]
    fn another_timestamp_is_another_line() {
        let pieces = [(From::Out, format!("{A}cut off")), (From::Out, format!("{B}new\n"))];
        assert_eq!(texts(&pieces), ["cut off", "new"]);
    }

    #[test]
    fn a_last_line_needs_no_line_feed_and_an_empty_one_stays() {
        let pieces = [
            (From::Out, format!("{A}\n")),
            (From::Out, format!("{A}one\ntwo\n")),
            (From::Out, format!("{A}end")),
        ];
        assert_eq!(texts(&pieces), ["", "one", "two", "end"]);
    }

    #[test]
    fn memory_is_bounded_and_the_true_length_known() {
        let part = "x".repeat(3000);
        let pieces: Vec<_> = (0..10).map(|_| (From::Out, format!("{A}{part}"))).collect();
        let lines = lines(1000, &pieces);
        assert_eq!((lines.len(), lines[0].0.len(), lines[0].1), (1, 1000 + OVERLAP, 30_000));
    }
}
