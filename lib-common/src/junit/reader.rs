//! One pass over a `JUnit` file. Pure. Elements that are not known are passed through, so that suites and tests count at
//! any depth, and a second document behind the first.

use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;

use super::decode::{resolve, text, unescape};
use super::signs::Raised;
use super::value::{is_true, milliseconds, status};
use super::{Place, Report, Retry, Test};
use crate::foreign::Bad;
use crate::record::run::TestOutcome;

/// All tests of one file. What is odd in it is passed over and counted; only what is no XML, or not `JUnit`, is an error.
pub fn parse(bytes: &[u8]) -> Result<Report, Bad> {
    let (xml, replaced) = text(bytes);
    let mut state = State::default();
    if replaced {
        state.report.odd.note("character that is not of the file's encoding", "", "");
    }
    let mut reader = Reader::from_str(&xml);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    let mut lines = Lines { text: xml.as_bytes(), at: 0, line: 1 };
    loop {
        let before = reader.buffer_position();
        let broken = |lines: &mut Lines, at: u64, cause: String| Err(Bad::at(lines.of(at), cause));
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                if let Err(cause) = state.open(&tag, || lines.of(before)) {
                    return broken(&mut lines, reader.buffer_position(), cause);
                }
            }
            Ok(Event::End(_)) => state.close(),
            Ok(Event::Text(part)) => state.text(&part),
            Ok(Event::CData(part)) => state.text(&part),
            Ok(Event::GeneralRef(name)) => match resolve(&name) {
                Some(text) => state.text(&text),
                None => state.text(&format!("&{};", &*name)),
            },
            Ok(Event::Eof) if state.open.is_empty() => return state.end(),
            Ok(Event::Eof) => {
                let within = format!("it ends within <{}>", state.innermost());
                return broken(&mut lines, u64::MAX, within);
            }
            Ok(_) => {}
            Err(e) => return broken(&mut lines, reader.error_position().max(before), e.to_string()),
        }
    }
}

/// Counts lines as far as they are asked for.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, position: u64) -> u64 {
        let to = usize::try_from(position).unwrap_or(usize::MAX).clamp(self.at, self.text.len());
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..to]).count() as u64;
        self.at = to;
        self.line
    }
}

/// An element that has begun and not ended.
enum Element {
    Suite(Suite),
    Case(Box<Case>),
    /// What a test, or a suite, says of its result.
    Said(Said),
    /// What a test printed: no part of a failure's text.
    Printed,
    Other,
}

#[derive(Default)]
struct Suite {
    name: String,
    started: Option<String>,
    host: Option<String>,
    file: Option<String>,
    /// `<testsuites>`, whose name is no part of a test's place.
    is_root: bool,
}

#[derive(Default)]
struct Case {
    name: String,
    class: String,
    file: Option<String>,
    started: Option<String>,
    duration_ms: u64,
    /// By its attributes.
    status: Option<TestOutcome>,
    said: Vec<Said>,
}

struct Said {
    what: What,
    message: String,
    kind: String,
    text: String,
    started: Option<String>,
    duration_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Failure,
    Error,
    Skipped,
    /// A red attempt that the runner repeated.
    RedBefore,
    ErrorBefore,
}

