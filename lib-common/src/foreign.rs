//! What readers of foreign files report: why a file cannot be read ([`Bad`]), and what was passed over in it, how often and
//! where first ([`Odd`]). Nothing is dropped in silence.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Counted from 1; `None` if it concerns the file as a whole.
    pub line: Option<u64>,
    pub cause: String,
    /// The file is of another kind altogether, e.g. a coverage report beside `JUnit` files.
    pub is_other_kind: bool,
}

impl Bad {
    pub fn at(line: u64, cause: impl Display) -> Self {
        Self { line: Some(line), cause: cause.to_string(), is_other_kind: false }
    }

    pub fn whole(cause: impl Display) -> Self {
        Self { line: None, cause: cause.to_string(), is_other_kind: false }
    }
}

impl Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.cause),
            None => f.write_str(&self.cause),
        }
    }
}

/// How many characters of an odd value are kept.
const SHOWN: usize = 60;

/// Counts by reason. Each reason is a noun phrase in the singular, e.g. `time that is no number`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Odd(BTreeMap<&'static str, Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    count: u64,
    /// The file, the line and the value, as far as they are known.
    first: String,
}

impl Odd {
    /// Counts one more. `place` (e.g. `line 3`, or empty) and `value` are kept of the first one only.
    pub fn note(&mut self, what: &'static str, place: impl Display, value: &str) {
        let seen = self.0.entry(what).or_insert_with(|| {
            let short: String = value.trim().chars().take(SHOWN).collect();
            let value = if short.is_empty() { String::new() } else { format!("'{short}'") };
            let parts = [place.to_string(), value];
            let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            Seen { count: 0, first: parts.join(": ") }
        });
        seen.count += 1;
    }

    /// The same counts, with `file` in front of the places.
    #[must_use]
    pub fn within(mut self, file: impl Display) -> Self {
        for seen in self.0.values_mut() {
            let whole = format!("{file}: {}", seen.first);
            whole.trim_end_matches(": ").clone_into(&mut seen.first);
        }
        self
    }

    /// Adds the counts of `other`, which was read later.
    pub fn merge(&mut self, other: Self) {
        for (what, seen) in other.0 {
            match self.0.get_mut(what) {
                Some(known) => known.count += seen.count,
                None => {
                    self.0.insert(what, seen);
                }
            }
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A line for each reason, e.g. `passed over: 12 of 'time that is no number', first in a.xml: line 3: 'n/a'`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|(what, seen)| format!("passed over: {} of '{what}', first in {}", seen.count, seen.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_and_its_first_place_told() {
        let (mut all, mut one) = (Odd::default(), Odd::default());
        one.note("time that is no number", "line 3", "n/a");
        one.note("time that is no number", "line 9", "?");
        one.note("link", "", "");
        assert!(all.is_empty());
        all.merge(one.clone().within("a.xml"));
        all.merge(one.within("b.xml"));
        let lines: Vec<String> = all.lines().collect();
        assert_eq!(
            lines,
            [
                "passed over: 2 of 'link', first in a.xml",
                "passed over: 4 of 'time that is no number', first in a.xml: line 3: 'n/a'"
            ]
        );
    }
}
