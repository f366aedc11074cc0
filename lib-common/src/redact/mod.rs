//! Takes secrets out of foreign text before it is written anywhere.
//!
//! Three tiers: exact values that the caller knows (and their base64, URL and JSON encodings), key names
//! and URL credentials, vendor patterns. A secret becomes `[REDACTED:<rule>:<pseudonym>]`; the pseudonym is
//! a keyed hash, so that equal secrets stay equal and a weak one cannot be guessed from the text.

mod encodings;
mod rules;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use rules::RULES;

/// Values shorter than this are too common to replace everywhere.
pub const MIN_SECRET: usize = 5;

/// Redacts one stream, line by line; [`Redactor::fork`] starts another one with the same secrets and key.
pub struct Redactor {
    shared: Arc<Shared>,
    in_pem: bool,
    counts: BTreeMap<String, u64>,
}

struct Shared {
    exact: Option<AhoCorasick>,
    key: [u8; 32],
}

impl Redactor {
    /// `secrets`: known values, whatever their order; empty and very short ones are left out.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        let mut needles: Vec<Vec<u8>> = secrets
            .iter()
            .map(AsRef::as_ref)
            .filter(|secret| secret.len() >= MIN_SECRET)
            .flat_map(encodings::all)
            .collect();
        needles.sort();
        needles.dedup();
        let exact = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&needles).ok();
        let key = *blake3::hash(crate::new_id().as_bytes()).as_bytes();
        let shared = Arc::new(Shared { exact: exact.filter(|_| !needles.is_empty()), key });
        Self { shared, in_pem: false, counts: BTreeMap::new() }
    }

    /// The same secrets and pseudonyms for another stream, with its own state and counts.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), in_pem: false, counts: BTreeMap::new() }
    }

    /// Replacements so far, by rule.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Redacts a whole text of several lines.
    pub fn text(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            out.extend_from_slice(&self.line(line));
        }
        out
    }

    /// Redacts one line. Lines must come in order: a PEM block is recognised across them.
    pub fn line<'t>(&mut self, line: &'t [u8]) -> Cow<'t, [u8]> {
        if let Some(pem) = self.pem(line) {
            return Cow::Owned(pem);
        }
        let mut text = self.exact(line);
        for rule in RULES.iter() {
            if let Some(changed) = rule.may_match(&text).then(|| self.apply(rule, &text)).flatten() {
                text = Cow::Owned(changed);
            }
        }
        text
    }

    fn exact<'t>(&mut self, line: &'t [u8]) -> Cow<'t, [u8]> {
        let shared = Arc::clone(&self.shared);
        let Some(exact) = &shared.exact else { return Cow::Borrowed(line) };
        let (mut out, mut last) = (Vec::new(), 0);
        for hit in exact.find_iter(line) {
            out.extend_from_slice(&line[last..hit.start()]);
            out.extend_from_slice(&self.mark("exact", &line[hit.range()]));
            last = hit.end();
        }
        if last == 0 {
            return Cow::Borrowed(line);
        }
        out.extend_from_slice(&line[last..]);
        Cow::Owned(out)
    }

    fn apply(&mut self, rule: &rules::Rule, text: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut last) = (Vec::new(), 0);
        for found in rule.regex.captures_iter(text) {
            let Some(secret) = found.name("secret") else { continue };
            if secret.as_bytes().starts_with(b"[REDACTED:") {
                continue;
            }
            out.extend_from_slice(&text[last..secret.start()]);
            out.extend_from_slice(&self.mark(rule.name, secret.as_bytes()));
            last = secret.end();
        }
        (last > 0).then(|| {
            out.extend_from_slice(&text[last..]);
            out
        })
    }

    /// Private key blocks: from BEGIN to END, or to the end of the stream where END never comes.
    fn pem(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let begins =
            !self.in_pem && find(line, b"-----BEGIN ").is_some() && find(line, b"PRIVATE KEY-----").is_some();
        if begins {
            let at = find(line, b"-----BEGIN ").unwrap_or(0);
            self.in_pem = find(line, b"-----END ").is_none();
            let mut out = line[..at].to_vec();
            out.extend_from_slice(&self.mark("private-key", &line[at..]));
            out.push(b'\n');
            return Some(out);
        }
        if !self.in_pem {
            return None;
        }
        self.in_pem = find(line, b"-----END ").is_none();
        Some(Vec::new())
    }

    fn mark(&mut self, rule: &str, secret: &[u8]) -> Vec<u8> {
        *self.counts.entry(rule.to_owned()).or_default() += 1;
        let pseudonym = blake3::keyed_hash(&self.shared.key, secret).to_hex();
        format!("[REDACTED:{rule}:{}]", &pseudonym[..8]).into_bytes()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(secrets: &[&str], text: &str) -> String {
        String::from_utf8(Redactor::new(secrets).text(text.as_bytes())).unwrap()
    }

    #[test]
    fn exact_values_in_every_encoding() {
        let secret = "p\"w/ d+x:é";
        for form in encodings::all(secret.as_bytes()) {
            let mut text = b"before ".to_vec();
            text.extend_from_slice(&form);
            text.extend_from_slice(b" after");
            let out = Redactor::new(&[secret]).text(&text);
            assert!(find(&out, &form).is_none(), "{}", String::from_utf8_lossy(&form));
            assert!(out.starts_with(b"before [REDACTED:exact:"));
        }
    }

    #[test]
    fn the_longest_of_two_secrets_wins() {
        assert!(!redact(&["abcde", "abcdefgh"], "x abcdefgh y").contains("fgh"));
    }

    #[test]
    fn empty_and_short_values_replace_nothing() {
        assert_eq!(redact(&["", "abc"], "abc stays"), "abc stays");
    }

    #[test]
    fn key_names_urls_headers_and_tokens() {
        for (text, secret) in [
            ("POSTGRES_PASSWORD=hunter22 next", "hunter22"),
            ("{\"db_password\": \"hunter22\", \"x\": 1}", "hunter22"),
            ("postgres://bob:hunter22@db:5432/x", "hunter22"),
            ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0"),
        ] {
            let out = redact(&[], text);
            assert!(!out.contains(secret) && out.contains("[REDACTED:"), "{text} -> {out}");
        }
        assert_eq!(redact(&[], "the password was wrong"), "the password was wrong");
    }

    #[test]
    fn a_private_key_over_several_lines() {
        let out = redact(&[], "a\n-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----\nb\n");
        assert!(!out.contains("MIIE") && !out.contains("abcd"), "{out}");
        assert!(out.starts_with("a\n[REDACTED:private-key:") && out.ends_with("]\nb\n"), "{out}");
    }

    #[test]
    fn equal_secrets_stay_equal_and_counts_are_kept() {
        let mut redactor = Redactor::new(&["hunter22"]);
        let one = redactor.text(b"hunter22");
        assert_eq!(one, redactor.fork().text(b"hunter22"));
        assert_eq!(redactor.counts().get("exact"), Some(&1));
    }
}