impl What {
    fn of(element: &str) -> Option<Self> {
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

#[derive(Default)]
struct State {
    open: Vec<(String, Element)>,
    report: Report,
    /// The first element, and whether any was of `JUnit`.
    root: Option<String>,
    known: bool,
}

/// Attributes with their values decoded.
type Attributes = Vec<(String, String)>;

impl State {
    fn open(&mut self, tag: &BytesStart, line: impl FnOnce() -> u64) -> Result<(), String> {
        let name = tag.local_name().into_inner().to_owned();
        self.root.get_or_insert_with(|| name.clone());
        let of = self.open.iter().rev().map(|(_, element)| element).find(|e| !matches!(e, Element::Other));
        let element = match name.as_str() {
            "testsuites" | "testsuite" => Element::Suite(suite(&attributes(tag)?, name == "testsuites")),
            "testcase" => Element::Case(Box::new(self.case(&attributes(tag)?, line))),
            "system-out" | "system-err" => Element::Printed,
            _ => match (What::of(&name), of) {
                (Some(what), Some(Element::Case(_) | Element::Suite(_))) => {
                    Element::Said(said(what, &attributes(tag)?))
                }
                _ => Element::Other,
            },
        };
        self.known |= matches!(element, Element::Suite(_) | Element::Case(_));
        self.open.push((name, element));
        Ok(())
    }

    fn case(&mut self, attributes: &Attributes, line: impl FnOnce() -> u64) -> Case {
        let mut case = Case {
            name: get(attributes, "name").unwrap_or_default(),
            class: get(attributes, "classname").unwrap_or_default(),
            file: file(attributes),
            started: get(attributes, "timestamp"),
            ..Case::default()
        };
        if case.file.as_ref().is_some_and(|file| file.ends_with(".py")) {
            case.name.truncate(method(&case.name).len());
        }
        let mut odd: Vec<(&'static str, String)> = Vec::new();
        if let Some(time) = get(attributes, "time") {
            match milliseconds(&time) {
                Some(ms) => case.duration_ms = ms,
                None => odd.push(("time that is no number", time)),
            }
        }
        for key in ["status", "result"] {
            let Some(word) = get(attributes, key) else { continue };
            match status(&word) {
                Some(outcome) => case.status = worst(case.status, outcome),
                None => odd.push(("status of a test that is no word known", word)),
            }
        }
        let is_off = ["disabled", "skipped", "ignored"]
            .iter()
            .any(|key| get(attributes, key).is_some_and(|text| is_true(&text)));
        if is_off {
            case.status = worst(case.status, TestOutcome::Skip);
        }
        if !odd.is_empty() {
            let place = format!("line {}", line());
            odd.iter().for_each(|(what, value)| self.report.odd.note(what, &place, value));
        }
        case
    }

    fn text(&mut self, part: &str) {
        if let Some((_, Element::Printed)) = self.open.last() {
            return;
        }
        let said = self.open.iter_mut().rev().find_map(|(_, element)| match element {
            Element::Said(said) => Some(Some(said)),
            Element::Case(_) | Element::Suite(_) | Element::Printed => Some(None),
            Element::Other => None,
        });
        if let Some(Some(said)) = said {
            said.text.push_str(part);
        }
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some((_, Element::Case(case))) => {
                let test = self.test(*case);
                self.report.tests.push(test);
            }
            Some((_, Element::Said(said))) => {
                let of = self.open.iter_mut().rev().find(|(_, e)| !matches!(e, Element::Other));
                match of {
                    Some((_, Element::Case(case))) => case.said.push(said),
                    // The whole suite failed to load; Jenkins names that so.
                    Some((_, Element::Suite(suite))) => {
                        let class = suite.name.clone();
                        let case = Case { name: "<init>".into(), class, said: vec![said], ..Case::default() };
                        let test = self.test(case);
                        self.report.tests.push(test);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn suites(&self) -> impl DoubleEndedIterator<Item = &Suite> {
        self.open.iter().filter_map(|(_, element)| match element {
            Element::Suite(suite) => Some(suite),
            _ => None,
        })
    }

    fn test(&mut self, case: Case) -> Test {
        let nearest = |field: fn(&Suite) -> &Option<String>| self.suites().rev().find_map(|s| field(s).clone());
        let started = case.started.clone().or_else(|| nearest(|suite| &suite.started));
        let machine = nearest(|suite| &suite.host);
        let names = self.suites().filter(|suite| !suite.is_root && !suite.name.is_empty());
        let place = Place {
            suite: names.map(|suite| suite.name.as_str()).collect::<Vec<_>>().join("/"),
            file: case.file.clone().or_else(|| nearest(|suite| &suite.file)).unwrap_or_default(),
            host: machine.clone().unwrap_or_default(),
            report: String::new(),
            name: case.name.clone(),
            class: case.class.clone(),
        };
        let mut test = Test {
            id: String::new(),
            outcome: TestOutcome::Pass,
            duration_ms: case.duration_ms,
            message: None,
            started,
            machine,
            retries: vec![],
            place,
        };
        let mut so_far = case.status;
        // Node runs a test that is still to do, and does not count its failure.
        let is_todo = case.said.iter().any(|said| said.what == What::Skipped && said.kind == "todo");
        for said in &case.said {
            let (outcome, message) = (said.outcome(&case), said.whole());
            if matches!(said.what, What::RedBefore | What::ErrorBefore) {
                test.retries.push(Retry {
                    outcome,
                    duration_ms: said.duration_ms,
                    message,
                    started: said.started.clone().or_else(|| test.started.clone()),
                });
                continue;
            }
            if is_todo && outcome != TestOutcome::Skip {
                continue;
            }
            if so_far.is_none_or(|known| rank(outcome) > rank(known)) || test.message.is_none() {
                test.message = message;
            }
            so_far = worst(so_far, outcome);
            if said.raised(&case).is_collection() {
                self.report.uncollected.get_or_insert_with(|| case.name.clone());
            }
        }
        test.outcome = so_far.unwrap_or(TestOutcome::Pass);
        test.id = super::Names::default().id(&test.place);
        test
    }

    fn innermost(&self) -> &str {
        self.open.last().map_or("", |(name, _)| name)
    }

    fn end(self) -> Result<Report, Bad> {
        if self.known {
            return Ok(self.report);
        }
        let cause = match self.root {
            Some(root) => format!("not JUnit: its root is <{root}>"),
            None => "not JUnit: it has no element".into(),
        };
        Err(Bad { line: None, cause, is_other_kind: true })
    }
}

impl Said {
    fn raised<'a>(&'a self, case: &'a Case) -> Raised<'a> {
        let message = if self.message.trim().is_empty() { &self.text } else { &self.message };
        Raised { class: &case.class, name: &case.name, kind: &self.kind, message }
    }

    fn outcome(&self, case: &Case) -> TestOutcome {
        match self.what {
            What::Failure | What::RedBefore => TestOutcome::Fail,
            What::Error if case.name == "<init>" => TestOutcome::Error,
            What::Error | What::ErrorBefore => self.raised(case).outcome(),
            What::Skipped => TestOutcome::Skip,
        }
    }

    /// The message and the text, as far as they are there.
    fn whole(&self) -> Option<String> {
        let parts = [&self.message, &self.text].map(|part| part.trim());
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(parts.join("\n")).filter(|whole| !whole.is_empty())
    }
}

/// A red stays one, whatever else a test says of itself, and a test that says anything but "passed" did not.
fn worst(known: Option<TestOutcome>, new: TestOutcome) -> Option<TestOutcome> {
    known.filter(|known| rank(*known) >= rank(new)).or(Some(new))
}

fn rank(outcome: TestOutcome) -> u8 {
    match outcome {
        TestOutcome::Fail => 3,
        TestOutcome::Error => 2,
        TestOutcome::Skip => 1,
        TestOutcome::Pass => 0,
    }
}

fn suite(attributes: &Attributes, is_root: bool) -> Suite {
    Suite {
        name: get(attributes, "name").unwrap_or_default(),
        started: get(attributes, "timestamp"),
        host: get(attributes, "hostname"),
        file: file(attributes),
        is_root,
    }
}

fn said(what: What, attributes: &Attributes) -> Said {
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

fn attributes(tag: &BytesStart) -> Result<Attributes, String> {
    let mut all = tag.attributes();
    let all = all.with_checks(false);
    all.map(|attribute| {
        let attribute = attribute.map_err(|e| e.to_string())?;
        Ok((attribute.key.local_name().into_inner().to_owned(), unescape(&attribute.value).into_owned()))
    })
    .collect()
}

/// The value; an empty one is as good as none.
fn get(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.iter().find(|(key, value)| key == name && !value.trim().is_empty()).map(|(_, value)| value.clone())
}
