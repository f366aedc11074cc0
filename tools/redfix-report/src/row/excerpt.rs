//! Excerpts of what the newest counted red run of a case left: its failure text and its logs. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::bundles::FirstError;
use crate::escape::{cut, plain};
use crate::fold::{Case, Fold};
use crate::gate::Proofs;
use crate::verdict::newest_red;

/// Longest line, and most lines, of an excerpt. The bundle has all of the log.
const LONGEST: usize = 400;
const LINES: usize = 24;

/// Some lines of a log, without anything that a terminal or a browser would interpret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Excerpt {
    pub source: String,
    pub text: String,
}

pub fn of(case: &Case, fold: &Fold, proofs: &Proofs) -> Vec<Excerpt> {
    let Some(id) = newest_red(case, fold, |_| true) else { return Vec::new() };
    let message = fold.runs.message(id, &case.key).map(|text| Excerpt {
        source: plain(&format!("failure of run {id}")),
        text: block(&text.lossy(), false),
    });
    let log = proofs.logs.get(id).map(|text| Excerpt {
        source: plain(&format!("end of the log of run {id}")),
        text: block(text, true),
    });
    let first = with_bundle(case, fold, proofs).and_then(|(id, first)| {
        let first = first.as_ref().ok()?;
        let (id, service) = (plain(id), plain(&first.service));
        Some(Excerpt {
            source: format!("log of {service} in run {id}, from its first error on"),
            text: block(&first.log, false),
        })
    });
    message.into_iter().chain(first).chain(log).filter(|excerpt| !excerpt.text.is_empty()).collect()
}

/// The first error in the logs of the newest counted red run that has a bundle, in one line.
pub fn first_error(case: &Case, fold: &Fold, proofs: &Proofs) -> String {
    match with_bundle(case, fold, proofs) {
        None => "no log bundle of a red run".into(),
        Some((_, Err(why))) => plain(&format!("not known: {why}")),
        Some((_, Ok(first))) => {
            let (at, service, text) =
                (plain(&first.at), plain(&first.service), cut(&plain(&first.text), LONGEST));
            format!("{service} {at}: {text} ({})", plain(&first.why))
        }
    }
}

fn with_bundle<'a>(
    case: &'a Case,
    fold: &'a Fold,
    proofs: &'a Proofs,
) -> Option<(&'a str, &'a Result<FirstError, String>)> {
    let id = newest_red(case, fold, |id| fold.runs.snap(id).is_some())?;
    Some((id, proofs.first_errors.get(id)?))
}

/// The first lines of a text, or the last ones.
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
