//! Finds known secrets in a text, in every form that [`encodings`] lists.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::key::Key;
use super::parts::parts;
use super::{MIN_SECRET, encodings};

pub(super) struct Exact {
    automaton: Option<AhoCorasick>,
    /// For each form, the index of its secret.
    owners: Vec<usize>,
    /// For each secret, the pseudonym that stands for all its forms.
    pseudonyms: Vec<String>,
    forms: Vec<Vec<u8>>,
}

impl Exact {
    /// Empty and very short values are left out; the parts of a value are looked for too.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S], key: &Key) -> Self {
        let mut secrets: Vec<Vec<u8>> =
            secrets.iter().map(|secret| secret.as_ref().trim_ascii_end().to_vec()).collect();
        secrets.retain(|secret| secret.len() >= MIN_SECRET);
        let parts: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| parts(secret)).collect();
        secrets.extend(parts);
        secrets.sort_unstable();
        secrets.dedup();
        let (mut forms, mut owners) = (Vec::new(), Vec::new());
        for (owner, secret) in secrets.iter().enumerate() {
            let of_one = encodings::all(secret);
            owners.resize(owners.len() + of_one.len(), owner);
            forms.extend(of_one);
        }
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let automaton = AhoCorasick::builder().kind(kind).build(&forms).ok();
        let pseudonyms = secrets.iter().map(|secret| key.pseudonym(secret)).collect();
        Self { automaton: automaton.filter(|_| !forms.is_empty()), owners, pseudonyms, forms }
    }

    pub fn forms(&self) -> impl Iterator<Item = &[u8]> {
        self.forms.iter().map(Vec::as_slice)
    }

    /// Calls `on` with start, end and pseudonym of every occurrence, overlapping ones too.
    pub fn find<'e>(&'e self, text: &[u8], mut on: impl FnMut(usize, usize, &'e str)) {
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_overlapping_iter(text) {
            let owner = self.owners[found.pattern().as_usize()];
            on(found.start(), found.end(), &self.pseudonyms[owner]);
        }
    }

    pub fn is_in(&self, text: &[u8]) -> bool {
        self.automaton.as_ref().is_some_and(|automaton| automaton.is_match(text))
    }

    /// Length of the longest form.
    pub fn longest(&self) -> usize {
        self.forms.iter().map(Vec::len).max().unwrap_or(0)
    }
}
