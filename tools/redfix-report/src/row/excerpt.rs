//! What the newest counted red run of a case said: its failure text, and the end of its log. Pure.

use lib_common::record::verdict::FlakeVerdict;
use serde::Serialize;

use crate::escape::{cut, plain};
use crate::fold::Fold;
use crate::gate::Proofs;

/// Longest line, and most lines: the bundle has the whole.
const LONGEST: usize = 400;
const LINES: usize = 24;

/// Some lines of a log, each without what a terminal or a browser would obey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    pub source: String,
    pub text: String,
}

pub fn of(verdict: &FlakeVerdict, fold: &Fold, proofs: &Proofs) -> Vec<Excerpt> {
    let red = |id: &&String| {
        fold.runs.get(id).is_some_and(|run| fold.runs.sample(run, &verdict.case) == Some(false))
    };
    let Some(id) = verdict.attempts.iter().rev().find(red) else { return Vec::new() };
    let message = fold.runs.message(id, &verdict.case).map(|text| Excerpt {
        source: plain(&format!("failure of run {id}")),
        text: block(&text.lossy(), false),
    });
    let log = proofs.logs.get(id).map(|text| Excerpt {
        source: plain(&format!("end of the log of run {id}")),
        text: block(text, true),
    });
    message.into_iter().chain(log).filter(|excerpt| !excerpt.text.is_empty()).collect()
}

/// The first lines, or the last.
fn block(text: &str, last: bool) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| cut(&plain(line), LONGEST)).filter(|line| !line.is_empty()).collect();
    let range = if last { lines.len().saturating_sub(LINES)..lines.len() } else { 0..lines.len().min(LINES) };
    lines[range].join("\n")
}

#[cfg(test)]
mod tests {
    use super::block;

    #[test]
    fn lines_stay_lines_and_lose_their_harm() {
        assert_eq!(block("a\u{1b}[31mb\u{1b}[0m\r\n\n<x>\n", false), "ab\n<x>");
        let many = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        assert!(block(&many, true).ends_with("\n99") && block(&many, true).starts_with("76\n"));
        assert!(block(&many, false).starts_with("0\n"));
    }
}
