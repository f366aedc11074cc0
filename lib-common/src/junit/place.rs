//! Names tests so that the names tell them apart. Class and name suffice as a rule, and keep a case's key short. If one
//! run has several tests of the same class and name, the suite, the file, the host or the report is added.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// Everything that a report says about where a test is. Parameters are part of the name, as each writer writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub name: String,
    pub class: String,
    /// Names of the suites around it, outermost first, joined by a slash.
    pub suite: String,
    /// The source file, where the report names it.
    pub file: String,
    /// The suite's `hostname`; Playwright writes its project there.
    pub host: String,
    /// The report's own path below the folder that was read.
    pub report: String,
}

/// A part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Report,
    Host,
    Suite,
    File,
    Class,
    Name,
}

impl Part {
    const ALL: [(&'static str, Self); 6] = [
        ("report", Self::Report),
        ("host", Self::Host),
        ("suite", Self::Suite),
        ("file", Self::File),
        ("class", Self::Class),
        ("name", Self::Name),
    ];

    fn of(self, place: &Place) -> &str {
        match self {
            Self::Report => &place.report,
            Self::Host => &place.host,
            Self::Suite => &place.suite,
            Self::File => &place.file,
            Self::Class => &place.class,
            Self::Name => &place.name,
        }
    }
}

/// The parts that make a test's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts(BTreeSet<Part>);

impl FromStr for Parts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |word: &str| Part::ALL.iter().find(|(name, _)| *name == word).map(|(_, part)| *part);
        let parts: Option<BTreeSet<Part>> = text.split(',').map(part).collect();
        parts.map(Self).ok_or_else(|| "not a list of report, host, suite, file, class and name".into())
    }
}

impl Parts {
    /// The parts that are there, joined by `::`.
    #[must_use]
    pub fn id(&self, place: &Place) -> String {
        let parts = self.0.iter().map(|part| part.of(place)).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("::")
    }
}

/// Which parts each test needs beside class and name.
#[derive(Debug, Default)]
pub struct Names {
    fixed: Option<Parts>,
    more: BTreeMap<(String, String), BTreeSet<Part>>,
}

/// The parts that are added, in this order, if they tell more tests apart.
const MORE: [Part; 4] = [Part::Suite, Part::File, Part::Host, Part::Report];

impl Names {
    #[must_use]
    pub fn new(fixed: Option<Parts>) -> Self {
        Self { fixed, more: BTreeMap::new() }
    }

    /// Learns from all tests of one run which parts tell them apart.
    pub fn learn<'a>(&mut self, run: impl IntoIterator<Item = &'a Place>) {
        if self.fixed.is_some() {
            return;
        }
        let mut alike: BTreeMap<(&str, &str), BTreeSet<&Place>> = BTreeMap::new();
        for place in run {
            alike.entry((&place.class, &place.name)).or_default().insert(place);
        }
        for ((class, name), places) in alike.into_iter().filter(|(_, places)| places.len() > 1) {
            let parts = self.more.entry((class.to_owned(), name.to_owned())).or_default();
            for part in MORE {
                let with: BTreeSet<Part> = parts.iter().copied().chain([part]).collect();
                if apart(&with, &places) > apart(parts, &places) {
                    *parts = with;
                }
            }
        }
    }

    #[must_use]
    pub fn id(&self, place: &Place) -> String {
        if let Some(fixed) = &self.fixed {
            return fixed.id(place);
        }
        let mut parts = BTreeSet::from([Part::Class, Part::Name]);
        if !self.more.is_empty() {
            parts.extend(self.more.get(&(place.class.clone(), place.name.clone())).into_iter().flatten());
        }
        Parts(parts).id(place)
    }
}

fn apart(parts: &BTreeSet<Part>, places: &BTreeSet<&Place>) -> usize {
    let key = |place: &&Place| parts.iter().map(|part| part.of(place).to_owned()).collect::<Vec<_>>();
    places.iter().map(key).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(suite: &str, class: &str, name: &str) -> Place {
        Place { suite: suite.into(), class: class.into(), name: name.into(), ..Place::default() }
    }

    #[test]
    fn the_suite_joins_where_it_is_needed_and_then_in_every_run() {
        let (login, checkout, other) =
            (place("login", "", "works"), place("checkout", "", "works"), place("login", "c", "t"));
        let mut names = Names::default();
        names.learn([&login, &other]);
        assert_eq!((names.id(&login).as_str(), names.id(&other).as_str()), ("works", "c::t"));
        names.learn([&login, &checkout, &other, &other]);
        assert_eq!(
            (names.id(&login).as_str(), names.id(&checkout).as_str()),
            ("login::works", "checkout::works")
        );
        assert_eq!(names.id(&other), "c::t", "the same test twice is one test");
    }

    #[test]
    fn files_and_reports_tell_what_suites_do_not() {
        let [one, two] =
            ["a/j.xml", "b/j.xml"].map(|report| Place { report: report.into(), ..place("s", "c", "t") });
        let mut names = Names::default();
        names.learn([&one, &two]);
        assert_eq!(names.id(&one), "a/j.xml::c::t");
        let far = Place { suite: "z".into(), ..two.clone() };
        names.learn([&one, &two, &far]);
        assert_eq!(names.id(&far), "b/j.xml::z::c::t");
    }

    #[test]
    fn a_user_may_fix_the_parts() {
        let names = Names::new(Some("suite,name".parse().unwrap()));
        assert_eq!(names.id(&place("s", "c", "t")), "s::t");
        assert!("suite,colour".parse::<Parts>().is_err());
    }
}
