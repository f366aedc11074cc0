//! The lists of words that names, values and command lines are judged by. They stand in `words.toml`.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

/// Each list is explained where it stands.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lists {
    pub stems: Vec<String>,
    pub secret_parts: Vec<String>,
    pub secret_ends: Vec<String>,
    pub perhaps_ends: Vec<String>,
    pub harmless: HashSet<String>,
    pub about: HashSet<String>,
    pub public: HashSet<String>,
    pub switching: HashSet<String>,
    pub keys: HashSet<String>,
    pub finders: HashSet<String>,
    pub states: HashSet<String>,
    pub prose: HashSet<String>,
    pub methods: HashSet<String>,
    pub switches: HashSet<String>,
    pub ordinary: HashSet<String>,
    pub command_stems: Vec<String>,
}

pub(super) static LISTS: LazyLock<Lists> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Result<Lists, toml::de::Error> {
    toml::from_str(include_str!("words.toml"))
}

/// Whether the list has this text, in any case.
pub(super) fn has(list: &HashSet<String>, text: &str) -> bool {
    list.contains(&*text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_read() {
        let lists = read().unwrap();
        assert!(lists.stems.iter().all(|stem| *stem == stem.to_ascii_lowercase()));
        assert!(lists.finders.is_disjoint(&lists.keys), "a key finds something or opens something");
    }
}
