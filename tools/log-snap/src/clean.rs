//! Redaction of everything foreign, and the count of what was replaced.

use std::collections::BTreeMap;

use lib_common::redact::Redactor;
use serde_json::Value;

use crate::secrets::{is_harmless, is_secret_name};

/// Stands for a value under a secret name that is too short to be looked for elsewhere.
const SHORT: &str = "[REDACTED:short]";

pub struct Cleaner {
    redactor: Redactor,
    counts: BTreeMap<String, u64>,
}

impl Cleaner {
    #[must_use]
    pub fn new(secrets: &[Vec<u8>]) -> Self {
        Self { redactor: Redactor::new(secrets), counts: BTreeMap::new() }
    }

    /// Replacements so far, by rule.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// A redactor for one output of one stream; give it back to [`Cleaner::count`].
    #[must_use]
    pub fn for_stream(&self) -> Redactor {
        self.redactor.fork()
    }

    pub fn count(&mut self, used: &Redactor) {
        for (rule, count) in used.counts() {
            *self.counts.entry(rule.clone()).or_default() += count;
        }
    }

    /// A text that stands for itself: an error, the output of a probe.
    pub fn text(&mut self, text: &str) -> String {
        let mut redactor = self.redactor.fork();
        let clean = redactor.text(text.as_bytes());
        self.count(&redactor);
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// `NAME=VALUE`, as environments have it.
    pub fn pair(&mut self, pair: &str) -> String {
        let plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        match pair.split_once('=').filter(|(name, _)| plain(name)) {
            Some((name, value)) => format!("{name}={}", self.named(name, value)),
            // A command line holds `=` too, and secrets before it.
            None => self.text(pair),
        }
    }

    /// A value whose name says whether it is secret.
    pub fn named(&mut self, name: &str, value: &str) -> String {
        if !is_secret_name(name) || is_harmless(value.trim()) {
            return self.text(value);
        }
        let clean = self.text(value);
        if clean != value {
            return clean;
        }
        *self.counts.entry("short".into()).or_default() += 1;
        SHORT.into()
    }

    /// The engine's JSON: every string in it, by the name that it stands under; lists of `NAME=VALUE` too.
    pub fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => {
                let clean = |item: &Value| match item {
                    Value::String(text) => Value::String(self.pair(text)),
                    other => self.value(other),
                };
                Value::Array(items.iter().map(clean).collect())
            }
            Value::Object(map) => {
                let clean = |(name, value): (&String, &Value)| {
                    let value = match value {
                        Value::String(text) => Value::String(self.named(name, text)),
                        other => self.value(other),
                    };
                    (name.clone(), value)
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
        let mut cleaner = Cleaner::new(&[b"hunter2222".to_vec()]);
        let clean = cleaner.value(&json!({
            "Env": ["DB_PASSWORD=hunter2222", "PIN_TOKEN=ab", "HOST=db", "DEBUG_TOKENS=true"],
            "Labels": {"x.secret": "abc", "y": "plain", "z": "has hunter2222 in it"},
            "Args": ["--password", "hunter2222", "echo hunter2222; x=1"],
            "Replicas": 3
        }));
        let text = clean.to_string();
        assert!(!text.contains("hunter2222") && !text.contains("=ab") && !text.contains("abc"), "{text}");
        assert_eq!(clean["Env"][1], "PIN_TOKEN=[REDACTED:short]");
        assert_eq!((&clean["Env"][2], &clean["Env"][3]), (&json!("HOST=db"), &json!("DEBUG_TOKENS=true")));
        assert_eq!((&clean["Labels"]["y"], &clean["Replicas"]), (&json!("plain"), &json!(3)));
        assert_eq!(cleaner.counts().get("exact"), Some(&4));
        assert_eq!(cleaner.counts().get("short"), Some(&2));
    }
}
