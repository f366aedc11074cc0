//! The elements of a `JUnit` file that matter, and their attributes.

use std::path::Path;

use quick_xml::events::BytesStart;

use super::decode::unescape;
use super::signs::Raised;
use super::value::{is_true, milliseconds, status};
use crate::foreign::Odd;
use crate::record::run::TestOutcome;

/// Attributes with their values decoded.
pub type Attributes = Vec<(String, String)>;

/// An element that has begun and not ended.
pub enum Element {
    Suite(Suite),
    Case(Box<Case>),
    /// What a test, or a suite, says of its result.
    Said(Said),
    /// What a test printed: no part of a failure's text.
    Printed,
    Other,
}

#[derive(Default)]
pub struct Suite {
    pub name: String,
    pub started: Option<String>,
    pub host: Option<String>,
    pub file: Option<String>,
    /// `<testsuites>`, whose name is no part of a test's place.
    pub is_root: bool,
}

#[derive(Default)]
pub struct Case {
    pub name: String,
    pub class: String,
    pub file: Option<String>,
    pub started: Option<String>,
    pub duration_ms: u64,
    /// By its attributes.
    pub status: Option<TestOutcome>,
    pub said: Vec<Said>,
}

pub struct Said {
    pub what: What,
    pub message: String,
    pub kind: String,
    pub text: String,
    pub started: Option<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    Failure,
    Error,
    Skipped,
    /// A red attempt that the runner repeated.
    RedBefore,
    ErrorBefore,
}

impl What {
    pub fn of(element: &str) -> Option<Self> {
        Some(match element {
            "failure" => Self::Failure,
            "error" => Self::Error,
            "skipped" | "skip" | "ignored" | "disabled" | "pending" => Self::Skipped,
            "flakyFailure" | "rerunFailure" => Self::RedBefore,
            "flakyError" | "rerunError" => Self::ErrorBefore,
            _ => return None,
        })
    }
}

impl Said {
    pub fn raised<'a>(&'a self, case: &'a Case) -> Raised<'a> {
        let message = if self.message.trim().is_empty() { &self.text } else { &self.message };
        Raised { class: &case.class, name: &case.name, kind: &self.kind, message }
    }

    pub fn outcome(&self, case: &Case) -> TestOutcome {
        match self.what {
            What::Failure | What::RedBefore => TestOutcome::Fail,
            What::Error if case.name == "<init>" => TestOutcome::Error,
            What::Error | What::ErrorBefore => self.raised(case).outcome(),
            What::Skipped => TestOutcome::Skip,
        }
    }

    /// The message and the text, as far as they are there.
    pub fn whole(&self) -> Option<String> {
        let parts = [&self.message, &self.text].map(|part| part.trim());
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(parts.join("\n")).filter(|whole| !whole.is_empty())
    }
}

/// The worse of two outcomes that a test has in one file.
pub fn worst(known: Option<TestOutcome>, new: TestOutcome) -> Option<TestOutcome> {
    known.filter(|known| rank(*known) >= rank(new)).or(Some(new))
}

pub fn rank(outcome: TestOutcome) -> u8 {
    match outcome {
        TestOutcome::Fail => 3,
        TestOutcome::Error => 2,
        TestOutcome::Skip => 1,
        TestOutcome::Pass => 0,
    }
}

/// A test by its attributes. Odd values are counted, with the line that `line` gives.
pub fn case(attributes: &Attributes, odd: &mut Odd, line: impl FnOnce() -> u64) -> Case {
    let mut case = Case {
        name: get(attributes, "name").unwrap_or_default(),
        class: get(attributes, "classname").unwrap_or_default(),
        file: file(attributes),
        started: get(attributes, "timestamp"),
        ..Case::default()
    };
    if case.file.as_ref().is_some_and(|file| Path::new(file).extension().is_some_and(|end| end == "py")) {
        case.name.truncate(method(&case.name).len());
    }
    let mut values: Vec<(&'static str, String)> = Vec::new();
    if let Some(time) = get(attributes, "time") {
        match milliseconds(&time) {
            Some(ms) => case.duration_ms = ms,
            None => values.push(("time that is no number", time)),
        }
    }
    for key in ["status", "result"] {
        let Some(word) = get(attributes, key) else { continue };
        match status(&word) {
            Some(outcome) => case.status = worst(case.status, outcome),
            None => values.push(("status of a test that is no word known", word)),
        }
    }
    let is_off = ["disabled", "skipped", "ignored"]
        .iter()
        .any(|key| get(attributes, key).is_some_and(|text| is_true(&text)));
    if is_off {
        case.status = worst(case.status, TestOutcome::Skip);
    }
    if !values.is_empty() {
        let place = format!("line {}", line());
        for (what, value) in values {
            odd.note(what, &place, &value);
        }
    }
    case
}

pub fn suite(attributes: &Attributes, is_root: bool) -> Suite {
    Suite {
        name: get(attributes, "name").unwrap_or_default(),
        started: get(attributes, "timestamp"),
        host: get(attributes, "hostname"),
        file: file(attributes),
        is_root,
    }
}

pub fn said(what: What, attributes: &Attributes) -> Said {
    Said {
        what,
        message: get(attributes, "message").unwrap_or_default(),
        kind: get(attributes, "type").unwrap_or_default(),
        text: String::new(),
        started: get(attributes, "timestamp"),
        duration_ms: get(attributes, "time").and_then(|time| milliseconds(&time)).unwrap_or(0),
    }
}

fn file(attributes: &Attributes) -> Option<String> {
    get(attributes, "file").or_else(|| get(attributes, "filepath"))
}

/// The method of a subtest of unittest, as unittest-xml-reporting writes it: `test_x` of `test_x (i=1)` or `test_x [page]`.
/// It names only those that failed, so they are results of the method.
fn method(name: &str) -> &str {
    match name.split_once(' ') {
        Some((method, of)) if of.starts_with(['(', '[']) && of.ends_with([')', ']']) => method,
        _ => name,
    }
}

pub fn attributes(tag: &BytesStart) -> Result<Attributes, String> {
    let mut all = tag.attributes();
    let all = all.with_checks(false);
    all.map(|attribute| {
        let attribute = attribute.map_err(|e| e.to_string())?;
        Ok((attribute.key.local_name().into_inner().to_owned(), unescape(&attribute.value).into_owned()))
    })
    .collect()
}

/// The value; an empty one is as good as none.
pub fn get(attributes: &Attributes, name: &str) -> Option<String> {
    attributes
        .iter()
        .find(|(key, value)| key == name && !value.trim().is_empty())
        .map(|(_, value)| value.clone())
}
