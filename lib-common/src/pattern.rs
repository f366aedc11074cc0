//! Patterns of stack names: a command that chooses its stacks' names itself declares them by `--allow stack=PATTERN`.
//! No I/O.

use std::str::FromStr;

use crate::glob;
use crate::swarm::stack::STACK_MAX;

/// A pattern of stack names: `*` stands for any characters, `?` for one. Case does not count, and dots are
/// underscores, so that a domain's pattern is its stack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

/// A pattern must begin with this many characters that are not wildcards. With fewer it would match stacks of others.
const LEAST_PLAIN: usize = 3;

impl Pattern {
    #[must_use]
    pub fn matches(&self, stack: &str) -> bool {
        let name: Vec<u8> = plain(stack).collect();
        glob::matches(&self.0, name)
    }

    /// The matching stack whose object is called `name`. abra creates some objects without a label; only their name,
    /// `<stack>_<name>`, tells whose they are.
    #[must_use]
    pub fn owner<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.match_indices('_').map(|(at, _)| &name[..at]).find(|stack| self.matches(stack))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*?".contains(&byte);
        let literal = text.bytes().take_while(|byte| !b"*?".contains(byte)).count();
        if !text.bytes().all(allowed) || text.len() > 2 * STACK_MAX {
            return Err(format!(
                "a pattern has letters, digits, '-', '_', '.', '*' and '?', at most {} of them",
                2 * STACK_MAX
            ));
        }
        if literal < LEAST_PLAIN {
            return Err(format!(
                "a pattern must start with {LEAST_PLAIN} characters that are not wildcards, \
                 or it matches stacks of others"
            ));
        }
        Ok(Self(plain(text).collect()))
    }
}

fn plain(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| if byte == b'.' { b'_' } else { byte.to_ascii_lowercase() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_domain_pattern_is_its_stacks() {
        let mumb = pattern("mumb-*.ci.example");
        assert!(mumb.matches("mumb-1a2b3c_ci_example") && mumb.matches("MUMB-1.CI.example"));
        for stranger in ["warm-mumb-1_ci_example", "mumb-1_ci_example_app", "mumb-1_ci", "mumb"] {
            assert!(!mumb.matches(stranger), "{stranger}");
        }
        assert!(pattern("abc?").matches("abcd") && !pattern("abc?").matches("abc"));
    }

    #[test]
    fn an_object_without_a_label_is_known_by_its_name() {
        let gite = pattern("gite-??.ci");
        assert_eq!(gite.owner("gite-ab_ci_db_password_v1"), Some("gite-ab_ci"));
        assert_eq!(gite.owner("gite-abc_ci_db_password_v1"), None);
    }

    #[test]
    fn what_admits_everybody_is_refused() {
        for bad in ["*", "", "ab*", "a b c", "abc/x", "???abc"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_its_wild_forms(name in "[a-z]{3}[a-z0-9_-]{0,12}", at in 3usize..15) {
            let at = at.min(name.len());
            prop_assert!(pattern(&name).matches(&name));
            let wild = format!("{}*{}", &name[..at], &name[at..]);
            prop_assert!(pattern(&wild).matches(&name));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*", name in ".*") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                let _ = (pattern.matches(&name), pattern.owner(&name));
            }
        }
    }
}
