//! Writes the journal: a line for each thing that happened, in the order of the records. Lines are only ever added.
//! Pure.

use std::collections::BTreeSet;

use lib_common::record::Known;
use lib_common::record::pr::SkipState;

use crate::duration::duration;
use crate::escape::{cut, markdown, plain};
use crate::runs::level;

/// Longest line, in characters before escaping.
const LONGEST: usize = 240;

/// A line of Markdown for a record of something that was done; `None` for any other record.
#[must_use]
pub fn line(ts: &str, body: &Known) -> Option<String> {
    told(body).map(|text| written(ts, &text))
}

fn written(ts: &str, text: &str) -> String {
    format!("- {}: {}", markdown(&plain(ts)), markdown(&cut(&plain(text), LONGEST)))
}

fn told(body: &Known) -> Option<String> {
    Some(match body {
        Known::CaseFailed(failed) => format!("{} failed, says {}", failed.case, failed.source),
        Known::DomainLeased(leased) => format!("{} leased {}", leased.holder, leased.domain),
        Known::RunFinished(run) => {
            let (load, fix) = (level(&run.factors, "load"), level(&run.factors, "fix"));
            let doubt = if run.isolation.proved { "" } else { ", not proved" };
            let (outcome, took) = (run.outcome.word(), duration(run.duration_ms));
            format!("{} {load} fix={fix}: {outcome} after {took}{doubt} ({})", run.recipe, run.attempt_id)
        }
        Known::FlakeVerdict(verdict) => format!("{}: {}", verdict.case, verdict.sentence),
        Known::FixVerdict(fix) => format!("{}: {}", fix.case, fix.sentence),
        Known::PrOpened(opened) => {
            format!("{}#{} {}: {}", opened.repo, opened.number, opened.action.word(), opened.title)
        }
        Known::PrCommented(comment) => {
            let (repo, number, word) = (&comment.repo, comment.number, comment.action.word());
            format!("comment on {repo}#{number} {word}: {}", comment.fix_id)
        }
        Known::PrSkipped(skip) => match skip.state {
            SkipState::NothingToDo => format!("{} has {} already", skip.base, skip.fix_id),
            SkipState::Closed => format!("{} {} was closed without a merge", skip.repo, skip.fix_id),
        },
        Known::PrChecked(checked) => {
            format!("{}#{} is {}", checked.repo, checked.number, checked.state.word())
        }
        Known::CanonPromoted(promoted) => {
            let kind = if promoted.trial { "as a trial" } else { "released" };
            format!("{} {} promoted {kind} on {}", promoted.recipe, promoted.version, promoted.domain)
        }
        Known::ReviewRecorded(review) => {
            let word = if review.pass { "PASS" } else { "FAIL" };
            format!("{} {word} by {}", review.gate, review.reviewer)
        }
        _ => return None,
    })
}

/// `before`, followed by those of `lines` that it does not have yet, in their order.
#[must_use]
pub fn grown(before: &str, lines: &[String]) -> String {
    let mut held: BTreeSet<&str> = before.lines().collect();
    let new = lines.iter().filter(|line| held.insert(line));
    new.fold(before.to_owned(), |grown, line| grown + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_grows_and_nothing_is_told_twice() {
        let lines = ["- a".to_owned(), "- b".to_owned(), "- a".to_owned()];
        let once = grown("- old\n", &lines);
        assert_eq!(once, "- old\n- a\n- b\n");
        assert_eq!(grown(&once, &lines), once);
        assert_eq!(grown(&once, &[]), once);
    }

    #[test]
    fn hostile_words_end_no_section() {
        assert!(!written("<!-- redfix:end journal -->", "<!-- redfix:end journal -->\n# x").contains('<'));
    }
}
