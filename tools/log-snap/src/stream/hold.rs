//! Lines in bounded memory until the bundle is written: the head and the tail of a long log, compressed.
//!
//! Raw text stays in memory and nowhere else, because only at the end are all secrets known. Chunks of
//! 256 KiB are compressed as they fill, so that a stream at its cap costs about a tenth of it.

use std::collections::VecDeque;

use super::frame::From;
use super::line::Line;

const CHUNK: usize = 256 * 1024;
const HEADER: usize = 8 + 1 + 8 + 4;

/// Lines and bytes that were let go to stay within the cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elided {
    pub lines: u64,
    pub bytes: u64,
    /// When the first of them was written.
    pub at: i64,
    /// They end within a private key block, so what follows is still key; for each of the two outputs.
    pub within_pem: [bool; 2],
}

/// What a held stream yields, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    Line(Line),
    Elided(Elided),
}

/// One stream's lines: the first half of the cap is kept for ever, the rest is a window over the end.
pub struct Held {
    cap: u64,
    head: Vec<Chunk>,
    head_bytes: u64,
    tail: VecDeque<Chunk>,
    tail_bytes: u64,
    open: Chunk,
    elided: Elided,
}

#[derive(Default)]
struct Chunk {
    /// Encoded lines; compressed once the chunk is closed.
    data: Vec<u8>,
    closed: bool,
    lines: u64,
    bytes: u64,
    first: i64,
    /// The last private key border in it, for each output: true for BEGIN.
    pem: [Option<bool>; 2],
}

impl Held {
    /// `cap`: bytes of text that are kept of this stream.
    #[must_use]
    pub fn new(cap: u64) -> Self {
        Self {
            cap,
            head: Vec::new(),
            head_bytes: 0,
            tail: VecDeque::new(),
            tail_bytes: 0,
            open: Chunk::default(),
            elided: Elided::default(),
        }
    }

    #[must_use]
    pub fn elided(&self) -> Elided {
        self.elided
    }

    pub fn push(&mut self, line: &Line) {
        let size = line.text.len() as u64;
        // Small caps need small chunks, or one chunk would be the whole window.
        let limit = u64::min(CHUNK as u64, self.cap / 8);
        if self.open.lines > 0 && self.open.bytes + size > limit {
            self.close();
        }
        self.open.push(line);
    }

    /// Closes the open chunk: a stream that ended costs only its compressed size.
    pub fn close(&mut self) {
        if self.open.lines == 0 {
            return;
        }
        let mut chunk = std::mem::take(&mut self.open);
        chunk.close();
        if self.tail.is_empty() && self.elided.lines == 0 && self.head_bytes + chunk.bytes <= self.cap / 2 {
            self.head_bytes += chunk.bytes;
            self.head.push(chunk);
            return;
        }
        self.tail_bytes += chunk.bytes;
        self.tail.push_back(chunk);
        while self.head_bytes + self.tail_bytes > self.cap {
            let Some(gone) = self.tail.pop_front() else { break };
            self.tail_bytes -= gone.bytes;
            if self.elided.lines == 0 {
                self.elided.at = gone.first;
            }
            self.elided.lines += gone.lines;
            self.elided.bytes += gone.bytes + gone.lines;
            for (within, border) in self.elided.within_pem.iter_mut().zip(gone.pem) {
                *within = border.unwrap_or(*within);
            }
        }
    }

    /// Everything that is held, one chunk decompressed at a time.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        let gap = (self.elided.lines > 0).then_some(Item::Elided(self.elided));
        let head = self.head.iter().flat_map(Chunk::lines).map(Item::Line);
        let tail = self.tail.iter().chain([&self.open]).flat_map(Chunk::lines).map(Item::Line);
        head.chain(gap).chain(tail)
    }
}

