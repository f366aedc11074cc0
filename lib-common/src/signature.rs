//! Failure signatures: the text of a failure with everything masked that differs between two runs of the
//! same failure, hashed. Supporting evidence only: a signature never decides (see `flake-classify(1)`).
//!
//! Masks cannot know every name that a run makes up, so texts that differ by little can be merged afterwards.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// What is masked, in this order; each match becomes `%`.
const MASKS: &[&str] = &[
    // marks of the redactor, whose pseudonyms differ from process to process
    r"\[REDACTED:[a-z-]+:[0-9a-f]{8}\]",
    // ISO dates with or without a time
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?)?",
    // UUIDs
    r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    // engine object ids (25 characters) and ULIDs (26)
    r"\b[0-9a-z]{25}\b|\b[0-9A-HJKMNP-TV-Z]{26}\b",
    // hexadecimal of 7 or more with at least one digit, and 0x...
    r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]*\d[0-9a-f]{6,}\b",
    // paths below scratch folders
    r"/(tmp|var/tmp|run)/[^\s:'\x22]+",
    // numbers, also inside words (ports, counters, durations)
    r"\d+(\.\d+)*",
];

static MASKING: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    MASKS.iter().filter_map(|mask| RegexBuilder::new(mask).unicode(false).build().ok()).collect()
});

/// The masked text, with lines trimmed, white space folded and repeated lines dropped.
#[must_use]
pub fn normalise(text: &[u8]) -> Vec<u8> {
    let mut masked = text.to_vec();
    for mask in MASKING.iter() {
        masked = mask.replace_all(&masked, b"%".as_slice()).into_owned();
    }
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in masked.split(|byte| *byte == b'\n') {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        let line = words.join(&b' ');
        if !line.is_empty() && lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join(&b'\n')
}

/// 16 hex digits that are equal for equal failures.
#[must_use]
pub fn signature(text: &[u8]) -> String {
    blake3::hash(&normalise(text)).to_hex()[..16].to_string()
}

/// How many bytes of a text are compared when signatures are merged: the time grows with their product.
pub const COMPARED: usize = 1024;

/// How many signatures one merge compares, the first in their order; each of the others stays a group of its own. The
/// time grows with the square of this number.
pub const MERGED: usize = 64;

/// Finds groups of near-identical texts. `texts` are normalised ones by their signature; the result maps each signature
/// to the first one, in their order, of its group.
///
/// Two texts are near if their edit distance is below a tenth of their mean length; a group is everything that is
/// connected by such pairs. So the outcome depends on the texts alone, not on the order in which they came.
#[must_use]
pub fn merge(texts: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let all: Vec<(&String, &[u8])> = texts.iter().map(|(key, text)| (key, compared(text))).collect();
    let looked_at = all.len().min(MERGED);
    // The number of a group is that of its first member, so that joining two groups keeps the smaller number.
    let mut group: Vec<usize> = (0..all.len()).collect();
    for one in 0..looked_at {
        for other in one + 1..looked_at {
            if group[one] != group[other] && is_near(all[one].1, all[other].1) {
                let (keep, drop) = (group[one].min(group[other]), group[one].max(group[other]));
                group.iter_mut().filter(|name| **name == drop).for_each(|name| *name = keep);
            }
        }
    }
    all.iter().zip(group).map(|((key, _), name)| ((*key).clone(), all[name].0.clone())).collect()
}

fn compared(text: &[u8]) -> &[u8] {
    &text[..text.len().min(COMPARED)]
}

fn is_near(one: &[u8], other: &[u8]) -> bool {
    // The distance is at least the difference in length, which is cheap to compare first.
    let limit = one.len() + other.len();
    let below = |distance: usize| distance * 20 < limit;
    one == other
        || below(one.len().abs_diff(other.len()))
            && below(strsim::generic_levenshtein(&Bytes(one), &Bytes(other)))
}

/// `strsim` takes references to sized types whose references can be iterated; a slice is not sized.
struct Bytes<'a>(&'a [u8]);

impl<'b> IntoIterator for &'b Bytes<'_> {
    type Item = &'b u8;
    type IntoIter = std::slice::Iter<'b, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_compiles() {
        assert_eq!(MASKING.len(), MASKS.len());
    }

    #[test]
    fn what_varies_between_runs_is_masked() {
        let a = b"2026-06-17T18:05:01Z dial tcp 10.0.3.17:64738: connection refused (attempt 3, 1.25s)";
        let b = b"2026-06-18T02:11:40Z dial tcp 10.0.9.2:64738: connection refused (attempt 11, 30.1s)";
        assert_eq!(signature(a), signature(b));
        assert_ne!(signature(a), signature(b"dial tcp: i/o timeout"));
    }

    #[test]
    fn what_was_redacted_differs_between_runs_too() {
        let [one, two] = ["deadbeef", "feedface"]
            .map(|pseudonym| signature(format!("login [REDACTED:key-name:{pseudonym}] failed").as_bytes()));
        assert_eq!(one, two);
    }

    /// The group of each text, as numbers in the order of the texts.
    fn groups(texts: &[&str]) -> Vec<usize> {
        let keyed: BTreeMap<String, Vec<u8>> =
            texts.iter().map(|text| (signature(text.as_bytes()), normalise(text.as_bytes()))).collect();
        let merged = merge(&keyed);
        let mut names: Vec<&String> = Vec::new();
        let group = |text: &&str| {
            let name = &merged[&signature(text.as_bytes())];
            names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        texts.iter().map(group).collect()
    }

    const NEAR: [&str; 4] = [
        "timeout: no answer from the channel Root of the server murmur after the handshake was completed",
        "timeout: no answer from the channel Lobby of the server murmur after the handshake was completed",
        "connection refused",
        "timeout: no answer from the channel Roof of the server murmur after the handshake was completed",
    ];

    #[test]
    fn near_identical_texts_are_one_and_others_are_not() {
        assert_eq!(groups(&NEAR), [0, 0, 1, 0]);
        assert_eq!(groups(&["abc", "xyz"]), [0, 1], "short texts differ by much at once");
        assert_eq!(groups(&["", "x"]), [0, 1]);
        assert!(merge(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn what_hangs_together_is_one_group_whatever_the_order() {
        let text = |changed: usize| {
            let mut text = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz".repeat(2).into_bytes();
            text[..changed].fill(b'#');
            String::from_utf8(text).unwrap()
        };
        // 104 letters: 8 apart is near, 16 apart is not, but one is between them.
        let chain = [text(0), text(8), text(16)];
        assert_eq!(groups(&[&chain[0], &chain[2]]), [0, 1]);
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            assert_eq!(groups(&order.map(|at| chain[at].as_str())), [0, 0, 0]);
        }
    }
}
