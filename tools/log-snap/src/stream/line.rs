//! Lines from pieces: long lines that the engine split are whole again.
//!
//! The engine splits a line at 16 KiB; all parts carry the same timestamp and only the last one ends with a
//! line feed. So a part belongs to the one before it on the same output if that had no line feed and the
//! very same timestamp.

use super::frame::From;
use super::stamp;

/// Kept beyond the cap, so that a secret across the cut can be recognised before the cut is made for good.
pub const OVERLAP: usize = 4096;

/// One line as the container wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since 1970, by the clock of the container's node.
    pub at: i64,
    pub from: From,
    /// Without its line feed; at most the cap and [`OVERLAP`].
    pub text: Vec<u8>,
    /// How long the line really was, in bytes.
    pub whole: u64,
}

/// Joins the pieces of one container's log.
pub struct Assembler {
    cap: usize,
    pending: [Option<Line>; 2],
    last: i64,
}

impl Assembler {
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { cap, pending: [None, None], last: 0 }
    }

    /// Takes one piece and hands on the lines that it completes.
    pub fn push(&mut self, from: From, piece: &[u8], done: &mut Vec<Line>) {
        let (at, skip) = stamp::split(piece).unwrap_or((self.last, 0));
        self.last = at;
        let text = &piece[skip..];
        let (text, ends) = text.strip_suffix(b"\n").map_or((text, false), |text| (text, true));
        let limit = self.cap.saturating_add(OVERLAP);
        let slot = &mut self.pending[from.index()];
        done.extend(slot.take_if(|line| line.at != at));
        let line = slot.get_or_insert_with(|| Line { at, from, text: Vec::new(), whole: 0 });
        let room = limit.saturating_sub(line.text.len());
        line.text.extend_from_slice(&text[..text.len().min(room)]);
        line.whole += text.len() as u64;
        if ends {
            done.extend(slot.take());
        }
    }

    /// The log ended: what has no line feed is a line too.
    pub fn finish(&mut self, done: &mut Vec<Line>) {
        done.extend(self.pending.iter_mut().filter_map(Option::take));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "2026-01-02T03:04:05.000000001Z ";
    const B: &str = "2026-01-02T03:04:05.000000002Z ";

    fn lines(cap: usize, pieces: &[(From, String)]) -> Vec<Line> {
        let (mut assembler, mut done) = (Assembler::new(cap), Vec::new());
        for (from, piece) in pieces {
            assembler.push(*from, piece.as_bytes(), &mut done);
        }
        assembler.finish(&mut done);
        done
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| std::str::from_utf8(&line.text).unwrap()).collect()
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
        assert_eq!(texts(&lines(99, &pieces)), ["between", "aaabbb", "next"]);
    }

    #[test]
    fn another_timestamp_is_another_line() {
        let pieces = [(From::Out, format!("{A}cut off")), (From::Out, format!("{B}new\n"))];
        assert_eq!(texts(&lines(99, &pieces)), ["cut off", "new"]);
    }

    #[test]
    fn a_last_line_needs_no_line_feed_and_an_empty_one_stays() {
        let pieces = [(From::Out, format!("{A}\n")), (From::Out, format!("{A}end"))];
        assert_eq!(texts(&lines(99, &pieces)), ["", "end"]);
    }

    #[test]
    fn memory_is_bounded_and_the_true_length_known() {
        let part = "x".repeat(3000);
        let pieces: Vec<_> = (0..10).map(|_| (From::Out, format!("{A}{part}"))).collect();
        let lines = lines(1000, &pieces);
        assert_eq!((lines.len(), lines[0].text.len(), lines[0].whole), (1, 1000 + OVERLAP, 30_000));
    }
}
