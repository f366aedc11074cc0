//! Takes secrets out of foreign text before it is written anywhere.
//!
//! Three tiers: exact values that the caller knows (and their encodings), names that speak of a secret, and
//! rules for the forms of tokens ([`Rules`]). A secret becomes `[REDACTED:<rule>:<pseudonym>]`; the pseudonym
//! is a keyed hash, so that equal secrets stay equal and a weak one cannot be guessed from the text.
//!
//! [`Redactor::line`] and [`Redactor::text`] take whole lines; [`Redactor::push`] takes chunks as they come,
//! and gives the same whatever the chunks.

mod encodings;
mod exact;
mod key;
mod names;
mod pem;
mod rule;
mod scan;
mod spans;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use exact::Exact;
pub use key::Key;
pub use names::{is_harmless, is_ordinary, is_secret_name};
use pem::{Pem, Step};
pub use rule::Rules;
use scan::{Hint, Scan};
use spans::{Span, marks, merge, outside};

/// Values shorter than this are too common to replace everywhere.
pub const MIN_SECRET: usize = 5;
/// A line is redacted in parts beyond this, so that memory stays bounded.
const MAX_LINE: usize = 1 << 20;
/// What is held back at the end of a part, so that a secret across the border is seen whole.
const OVERLAP: usize = 16 * 1024;

/// Redacts one stream; [`Redactor::fork`] starts another one with the same secrets and key.
pub struct Redactor {
    shared: Arc<Shared>,
    pem: Pem,
    counts: BTreeMap<String, u64>,
    hints: Vec<Hint>,
    /// The line that is not whole yet.
    tail: Vec<u8>,
    max_line: usize,
}

struct Shared {
    exact: Exact,
    rules: Rules,
    scan: Scan,
    key: Key,
}

