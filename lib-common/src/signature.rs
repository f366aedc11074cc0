//! Failure signatures: the text of a failure with everything masked that differs between two runs of the
//! same failure, hashed. Supporting evidence only: a signature never decides (see `flake-classify(1)`).

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// What is masked, in this order; each match becomes `%`.
const MASKS: &[&str] = &[
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

/// The masked text: lines trimmed, white space folded, repeated lines dropped.
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
}
