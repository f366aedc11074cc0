//! The pattern rules. Each names its secret with the group `secret`; the rest of the match stays readable.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

pub(super) struct Rule {
    pub name: &'static str,
    pub regex: Regex,
    keywords: &'static [&'static str],
}

impl Rule {
    /// Cheap test before the expression runs: one of the keywords occurs, in whatever case.
    pub fn may_match(&self, text: &[u8]) -> bool {
        self.keywords
            .iter()
            .any(|word| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes())))
    }
}

/// Name, keywords of which one must occur, expression.
type Row = (&'static str, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    ("url", &["://"], r"[a-z][a-z0-9+.-]*://(?P<secret>[^/\s:@]*:[^/\s@]+)@"),
    (
        "authorization",
        &["authorization", "bearer "],
        r#"(?i)(?:authorization["']?\s*[:=]\s*["']?(?:basic|bearer|token)|bearer)\s+(?P<secret>[A-Za-z0-9._~+/=-]{5,})"#,
    ),
    (
        "key-name",
        &[
            "passw",
            "passphrase",
            "secret",
            "token",
            "apikey",
            "api_key",
            "api-key",
            "private_key",
            "cookie",
            "dsn",
        ],
        r#"(?i)(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|cookie|dsn)[\w-]*["']?\s*[:=]\s*["']?(?P<secret>[^\s"',;}&]{3,})"#,
    ),
    ("jwt", &["eyj"], r"(?P<secret>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    ("aws-key", &["akia", "asia"], r"(?P<secret>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"),
    (
        "github-token",
        &["ghp_", "gho_", "ghs_", "github_pat_"],
        r"(?P<secret>\b(?:gh[pos]_|github_pat_)[A-Za-z0-9_]{20,})",
    ),
    ("slack-token", &["xox"], r"(?P<secret>\bxox[abprs]-[A-Za-z0-9-]{10,})"),
];

/// ASCII classes only: unicode ones need half a gigabyte for a large rule set.
pub(super) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    ROWS.iter()
        .filter_map(|(name, keywords, pattern)| {
            let regex = RegexBuilder::new(pattern).unicode(false).build().ok()?;
            Some(Rule { name, regex, keywords })
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_names_its_secret() {
        assert_eq!(RULES.len(), ROWS.len());
        assert!(RULES.iter().all(|rule| rule.regex.capture_names().flatten().any(|name| name == "secret")));
    }
}
