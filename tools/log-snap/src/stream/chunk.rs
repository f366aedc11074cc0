//! A compressed chunk of lines: their text as one block, followed by their times and outputs.

use super::line::Line;
use lib_common::swarm::frame::From;

/// A chunk to which lines are still added; it is not compressed yet.
#[derive(Default)]
pub struct Open {
    /// The lines, each with its line feed.
    text: Vec<u8>,
    /// A varint for each line: the zigzag-encoded time since the line before, shifted left by one; the lowest bit is 1
    /// for stderr. A line usually needs two to five bytes that way.
    meta: Vec<u8>,
    /// The lines of which only a part is here: number of the line in the chunk, and its true length in bytes.
    long: Vec<(u64, u64)>,
    lines: u64,
    first: i64,
    last: i64,
    pem: [Option<bool>; 2],
}

/// A closed, compressed chunk.
pub struct Chunk {
    packed: Vec<u8>,
    text: usize,
    meta: usize,
    long: Vec<(u64, u64)>,
    pub lines: u64,
    /// Bytes of text, without the line feeds.
    pub bytes: u64,
    pub first: i64,
    /// The last BEGIN (true) or END (false) line of a private key in the chunk, for stdout and for stderr.
    pub pem: [Option<bool>; 2],
}

/// The decompressed lines of a chunk.
pub struct Block {
    data: Vec<u8>,
    text: usize,
    first: i64,
    long: Vec<(u64, u64)>,
}

impl Open {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64 - self.lines
    }

    pub fn push(&mut self, line: &Line) {
        if self.lines == 0 {
            (self.first, self.last) = (line.at, line.at);
        }
        if memchr::memmem::find(line.text, b"-----").is_some() {
            self.border(line);
        }
        if line.whole > line.text.len() as u64 {
            self.long.push((self.lines, line.whole));
        }
        let delta = line.at.wrapping_sub(self.last);
        let zigzag = (delta.wrapping_shl(1) ^ (delta >> 63)).cast_unsigned();
        varint(u128::from(zigzag) << 1 | u128::from(line.from == From::Err), &mut self.meta);
        self.last = line.at;
        self.text.extend_from_slice(line.text);
        self.text.push(b'\n');
        self.lines += 1;
    }

    fn border(&mut self, line: &Line) {
        let has = |part: &[u8]| memchr::memmem::find(line.text, part).is_some();
        let border = &mut self.pem[line.from.index()];
        if has(b"-----BEGIN ") && has(b"PRIVATE KEY") {
            *border = Some(true);
        }
        if has(b"-----END ") {
            *border = Some(false);
        }
    }

    /// Compresses the collected lines into a chunk, and is empty again; `None` if there are no lines.
    pub fn close(&mut self) -> Option<Chunk> {
        if self.is_empty() {
            return None;
        }
        let open = std::mem::take(self);
        let bytes = open.bytes();
        let (mut data, text, meta) = (open.text, open.lines, open.meta);
        let (text_len, meta_len) = (data.len(), meta.len());
        data.extend_from_slice(&meta);
        // Compressing into memory does not fail; if it did, the empty chunk would be an error when it is unpacked.
        // zstd allocates for the worst case, so the result is copied into a vector of the right size.
        let packed = zstd::bulk::compress(&data, 1).unwrap_or_default().as_slice().to_vec();
        Some(Chunk {
            packed,
            text: text_len,
            meta: meta_len,
            long: open.long,
            lines: text,
            bytes,
            first: open.first,
            pem: open.pem,
        })
    }
}

impl Chunk {
    /// Bytes of memory that the chunk takes.
    #[must_use]
    pub fn size(&self) -> u64 {
        (self.packed.capacity() + self.long.capacity() * 16 + size_of::<Self>()) as u64
    }

    pub fn unpack(&self) -> std::io::Result<Block> {
        let data = zstd::bulk::decompress(&self.packed, self.text + self.meta)?;
        if data.len() != self.text + self.meta {
            return Err(std::io::Error::other("a compressed chunk in memory is damaged"));
        }
        Ok(Block { data, text: self.text, first: self.first, long: self.long.clone() })
    }
}

impl Block {
    /// All lines as one text, each with its line feed.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.data[..self.text]
    }

    /// The lines one by one.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let (mut rest, mut meta, mut at) = (self.text(), &self.data[self.text..], self.first);
        let (mut number, mut long) = (0, self.long.iter().peekable());
        std::iter::from_fn(move || {
            let end = memchr::memchr(b'\n', rest)?;
            let text = &rest[..end];
            rest = &rest[end + 1..];
            let code = read_varint(&mut meta)?;
            let zigzag = u64::try_from(code >> 1).unwrap_or_default();
            at = at.wrapping_add((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
            let whole =
                long.next_if(|(line, _)| *line == number).map_or(text.len() as u64, |(_, whole)| *whole);
            number += 1;
            Some(Line { at, from: if code & 1 == 1 { From::Err } else { From::Out }, text, whole })
        })
    }
}

fn varint(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(0x80 | u8::try_from(number & 0x7f).unwrap_or(0));
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn read_varint(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        number |= u128::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *bytes = &bytes[place + 1..];
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_time_and_text_comes_back(lines in prop::collection::vec((any::<i64>(), any::<bool>(), "[^\n]{0,20}", 0u64..3), 1..40)) {
            let mut open = Open::default();
            for (at, err, text, more) in &lines {
                let from = if *err { From::Err } else { From::Out };
                open.push(&Line { at: *at, from, text: text.as_bytes(), whole: text.len() as u64 + more });
            }
            let block = open.close().unwrap().unpack().unwrap();
            let back: Vec<_> = block
                .lines()
                .map(|line| (line.at, line.from == From::Err, String::from_utf8(line.text.to_vec()).unwrap(), line.whole - line.text.len() as u64))
                .collect();
            prop_assert_eq!(back, lines);
        }
    }
}
