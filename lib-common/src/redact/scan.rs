//! The fast pass: one automaton over whole buffers finds the lines that may hold a secret.
//!
//! It searches for the keywords of all rules, the stems of names and commands, `://`, the first line of a PEM block and
//! the first bytes of every known value, in upper and lower case. Most lines of a log have none of these and are not examined any further.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};
use memchr::{memchr, memrchr};

use super::rule::Rule;
use super::words::LISTS;

/// How many bytes of a known value are searched for; more would only make the automaton larger.
const PREFIX: usize = 8;
/// Up to this total length of all patterns the automaton is a table, which is twice as fast as the compact form and
/// takes a few MiB.
const MAX_TABLE: usize = 20_000;
const PEM: &[u8] = b"-----begin ";

/// Why a line is suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    Exact,
    Pem,
    Name,
    Url,
    Command,
    Rule(usize),
}

pub(super) struct Scan {
    automaton: Option<AhoCorasick>,
    /// What each pattern hints at.
    hints: Vec<Vec<Hint>>,
    /// The character that must stand behind the pattern, if all rules with this keyword ask for the same one.
    also: Vec<Option<u8>>,
}

impl Scan {
    pub fn new<'e>(rules: &[Rule], exact: impl Iterator<Item = &'e [u8]>) -> Self {
        let mut patterns: BTreeMap<Vec<u8>, Vec<Hint>> = BTreeMap::new();
        let mut add = |pattern: &[u8], hint: Hint| {
            let hints = patterns.entry(pattern.to_ascii_lowercase()).or_default();
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        };
        add(PEM, Hint::Pem);
        add(b"://", Hint::Url);
        LISTS.stems.iter().for_each(|stem| add(stem.as_bytes(), Hint::Name));
        LISTS.command_stems.iter().for_each(|word| add(word.as_bytes(), Hint::Command));
        for (number, rule) in rules.iter().enumerate() {
            rule.keywords.iter().for_each(|word| add(word.as_bytes(), Hint::Rule(number)));
        }
        exact.for_each(|form| add(&form[..form.len().min(PREFIX)], Hint::Exact));
        let total: usize = patterns.keys().map(Vec::len).sum();
        let kind = if total <= MAX_TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(kind)).build(patterns.keys()).ok();
        let hints: Vec<Vec<Hint>> = patterns.into_values().collect();
        let needs = |hint: &Hint| match hint {
            Hint::Rule(number) => rules[*number].also,
            Hint::Url => Some(b'@'),
            _ => None,
        };
        let also = hints.iter().map(|hints| {
            let first = needs(hints.first()?)?;
            hints.iter().all(|hint| needs(hint) == Some(first)).then_some(first)
        });
        Self { automaton, also: also.collect(), hints }
    }

    /// The next suspicious line of `block` at or behind `from`, without its line feed.
    pub fn next_line(&self, block: &[u8], from: usize) -> Option<Range<usize>> {
        let mut from = from;
        let automaton = self.automaton.as_ref()?;
        // The end of the line that is being read, and a character that it has not behind `from`: both are searched for
        // once, however many patterns the line has.
        let (mut end, mut absent) = (from, None);
        loop {
            let found = automaton.find(Input::new(block).span(from..block.len()))?;
            if found.end() > end {
                end = memchr(b'\n', &block[found.end()..]).map_or(block.len(), |at| found.end() + at);
                absent = None;
            }
            let wanted = self.also[found.pattern().as_usize()];
            let has = |byte| absent != Some(byte) && memchr(byte, &block[found.end()..end]).is_some();
            if wanted.is_none_or(has) {
                let start = memrchr(b'\n', &block[..found.start()]).map_or(0, |at| at + 1);
                return Some(start..end);
            }
            absent = wanted;
            // Another pattern may begin within this match, so the search goes on at its second byte.
            from = found.start() + 1;
        }
    }

    /// Everything that `line` hints at, each once, in order.
    pub fn hints(&self, line: &[u8], hints: &mut Vec<Hint>) {
        hints.clear();
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_overlapping_iter(line) {
            hints.extend(&self.hints[found.pattern().as_usize()]);
        }
        hints.sort_unstable();
        hints.dedup();
    }
}
