//! Renders the text of a pull request or comment: what failed, what proves it, what changes, how it was verified. Pure:
//! the same facts give the same text, so that a second run finds nothing to update.

use std::fmt::Write;

use lib_common::record::verdict::{FixOutcome, FlakeVerdict, Tally};
use lib_common::redact::Redactor;

use crate::fix::Fix;
use crate::seen::Seen;

/// A kind of text: its default template, and the name in the hidden line by which such a text is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKind {
    pub template: &'static str,
    name: &'static str,
    /// Whether the hidden line names the patch, because the text belongs to that very patch.
    of_patch: bool,
}

/// The body of a pull request.
pub const PULL: TextKind =
    TextKind { template: include_str!("template.md"), name: "redfix-fix", of_patch: true };
/// A comment that explains what a fix would change.
pub const COMMENT: TextKind =
    TextKind { template: include_str!("comment.md"), name: "redfix-comment", of_patch: false };

/// Longest diff that is shown, in bytes.
const MAX_DIFF: usize = 20_000;
/// Most runs, and most paths, that are listed one by one.
const MAX_RUNS: usize = 60;

/// What the text is made from.
pub struct Facts<'a> {
    pub fix: &'a Fix,
    /// `<recipe>/<fix-id>`
    pub fix_id: &'a str,
    pub patch: &'a str,
    pub paths: &'a [String],
    pub diff: &'a str,
    pub cases: &'a [String],
    pub seen: &'a Seen,
    pub no_verdict: bool,
    pub upstream_issue: Option<&'a str>,
}

/// Fills the template in and adds the hidden line by which the fix is found again. `secrets` are redacted.
#[must_use]
pub fn render(kind: TextKind, template: &str, facts: &Facts, secrets: &[&str]) -> String {
    let upstream = facts.upstream_issue.map_or(String::new(), |url| format!("\nTracked upstream: {url}\n"));
    let body = [
        ("{title}", facts.fix.title.clone()),
        ("{explanation}", facts.fix.explanation.clone()),
        ("{cases}", cases(facts)),
        ("{evidence}", evidence(facts)),
        ("{fix}", fix(facts)),
        ("{diff}", diff(facts.diff)),
        ("{verified}", verified(facts)),
        ("{upstream}", upstream),
    ];
    verbatim(kind, &fill(template, &body), facts, secrets)
}

/// The text as it is, but redacted, and with the hidden line. If no verdict supports the fix, the text says so, even one
/// that the user wrote.
#[must_use]
pub fn verbatim(kind: TextKind, text: &str, facts: &Facts, secrets: &[&str]) -> String {
    let mut clean = redacted(text, secrets);
    if facts.no_verdict && !clean.contains(NO_VERDICT) {
        clean = format!("{NO_VERDICT}\n\n{clean}");
    }
    format!("{}\n\n{}\n", clean.trim_end(), mark(kind, facts))
}

/// The hidden line, an HTML comment.
#[must_use]
pub fn mark(kind: TextKind, facts: &Facts) -> String {
    let TextKind { name, of_patch, .. } = kind;
    let patch = if of_patch { format!(" patch={}", facts.patch) } else { String::new() };
    format!("<!-- {name} {}{patch} -->", facts.fix_id)
}

const NO_VERDICT: &str = "**Opened without a verdict that supports it** (`--no-verdict`).";

/// Whether we wrote this body, for this fix.
#[must_use]
pub fn is_ours(body: &str, fix_id: &str) -> bool {
    body.contains(&format!("<!-- redfix-fix {fix_id} "))
}

/// Replaces placeholders in one pass, so that a value that looks like a placeholder is not replaced.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    // One pass, so that placeholders in a value are not replaced again.
    let (mut out, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let hit = values.iter().find(|(name, _)| rest.starts_with(name));
        let (text, used) = hit.map_or(("{", 1), |(name, value)| (value.as_str(), name.len()));
        out.push_str(text);
        rest = &rest[used..];
    }
    out + rest
}

/// The text, redacted. The pseudonyms of secrets are left out: they differ in every process, so the text would differ
/// each time.
#[must_use]
pub fn redacted(text: &str, secrets: &[&str]) -> String {
    let clean = Redactor::new(secrets).text(text.as_bytes());
    let clean = String::from_utf8_lossy(&clean);
    let mut parts = clean.split("[REDACTED:");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |mut out, part| {
        let rule = part.split([':', ']']).next().unwrap_or("");
        let rest = part.split_once(']').map_or("", |(_, rest)| rest);
        let _ = write!(out, "[REDACTED:{rule}]{rest}");
        out
    })
}

fn cases(facts: &Facts) -> String {
    let mut out = String::new();
    if facts.no_verdict {
        let _ = write!(out, "{NO_VERDICT}\n\n");
    }
    for case in facts.cases {
        let _ = writeln!(out, "- `{case}`");
        if let Some(message) = facts.seen.messages.get(case) {
            let line: String = message.lines().next().unwrap_or("").chars().take(300).collect();
            let _ = writeln!(out, "  - the sweep saw: {}", code(&line));
        }
        if let Some(verdict) = facts.seen.verdicts.get(case) {
            out.push_str(&of_verdict(verdict));
        }
    }
    if facts.cases.is_empty() { out + "No case is named." } else { out.trim_end().to_owned() }
}

