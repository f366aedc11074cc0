//! Takes secrets out of foreign text before it is written anywhere.
//!
//! It finds secrets by the values that the caller knows (their encodings and parts too), by names such as `password` in
//! front of a value, in URLs and command lines, and by rules for the forms of tokens ([`Rules`]). A secret becomes
//! `[REDACTED:<rule>:<pseudonym>]`; the pseudonym is a keyed hash, so that equal secrets stay equal and a weak one
//! cannot be guessed from the text.
//!
//! [`Redactor::line`] and [`Redactor::text`] take whole lines; [`Redactor::push`] takes chunks as they come, and its
//! output does not depend on how the text is cut into chunks.

mod behind;
mod commands;
mod encodings;
mod exact;
mod header;
mod key;
mod named;
mod names;
mod parts;
mod pem;
mod rule;
mod scan;
mod spans;
mod urls;
mod value;
mod values;
mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use exact::Exact;
pub use key::Key;
pub use named::is_secret;
pub use names::is_secret_name;
use pem::{Pem, Step};
pub use rule::Rules;
use scan::{Hint, Scan};
use spans::{Span, marks, merge, outside};
pub use value::is_ordinary;

/// Values shorter than this are too common to replace everywhere.
pub const MIN_SECRET: usize = 5;
/// A longer line is redacted in parts, so that memory stays bounded.
const MAX_LINE: usize = 1 << 20;
/// How many bytes at the end of a part are kept for the next one, so that a secret across their border is seen whole.
const OVERLAP: usize = 16 * 1024;

/// Redacts one stream; [`Redactor::fork`] starts another one with the same secrets and key.
pub struct Redactor {
    shared: Arc<Shared>,
    pem: Pem,
    counts: BTreeMap<String, u64>,
    hints: Vec<Hint>,
    /// The beginning of a line whose end has not come yet.
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
    /// `secrets` are the known values, in any order; those shorter than [`MIN_SECRET`] are left out. Pseudonyms can be
    /// compared within this redactor and its forks only.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        Self::with_key(secrets, &Key::random())
    }

    /// As [`Redactor::new`]; redactors with the same key give a secret the same pseudonym.
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

    /// Whether the text so far ends within a private key block. All lines are then secret until the block ends.
    #[must_use]
    pub fn is_within_key(&self) -> bool {
        self.pem != Pem::Outside
    }

    /// Says that the text which comes next begins within a private key block, whose beginning was not given.
    pub fn begin_within_key(&mut self) {
        self.pem = Pem::Within(0);
    }

    /// Says that the text which comes next begins outside of a private key block.
    pub fn end_of_key(&mut self) {
        self.pem = Pem::Outside;
    }

    /// Whether a known value is in `text`, in any of its forms. Redacted text has none.
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

    /// Length of the longest form of a known value: who looks at a text in parts must let them overlap by this much.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.shared.exact.longest()
    }

    /// The next line of `block` at or behind `from` that may hold a secret, without its line feed. The lines before it
    /// hold none, unless [`Redactor::is_within_key`].
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

    /// Redacts a chunk of a stream. A last line without its line feed is kept until the rest of it comes.
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
        // Too long lines pass through `add` here too, so that they are cut at the same places as when they come in
        // chunks.
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

    /// Redacts what is left at the end of the stream, a last line without a line feed.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.tail);
        self.block(&line, out);
    }

    /// Adds `part` to the unfinished line, and redacts and writes the line's beginning when it gets too long to be
    /// kept.
    fn add(&mut self, mut part: &[u8], out: &mut Vec<u8>) {
        while self.tail.len() + part.len() > self.max_line {
            let (now, later) = part.split_at(self.max_line - self.tail.len());
            self.tail.extend_from_slice(now);
            part = later;
            let line = std::mem::take(&mut self.tail);
            let spans = self.spans(&line);
            let mut cut = line.len() - OVERLAP.max(2 * self.shared.exact.longest()).min(line.len() / 2);
            // The cut must not go through a secret: it moves to the secret's start, or to its end if the secret starts
            // the part.
            if let Some(across) = spans.iter().find(|span| span.start < cut && cut < span.end) {
                cut = if across.start > 0 { across.start } else { across.end };
            }
            let before: Vec<Span> = spans.into_iter().filter(|span| span.end <= cut).collect();
            self.replace(&line[..cut], &before, out);
            self.tail = line[cut..].to_vec();
        }
        self.tail.extend_from_slice(part);
    }

    /// Redacts whole lines. Most hold no secret and are copied as they are.
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

    /// Redacts one line. Lines must come in order, because a private key spans several: its first line becomes the
    /// mark, and of the others nothing is left, not even an empty line.
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
        // The span of an unfinished key also covers the line feed. It is kept, so that what follows starts a line.
        if self.is_within_key() && line.ends_with(b"\n") {
            out.push(b'\n');
        }
        Cow::Owned(out)
    }

    /// The places of secrets in a line, in order and without overlaps.
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
                Hint::Name => named::find(line, add(&mut spans, line, &marks, "key-name")),
                Hint::Url => urls::find(line, add(&mut spans, line, &marks, "url-password")),
                Hint::Command => commands::find(line, add(&mut spans, line, &marks, "command")),
                Hint::Rule(number) => {
                    let rule = &shared.rules.all()[*number];
                    rule.find(line, add(&mut spans, line, &marks, &rule.id));
                }
            }
        }
        self.hints = hints;
        merge(spans)
    }

    /// Adds the private keys that begin in this line. The last of them may go on in the next line.
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

/// Takes places of secrets that `rule` found, without the marks in them.
fn add<'s>(
    spans: &'s mut Vec<Span>,
    line: &'s [u8],
    marks: &'s [(usize, usize)],
    rule: &'s str,
) -> impl FnMut(usize, usize) + 's {
    move |start, end| {
        for (start, end) in outside(line, marks, (start, end)) {
            spans.push(Span { start, end, rule: rule.into(), pseudonym: None });
        }
    }
}

/// The secrets that stand in a text by the rules of this program: what an environment, a configuration or a secret
/// holds may be printed anywhere else.
#[must_use]
pub fn secrets_in(text: &[u8]) -> Vec<Vec<u8>> {
    static RULES_ONLY: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&[""; 0]));
    let mut redactor = RULES_ONLY.fork();
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        found.extend(redactor.spans(line).iter().map(|span| line[span.start..span.end].to_vec()));
    }
    found.retain(|secret| secret.len() >= MIN_SECRET);
    found
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
