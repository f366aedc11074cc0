//! Keeps the text behind each failure signature, so that signatures of near-identical texts can be taken for one.

use std::collections::{BTreeMap, HashMap};

use lib_common::signature::{COMPARED, merge};

/// How many texts are kept, so that memory is bounded. The signatures of later texts are never merged.
pub const KEPT: usize = 4096;

#[derive(Debug, Default)]
pub struct Texts(HashMap<Box<str>, Box<[u8]>>);

impl Texts {
    /// Keeps the beginning of a normalised text, unless it is known.
    pub fn learn(&mut self, signature: &str, text: impl FnOnce() -> Vec<u8>) {
        if self.0.len() < KEPT && !self.0.contains_key(signature) {
            let mut text = text();
            text.truncate(COMPARED);
            self.0.insert(signature.into(), text.into());
        }
    }

    /// Each of these signatures with the name of its group. Signatures of near-identical texts are in one group.
    pub fn groups<'s>(&self, signatures: impl Iterator<Item = &'s str>) -> BTreeMap<String, String> {
        let mut groups: BTreeMap<String, String> =
            signatures.map(|signature| (signature.to_owned(), signature.to_owned())).collect();
        if groups.len() > 1 {
            let known =
                |signature: &String| Some((signature.clone(), self.0.get(signature.as_str())?.to_vec()));
            let texts: BTreeMap<String, Vec<u8>> = groups.keys().filter_map(known).collect();
            groups.extend(merge(&texts));
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_texts_are_one_failure_and_unknown_ones_stay_alone() {
        let mut texts = Texts::default();
        let text =
            |name: &str| format!("{} waiting for the service {name} to answer", "x".repeat(60)).into_bytes();
        texts.learn("a", || text("web"));
        texts.learn("b", || text("app"));
        texts.learn("c", || b"something else".to_vec());
        let groups = |signatures: &[&str]| {
            let names: Vec<String> = texts.groups(signatures.iter().copied()).into_values().collect();
            names.join(" ")
        };
        assert_eq!(groups(&["b", "a", "b"]), "a a");
        assert_eq!(groups(&["d", "b", "c", "a"]), "a a c d");
        assert_eq!(groups(&["b"]), "b");
    }
}
