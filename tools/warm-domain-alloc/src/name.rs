//! Makes names, of a base domain, a class prefix, a pattern and a label. No I/O.

use lib_common::swarm::stack::{attempt_domain, stack_of};

/// A sample of what attempts append, behind a hyphen, to the first label. It is as long as theirs, and sorts last.
pub const SUFFIX: &str = "zzzzzz";

/// Whether a certificate's name covers a domain. A wildcard covers exactly one label.
pub fn certificate_covers(name: &str, domain: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => domain.split_once('.').is_some_and(|(label, base)| base == rest && !label.is_empty()),
        None => name == domain,
    }
}

/// A domain below which names are leased, in lower case and without dots at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    pub fn parse(text: &str) -> Result<Self, String> {
        let base = text.trim_matches('.').to_ascii_lowercase();
        if base.is_empty() || !base.split('.').all(is_label) {
            return Err(format!("'{text}' is not a domain name"));
        }
        Ok(Self(base))
    }

    /// Whether the domain is exactly one label below this one.
    pub fn covers(&self, domain: &str) -> bool {
        domain.split_once('.').is_some_and(|(_, rest)| rest == self.0)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of deployment a name is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class(pub String);

impl Class {
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_label(text) {
            Ok(Self(text.into()))
        } else {
            Err(format!("'{text}' is not made of a-z, 0-9 and -"))
        }
    }

    /// The prefix in names. It should sort before shared networks such as `proxy`, because the engine resolves a name
    /// such as `app` on a container's networks in the order of the networks' names.
    pub fn prefix(&self) -> &str {
        match self.0.as_str() {
            "run" => "iso",
            other => other,
        }
    }

    /// The prefixes that may be used: the plain one first, then others that sort before most networks.
    pub fn prefixes(&self) -> Vec<String> {
        let plain = self.prefix();
        let mut all = vec![plain.to_owned()];
        all.extend(["iso", "c", "a", "0"].map(|before| format!("{before}-{plain}")));
        all
    }

    /// Whether the leased name itself is deployed, as for a canonical. Other classes append an attempt's suffix to it.
    pub fn is_exact(&self) -> bool {
        self.0 == "canon"
    }
}

/// A pattern for the first label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

const FIELDS: [&str; 3] = ["{class}", "{recipe}", "{short}"];

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = FIELDS.iter().fold(text.to_owned(), |rest, field| rest.replace(field, "x"));
        if is_label(&plain) {
            return Ok(Self(text.into()));
        }
        Err(format!("'{text}' does not make one label of {} and a-z, 0-9, -", FIELDS.join(", ")))
    }

    /// Whether each try gives another name.
    pub fn varies(&self) -> bool {
        self.0.contains("{short}")
    }

    /// Whether another class prefix gives another name.
    pub fn has_class(&self) -> bool {
        self.0.contains("{class}")
    }

    pub fn fill(&self, prefix: &str, recipe: &str, short: &str) -> String {
        self.0.replace("{class}", prefix).replace("{recipe}", recipe).replace("{short}", short)
    }
}

/// A name that may be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// First label of the domain.
    pub label: String,
    pub domain: String,
    /// The stack that abra makes of the domain.
    pub stack: String,
    /// Whether the name is deployed as it is, with no suffix.
    pub is_exact: bool,
}

impl Candidate {
    pub fn new(label: &str, base: &Base) -> Self {
        let domain = format!("{label}.{}", base.0);
        Self { label: label.into(), stack: stack_of(&domain), domain, is_exact: false }
    }

    /// The longest domain that is made from it.
    pub fn longest(&self) -> String {
        if self.is_exact { self.domain.clone() } else { attempt_domain(&self.domain, SUFFIX) }
    }
}

/// A recipe's name in the form that a label may have; empty if no character of it may stand there.
pub fn slug(recipe: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mapped: String = recipe.chars().map(plain).collect();
    mapped.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The slug, cut to four characters as the sweep does with names that are too long.
pub fn cut(slug: &str) -> String {
    let short: String = slug.chars().take(4).collect();
    short.trim_end_matches('-').to_owned()
}

/// Six random hexadecimal digits.
pub fn short() -> String {
    // A new id begins with the time, so two of the same moment would share their first characters. Their hashes do not.
    blake3::hash(lib_common::new_id().as_bytes()).to_hex()[..6].to_owned()
}

fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-')
        // `xn--` and other labels with two hyphens there are reserved for internationalised names (RFC 5891).
        && text.get(2..4) != Some("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_made_of_its_parts() {
        let pattern = Pattern::parse("{class}-{recipe}-{short}").unwrap();
        let class = Class::parse("run").unwrap();
        let label = pattern.fill(class.prefix(), &slug("Bluesky_PDS"), "1a2b3c");
        assert_eq!(label, "iso-bluesky-pds-1a2b3c");
        let name = Candidate::new(&label, &Base::parse(".CI.example.").unwrap());
        assert_eq!(name.domain, "iso-bluesky-pds-1a2b3c.ci.example");
        assert_eq!(name.stack, "iso-bluesky-pds-1a2b3c_ci_example");
    }

    #[test]
    fn bad_parts_are_refused() {
        for bad in ["", "a.{short}", "{class}_{short}", "-{short}", "{nonsense}", "A"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", ".", "a..b", "*.ci", "a b"] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
        assert!(Class::parse("Run").is_err());
    }

    #[test]
    fn the_built_in_classes_sort_before_proxy() {
        for class in ["run", "cold", "canon"] {
            assert!(Class::parse(class).unwrap().prefix() < "proxy", "{class}");
        }
    }

    #[test]
    fn a_wildcard_goes_one_label_deep() {
        assert!(certificate_covers("*.ci.example", "a.ci.example") && certificate_covers("a.b", "a.b"));
        for other in ["a.b.ci.example", "ci.example", "a.other"] {
            assert!(!certificate_covers("*.ci.example", other), "{other}");
        }
    }

    #[test]
    fn cutting_leaves_no_hyphen_at_the_end() {
        assert_eq!([cut("mattermost-lts"), cut("abc-def"), cut("x")], ["matt", "abc", "x"]);
        assert_eq!(slug("--ü--"), "");
    }

    #[test]
    fn shorts_are_six_hex_digits_and_differ() {
        let (one, two) = (short(), short());
        assert!(one.len() == 6 && one.chars().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }
}
