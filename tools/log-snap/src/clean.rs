//! Redacts everything that comes from outside (log lines, specs, events), and counts the replacements by rule.

use std::collections::BTreeMap;

use lib_common::redact::{Key, Redactor, Rules, is_secret};
use serde_json::Value;

use crate::secrets::is_flag;

/// Replaces a value under a secret-looking name that the redactor left unchanged, because it is too short or too
/// ordinary a word to be searched for everywhere.
const SHORT: &str = "[REDACTED:short]";

/// The redactor of one bundle, with the counts of all its replacements.
pub struct Cleaner {
    redactor: Redactor,
    counts: BTreeMap<String, u64>,
}

impl Cleaner {
    #[must_use]
    pub fn new(secrets: &[Vec<u8>], key: &Key, rules: Rules) -> Self {
        Self { redactor: Redactor::with_rules(secrets, key, rules), counts: BTreeMap::new() }
    }

    /// Whether `text` contains a known secret, in any of the encodings that the redactor knows.
    #[must_use]
    pub fn leaks(&self, text: &[u8]) -> bool {
        self.redactor.leaks(text)
    }

    /// Bytes of the longest encoded form of a secret. Blocks that are checked with [`Cleaner::leaks`] one by one must
    /// overlap by one byte less.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.redactor.longest()
    }

    /// Replacements so far, by rule.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// A redactor for one output (out or err) of one stream. Pass it to [`Cleaner::count`] when the stream is written.
    #[must_use]
    pub fn for_stream(&self) -> Redactor {
        self.redactor.fork()
    }

    pub fn count(&mut self, used: &Redactor) {
        for (rule, count) in used.counts() {
            *self.counts.entry(rule.clone()).or_default() += count;
        }
    }

    /// Redacts a text that does not belong to a stream: an error message, the output of a health probe.
    pub fn text(&mut self, text: &str) -> String {
        let mut redactor = self.redactor.fork();
        let clean = redactor.text(text.as_bytes());
        self.count(&redactor);
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// Redacts `NAME=VALUE`, the form of an environment variable.
    pub fn pair(&mut self, pair: &str) -> String {
        let plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        match pair.split_once('=').filter(|(name, _)| plain(name)) {
            Some((name, value)) => format!("{name}={}", self.named(name, value)),
            // Not a variable: a command line may contain `=` too, and a secret may stand before it.
            None => self.text(pair),
        }
    }

    /// Redacts a command line word by word. The word after `--password` is treated as a value under that name.
    pub fn words<'w>(&mut self, words: impl Iterator<Item = &'w str>) -> Vec<String> {
        let mut behind = None;
        let mut clean = Vec::new();
        for word in words {
            clean.push(match behind.take() {
                Some(flag) if !word.starts_with('-') => self.named(flag, word),
                _ => self.pair(word),
            });
            behind = Some(word).filter(|word| is_flag(word));
        }
        clean
    }

    /// Redacts a value; `name` says whether the whole value is secret.
    pub fn named(&mut self, name: &str, value: &str) -> String {
        if !is_secret(name, value) {
            return self.text(value);
        }
        let clean = self.text(value);
        if clean != value {
            return clean;
        }
        *self.counts.entry("short".into()).or_default() += 1;
        SHORT.into()
    }

    /// Redacts the engine's JSON: every string in it, by the name of its field. A list of strings is treated as a
    /// command line or as an environment.
    pub fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                self.words(items.iter().filter_map(Value::as_str)).into()
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(map) => {
                let clean = |(name, value): (&String, &Value)| {
                    let value = match value {
                        Value::String(text) => Value::String(self.named(name, text)),
                        other => self.value(other),
                    };
                    (self.text(name), value)
                };
                Value::Object(map.iter().map(clean).collect())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_environment_and_arguments() {
        let mut cleaner = Cleaner::new(&[b"hunter2222".to_vec()], &Key::random(), Rules::builtin());
        let clean = cleaner.value(&json!({
            "Env": ["DB_PASSWORD=hunter2222", "PIN_TOKEN=ab", "HOST=db", "DEBUG_TOKENS=true"],
            "Labels": {"x.secret": "abc", "y": "plain", "z": "has hunter2222 in it"},
            "Args": ["--password", "hunter2222", "echo hunter2222; x=1", "--api-token", "xyz", "--quiet"],
            "Replicas": 3
        }));
        let text = clean.to_string();
        assert!(
            !text.contains("hunter2222")
                && !text.contains("=ab")
                && !text.contains("abc")
                && !text.contains("xyz"),
            "{text}"
        );
        assert_eq!(clean["Args"][5], "--quiet");
        assert_eq!(clean["Env"][1], "PIN_TOKEN=[REDACTED:short]");
        assert_eq!((&clean["Env"][2], &clean["Env"][3]), (&json!("HOST=db"), &json!("DEBUG_TOKENS=true")));
        assert_eq!((&clean["Labels"]["y"], &clean["Replicas"]), (&json!("plain"), &json!(3)));
        assert_eq!(cleaner.counts().get("exact"), Some(&4));
        assert_eq!(cleaner.counts().get("short"), Some(&3));
    }
}
