//! Rules that find secrets by regular expressions. They are read from TOML in the form of gitleaks, and each expression
//! is compiled when it is first needed, because most never are.

use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::value::is_random;
use crate::error::{Error, Result};

/// A set of rules. Cheap to clone.
#[derive(Clone)]
pub struct Rules(Arc<Vec<Rule>>);

pub(super) struct Rule {
    pub id: String,
    /// In lower case. The rule is tried only on lines that have one of them.
    pub keywords: Vec<String>,
    /// If given, this character must also stand somewhere behind the keyword.
    pub also: Option<u8>,
    pattern: String,
    regex: OnceLock<Option<Regex>>,
    secret_group: usize,
    entropy: f64,
    stopwords: Vec<String>,
    /// The secret must look like one.
    random: bool,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rules: Vec<Row>,
}

/// What is read of a rule in a file. The other fields that gitleaks has only make a rule match less, so that without
/// them too much is redacted rather than too little.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    regex: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    also: Option<String>,
    #[serde(default)]
    secret_group: usize,
    #[serde(default)]
    entropy: f64,
    /// Ours, not of gitleaks.
    #[serde(default)]
    random: bool,
    #[serde(default)]
    allowlists: Vec<Allow>,
}

#[derive(Deserialize)]
struct Allow {
    #[serde(default)]
    stopwords: Vec<String>,
}

static BUILTIN: LazyLock<Rules> =
    LazyLock::new(|| Rules(Arc::new(parse(include_str!("rules.toml")).unwrap_or_default())));

impl Rules {
    /// The rules that are part of this program.
    #[must_use]
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// The rules that are part of this program, and those of a file. A rule that does not compile is an error.
    pub fn with_file(path: &Path) -> Result<Self> {
        let fail = |cause: String| Error::cannot("reading redaction rules", cause).on(path.display());
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        let own = parse(&text).map_err(fail)?;
        for rule in &own {
            compile(&rule.pattern).map_err(|e| fail(format!("rule {}: {e}", rule.id)))?;
            if rule.keywords.is_empty() {
                return Err(fail(format!("rule {}: no keywords", rule.id)).hint(
                    "give it the words that a line must have: without one its regex would run on every line",
                ));
            }
        }
        let mut rules = parse(include_str!("rules.toml")).map_err(fail)?;
        rules.extend(own);
        Ok(Self(Arc::new(rules)))
    }

    pub(super) fn all(&self) -> &[Rule] {
        &self.0
    }
}

fn parse(text: &str) -> std::result::Result<Vec<Rule>, String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string().replace('\n', " "))?;
    let rule = |row: Row| {
        let also = row.also.as_deref().map(str::as_bytes);
        Some(Rule {
            also: also.and_then(|bytes| bytes.first().copied()),
            // gitleaks has rules about names of files, without `regex`. They do not apply to text.
            pattern: row.regex?,
            id: row.id,
            keywords: row.keywords.iter().map(|word| word.to_ascii_lowercase()).collect(),
            regex: OnceLock::new(),
            secret_group: row.secret_group,
            entropy: row.entropy,
            stopwords: row.allowlists.into_iter().flat_map(|allow| allow.stopwords).collect(),
            random: row.random,
        })
    };
    Ok(file.rules.into_iter().filter_map(rule).collect())
}

/// Compiles with ASCII classes: with Unicode ones a large set of rules takes half a gigabyte of memory.
fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    RegexBuilder::new(pattern).unicode(false).build().map_err(|e| e.to_string().replace('\n', " "))
}

impl Rule {
    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| compile(&self.pattern).ok()).as_ref()
    }

    /// Where `line` holds secrets by this rule.
    pub fn find(&self, line: &[u8], mut on: impl FnMut(usize, usize)) {
        let Some(regex) = self.regex().filter(|regex| regex.is_match(line)) else { return };
        for captures in regex.captures_iter(line) {
            if let Some((start, end)) = self.secret(line, &captures) {
                on(start, end);
            }
        }
    }

    /// Which part of a match is the secret: a group by name, else `secretGroup`, else the first group that matched,
    /// else the whole match. `None` if the rule's other conditions are not met.
    fn secret(&self, line: &[u8], captures: &Captures) -> Option<(usize, usize)> {
        let found = captures.name("secret");
        let found =
            found.or_else(|| (self.secret_group > 0).then(|| captures.get(self.secret_group)).flatten());
        let found = found.or_else(|| captures.iter().skip(1).flatten().find(|group| !group.is_empty()));
        let found = found.or_else(|| captures.get(0))?;
        let secret = &line[found.range()];
        if self.entropy > 0.0 && entropy(secret) < self.entropy {
            return None;
        }
        let text = String::from_utf8_lossy(secret);
        if self.stopwords.iter().any(|word| text.to_lowercase().contains(&word.to_lowercase())) {
            return None;
        }
        if self.random && !is_random(&text) {
            return None;
        }
        Some((found.start(), found.end()))
    }
}

/// Shannon entropy in bits a byte.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let part = |count: &u32| {
        let p = f64::from(*count) / total;
        -p * p.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_has_keywords() {
        let rules = Rules::builtin();
        assert!(rules.all().len() > 25, "rules.toml was read");
        for rule in rules.all() {
            compile(&rule.pattern).unwrap_or_else(|e| panic!("{}: {e}", rule.id));
            assert!(!rule.keywords.is_empty(), "{}", rule.id);
        }
        let mut ids: Vec<&str> = rules.all().iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }

    #[test]
    fn a_file_of_rules_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Rules::with_file(&path).map(|rules| rules.all().len()).map_err(|e| e.to_string())
        };
        let builtin = Rules::builtin().all().len();
        assert_eq!(read("[[rules]]\nid='x'\nregex='a(b+)'\nkeywords=['ab']\n"), Ok(builtin + 1));
        assert_eq!(read("title='gitleaks'\n[[rules]]\nid='p'\npath='x$'\n"), Ok(builtin));
        for (text, says) in [
            ("[[rules]]\nid='x'\nregex='a(b'\nkeywords=['ab']\n", "rule x: regex parse error"),
            ("[[rules]]\nid='x'\nregex='ab'\n", "no keywords"),
            ("[[rules]]\nregex='ab'\n", "missing field"),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{:?}", read(text));
        }
    }

    #[test]
    fn randomness_is_measured() {
        assert!(entropy(b"aaaaaaaa") < 0.1 && entropy(b"abcdefgh") > 2.9);
    }
}