impl Redactor {
    /// `secrets`: known values, whatever their order; empty and very short ones are left out. Pseudonyms are
    /// of this redactor and its forks only.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        Self::with_key(secrets, &Key::random())
    }

    /// Pseudonyms are the same wherever the same key is used.
    #[must_use]
    pub fn with_key<S: AsRef<[u8]>>(secrets: &[S], key: &Key) -> Self {
        Self::with_rules(secrets, key, Rules::builtin())
    }

    #[must_use]
    pub fn with_rules<S: AsRef<[u8]>>(secrets: &[S], key: &Key, rules: Rules) -> Self {
        let exact = Exact::new(secrets, key);
        let scan = Scan::new(rules.all(), exact.forms());
        Self::over(Arc::new(Shared { exact, rules, scan, key: key.clone() }))
    }

    fn over(shared: Arc<Shared>) -> Self {
        let longest = shared.exact.longest();
        Self {
            shared,
            pem: Pem::Outside,
            counts: BTreeMap::new(),
            hints: Vec::new(),
            tail: Vec::new(),
            max_line: MAX_LINE.max(4 * longest),
        }
    }

    /// The same secrets and pseudonyms for another stream, with its own state and counts.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::over(Arc::clone(&self.shared))
    }

    /// Replacements so far, by rule.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Within a private key block: every line counts until it ends.
    #[must_use]
    pub fn is_within_key(&self) -> bool {
        self.pem != Pem::Outside
    }

    /// What is next begins within a private key block, whose beginning was left out.
    pub fn begin_within_key(&mut self) {
        self.pem = Pem::Within(0);
    }

    /// What is next begins outside of one.
    pub fn end_of_key(&mut self) {
        self.pem = Pem::Outside;
    }

    /// Whether any known value is in `text`, in whatever form. Redacted text has none.
    #[must_use]
    pub fn leaks(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while let Some(line) = self.shared.scan.next_line(text, at) {
            if self.shared.exact.is_in(&text[line.clone()]) {
                return true;
            }
            at = line.end;
        }
        false
    }

    /// How much of a text must be seen together, lest a known value hide across a border.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.shared.exact.longest()
    }

    /// The next line of `block` at or behind `from` that may hold anything, without its line feed. What lies
    /// before it is clean, unless [`Redactor::is_within_key`].
    #[must_use]
    pub fn next_suspect(&self, block: &[u8], from: usize) -> Option<Range<usize>> {
        self.shared.scan.next_line(block, from)
    }

    /// Redacts a whole text of several lines.
    pub fn text(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        self.block(text, &mut out);
        out
    }

    /// Redacts a chunk of a stream; the last line stays here until it is whole.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        if !self.tail.is_empty() {
            let end = memchr::memchr(b'\n', chunk).map(|at| at + 1);
            let (now, later) = chunk.split_at(end.unwrap_or(chunk.len()));
            self.add(now, out);
            chunk = later;
            if end.is_none() {
                return;
            }
            let line = std::mem::take(&mut self.tail);
            self.block(&line, out);
        }
        let whole = memchr::memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        let mut block = &chunk[..whole];
        // Lines beyond the limit go the long way, as they do where they come in parts.
        while let Some(long) = long_line(block, self.max_line) {
            self.block(&block[..long.start], out);
            self.add(&block[long.clone()], out);
            let line = std::mem::take(&mut self.tail);
            self.block(&line, out);
            block = &block[long.end..];
        }
        self.block(block, out);
        self.add(&chunk[whole..], out);
    }

    /// The stream ended: its last line needs no line feed.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.tail);
        self.block(&line, out);
    }

    /// Adds to the unfinished line, and lets its beginning go when it is too long to be kept.
    fn add(&mut self, mut part: &[u8], out: &mut Vec<u8>) {
        while self.tail.len() + part.len() > self.max_line {
            let (now, later) = part.split_at(self.max_line - self.tail.len());
            self.tail.extend_from_slice(now);
            part = later;
            let line = std::mem::take(&mut self.tail);
            let spans = self.spans(&line);
            let mut cut = line.len() - OVERLAP.max(2 * self.shared.exact.longest()).min(line.len() / 2);
            // Nothing is cut in two; what fills the whole part goes as a whole.
            if let Some(across) = spans.iter().find(|span| span.start < cut && cut < span.end) {
                cut = if across.start > 0 { across.start } else { across.end };
            }
            let before: Vec<Span> = spans.into_iter().filter(|span| span.end <= cut).collect();
            self.replace(&line[..cut], &before, out);
            self.tail = line[cut..].to_vec();
        }
        self.tail.extend_from_slice(part);
    }

    /// Redacts whole lines, of which most are clean and copied as they are.
    fn block(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while at < block.len() {
            let suspect = if self.is_within_key() {
                let end = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |end| at + end);
                Some(at..end)
            } else {
                self.next_suspect(block, at)
            };
            let Some(line) = suspect else { break };
            out.extend_from_slice(&block[at..line.start]);
            let feed = usize::from(line.end < block.len());
            let clean = self.line(&block[line.start..line.end + feed]);
            out.extend_from_slice(&clean);
            at = line.end + feed;
        }
        out.extend_from_slice(&block[at..]);
    }

    /// Redacts one line. Lines must come in order: a private key is recognised across them, and its inside
    /// leaves nothing, not even an empty line.
    pub fn line<'t>(&mut self, line: &'t [u8]) -> Cow<'t, [u8]> {
        let mut out = Vec::new();
        let mut text = line;
        match self.pem.step(line) {
            Step::Key => return Cow::Borrowed(&[]),
            Step::EndsAt(at) => {
                text = &line[at..];
                if text.trim_ascii().is_empty() {
                    return Cow::Borrowed(&[]);
                }
            }
            Step::Text => {}
        }
        let spans = self.spans(text);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        self.replace(text, &spans, &mut out);
        // The key's last characters may be in the next line, but this one is a line.
        if self.is_within_key() && line.ends_with(b"\n") {
            out.push(b'\n');
        }
        Cow::Owned(out)
    }

    /// What is secret in a line, apart and in order.
    fn spans(&mut self, line: &[u8]) -> Vec<Span> {
        let shared = Arc::clone(&self.shared);
        let mut hints = std::mem::take(&mut self.hints);
        shared.scan.hints(line, &mut hints);
        let (mut spans, marks) = (Vec::new(), if hints.is_empty() { Vec::new() } else { marks(line) });
        for hint in &hints {
            match hint {
                Hint::Exact => shared.exact.find(line, |start, end, pseudonym| {
                    spans.push(Span { start, end, rule: "exact".into(), pseudonym: Some(pseudonym.into()) });
                }),
                Hint::Pem => self.keys(line, &mut spans),
                Hint::Rule(number) => {
                    let rule = &shared.rules.all()[*number];
                    rule.find(line, |start, end| {
                        for (start, end) in outside(line, &marks, (start, end)) {
                            spans.push(Span { start, end, rule: rule.id.clone(), pseudonym: None });
                        }
                    });
                }
            }
        }
        self.hints = hints;
        merge(spans)
    }

    /// Private keys that begin in this line; the last one may go on in the next.
    fn keys(&mut self, line: &[u8], spans: &mut Vec<Span>) {
        let mut from = 0;
        while let Some(start) = pem::begin(line, from) {
            let end = pem::end(line, start);
            if end.is_none() {
                self.pem = Pem::Within(line.len() - start);
            }
            from = end.unwrap_or(line.len());
            spans.push(Span { start, end: from, rule: "private-key".into(), pseudonym: None });
        }
    }

    fn replace(&mut self, text: &[u8], spans: &[Span], out: &mut Vec<u8>) {
        let mut last = 0;
        for span in spans {
            out.extend_from_slice(&text[last..span.start]);
            let secret = &text[span.start..span.end];
            let pseudonym = span.pseudonym.clone();
            let pseudonym = pseudonym.unwrap_or_else(|| self.shared.key.pseudonym(secret));
            out.extend_from_slice(format!("[REDACTED:{}:{pseudonym}]", span.rule).as_bytes());
            *self.counts.entry(span.rule.clone()).or_default() += 1;
            last = span.end;
        }
        out.extend_from_slice(&text[last..]);
    }
}

/// The first line of `block` that is longer than `max`, without its line feed.
fn long_line(block: &[u8], max: usize) -> Option<Range<usize>> {
    if block.len() <= max {
        return None;
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', block) {
        if end - start > max {
            return Some(start..end);
        }
        start = end + 1;
    }
    None
}

#[cfg(test)]
mod tests;