fn of_verdict(verdict: &FlakeVerdict) -> String {
    let (isolated, loaded) = (tally(verdict.isolated), tally(verdict.loaded));
    let mut out = format!(
        "  - verdict: **{}**, cause: **{}** (isolated: {isolated}; loaded: {loaded})\n",
        verdict.verdict.word(),
        verdict.cause.word(),
    );
    if let Some(by) = &verdict.shown_by {
        let _ = writeln!(
            out,
            "  - shown by: `{}` = {} is red, {} is green (likelihood ratio {:.1})",
            by.factor,
            code(&by.red),
            code(&by.green),
            by.ratio
        );
    }
    let _ = writeln!(out, "  - {}", verdict.sentence.replace('\n', " "));
    out
}

fn evidence(facts: &Facts) -> String {
    let mut out = String::new();
    let verdicts = facts.cases.iter().filter_map(|case| facts.seen.verdicts.get(case));
    let mut attempts: Vec<&String> = verdicts.flat_map(|verdict| &verdict.attempts).collect();
    attempts.sort();
    attempts.dedup();
    for id in attempts.iter().take(MAX_RUNS) {
        let run = facts.seen.runs.get(*id);
        let condition = run.map_or("not seen", |run| if run.isolated { "isolated" } else { "loaded" });
        let hash = run.and_then(|run| run.blake3.as_deref()).unwrap_or("none");
        let _ = writeln!(out, "- run `{id}`, {condition}, evidence blake3 `{hash}`");
    }
    if attempts.len() > MAX_RUNS {
        let _ = writeln!(out, "- and {} more in the ledger", attempts.len() - MAX_RUNS);
    }
    if out.is_empty() { "No run is known.".into() } else { out.trim_end().to_owned() }
}

fn fix(facts: &Facts) -> String {
    let mut out = format!("Patch `{}` (`git patch-id --stable`) changes:\n\n", facts.patch);
    for path in facts.paths.iter().take(MAX_RUNS) {
        let _ = writeln!(out, "- {}", code(path));
    }
    out.trim_end().to_owned()
}

/// The diff as a code block, with a fence longer than any run of backticks in it, so that nothing in it ends the block.
fn diff(text: &str) -> String {
    let mut end = text.len().min(MAX_DIFF);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // A fence that is longer than every run of backquotes in the diff cannot be ended by the diff.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let cut = if end < text.len() { "\n(cut here)" } else { "" };
    format!("{fence}diff\n{}\n{fence}{cut}", text[..end].trim_end())
}

fn verified(facts: &Facts) -> String {
    let mut out = String::new();
    for case in facts.cases {
        let Some(verdict) = facts.seen.fixes.get(&(case.clone(), facts.patch.to_owned())) else { continue };
        let word = match verdict.verdict {
            FixOutcome::Fixed => "fixed",
            FixOutcome::NotFixed => "not fixed",
            FixOutcome::Inconclusive => "not decided yet",
        };
        let (before, after) = (tally(verdict.before), tally(verdict.after));
        let _ = writeln!(out, "- `{case}`: **{word}** (before: {before}; with the patch: {after})");
        let _ = writeln!(out, "  - {}", verdict.sentence.replace('\n', " "));
    }
    if out.is_empty() { "Not verified by runs yet.".into() } else { out.trim_end().to_owned() }
}

fn tally(tally: Tally) -> String {
    format!("{} red, {} green", tally.fail, tally.pass)
}

/// Foreign text as a code span, in which nothing is markup and nobody gets mentioned.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::record::verdict::Route;

    #[test]
    fn values_are_not_filled_again() {
        let values = [("{a}", "{b}".to_owned()), ("{b}", "x".to_owned())];
        assert_eq!(fill("{a} {b} {c} {", &values), "{b} x {c} {");
    }

    #[test]
    fn the_same_twice_and_no_secret() {
        let fix = Fix {
            id: "f".into(),
            recipe: None,
            change: crate::fix::Change::Patch(vec![]),
            route: Route::HarnessPr,
            title: "use hunter22hunter".into(),
            explanation: "POSTGRES_PASSWORD=s3cretvalue".into(),
        };
        let seen = Seen::default();
        let (paths, cases) = (["m/a`b".to_owned()], ["m@1/x".to_owned()]);
        let facts = Facts {
            fix: &fix,
            fix_id: "m/f",
            patch: "p1",
            paths: &paths,
            diff: "+ ```\n",
            cases: &cases,
            seen: &seen,
            no_verdict: true,
            upstream_issue: Some("https://up/1"),
        };
        let text = render(PULL, PULL.template, &facts, &["hunter22hunter"]);
        assert_eq!(text, render(PULL, PULL.template, &facts, &["hunter22hunter"]));
        assert!(!text.contains("hunter22hunter") && !text.contains("s3cretvalue"), "{text}");
        assert!(text.contains("[REDACTED:exact]") && text.contains("without a verdict"), "{text}");
        assert!(
            text.contains("`m/a'b`") && text.contains("https://up/1") && !text.contains("{cases}"),
            "{text}"
        );
        assert!(is_ours(&text, "m/f") && !is_ours(&text, "m/g"));
        let comment = render(COMMENT, COMMENT.template, &facts, &["hunter22hunter"]);
        assert!(comment.contains("````diff\n+ ```\n````"), "{comment}");
        assert_eq!(comment.lines().last(), Some("<!-- redfix-comment m/f -->"));
        let own = verbatim(PULL, "Mine, hunter22hunter", &facts, &["hunter22hunter"]);
        assert!(own.starts_with(NO_VERDICT) && own.contains("Mine, [REDACTED:exact]"), "{own}");
    }

    #[test]
    fn a_diff_is_cut_between_characters() {
        let long = "é".repeat(MAX_DIFF);
        assert!(diff(&long).ends_with("```\n(cut here)") && diff(&long).len() < MAX_DIFF + 40);
    }
}