impl Chunk {
    fn push(&mut self, line: &Line) {
        if self.lines == 0 {
            self.first = line.at;
        }
        self.lines += 1;
        self.bytes += line.text.len() as u64;
        let border = &mut self.pem[line.from.index()];
        if contains(&line.text, b"-----BEGIN ") && contains(&line.text, b"PRIVATE KEY-----") {
            *border = Some(true);
        }
        if contains(&line.text, b"-----END ") {
            *border = Some(false);
        }
        self.data.extend_from_slice(&line.at.to_le_bytes());
        self.data.push(u8::from(line.from == From::Err));
        self.data.extend_from_slice(&line.whole.to_le_bytes());
        let size = u32::try_from(line.text.len()).unwrap_or(u32::MAX);
        self.data.extend_from_slice(&size.to_le_bytes());
        self.data.extend_from_slice(&line.text);
    }

    fn close(&mut self) {
        // Compressing into memory cannot fail; if it did, the chunk would simply stay as it is.
        if let Ok(packed) = zstd::bulk::compress(&self.data, 1) {
            self.data = packed;
            self.closed = true;
        }
    }

    fn lines(&self) -> Vec<Line> {
        let unpacked;
        let mut rest = if self.closed {
            unpacked = zstd::stream::decode_all(self.data.as_slice()).unwrap_or_default();
            unpacked.as_slice()
        } else {
            self.data.as_slice()
        };
        let mut lines = Vec::new();
        while let Some((header, body)) = rest.split_at_checked(HEADER) {
            let number = |from: usize| header[from..from + 8].try_into().map_or(0, u64::from_le_bytes);
            let size = header[17..].try_into().map_or(0, u32::from_le_bytes);
            let Some((text, next)) = body.split_at_checked(size as usize) else { break };
            lines.push(Line {
                at: number(0).cast_signed(),
                from: if header[8] == 1 { From::Err } else { From::Out },
                text: text.to_vec(),
                whole: number(9),
            });
            rest = next;
        }
        lines
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: i64, text: &[u8]) -> Line {
        let from = if n % 2 == 0 { From::Out } else { From::Err };
        Line { at: n, from, text: text.to_vec(), whole: text.len() as u64 }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let lines: Vec<Line> =
            (0..20_000).map(|n| line(n, format!("line {n} \u{fffd}").as_bytes())).collect();
        let mut held = Held::new(16 << 20);
        for line in &lines {
            held.push(line);
        }
        assert!(held.items().eq(lines.iter().cloned().map(Item::Line)));
        held.close();
        assert!(held.items().eq(lines.into_iter().map(Item::Line)));
    }

    #[test]
    fn head_and_tail_stay_and_the_rest_is_counted() {
        let mut held = Held::new(8000);
        (0..1000).for_each(|n| held.push(&line(n, &[b'x'; 100])));
        held.close();
        let items: Vec<Item> = held.items().collect();
        let kept: Vec<i64> = items
            .iter()
            .filter_map(|item| if let Item::Line(line) = item { Some(line.at) } else { None })
            .collect();
        let elided = held.elided();
        assert_eq!((kept[0], *kept.last().unwrap()), (0, 999));
        assert_eq!(kept.len() as u64 + elided.lines, 1000);
        assert_eq!(elided.bytes, elided.lines * 101);
        assert!(kept.len() * 100 <= 8000 && kept.len() * 100 > 6000, "{}", kept.len());
        let at = items.iter().position(|item| matches!(item, Item::Elided(_))).unwrap();
        assert_eq!(elided.at, kept[at - 1] + 1);
        assert_eq!(kept[at], elided.at + elided.lines.cast_signed());
    }

    #[test]
    fn an_elision_within_a_private_key_is_known() {
        let mut held = Held::new(1600);
        (0..20).for_each(|n| held.push(&line(n, &[b'x'; 100])));
        held.push(&line(20, b"-----BEGIN RSA PRIVATE KEY-----"));
        (21..60).for_each(|n| held.push(&line(n, &[b'k'; 100])));
        held.close();
        assert_eq!(held.elided().within_pem, [true, false]);
        held.push(&line(60, b"-----END RSA PRIVATE KEY-----"));
        (61..99).for_each(|n| held.push(&line(n, &[b'x'; 100])));
        held.close();
        assert_eq!(held.elided().within_pem, [false, false]);
    }
}
