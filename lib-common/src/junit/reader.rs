//! Reads a `JUnit` file in one pass. Pure. It looks into unknown elements, so that suites and tests count at any depth,
//! and it reads on after the first document.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::decode::{resolve, text};
use super::element::{Case, Element, Suite, What, attributes, case, rank, said, suite, worst};
use super::{Place, Report, Retry, Test};
use crate::foreign::Bad;
use crate::record::run::TestOutcome;

/// All tests of one file. Odd values are passed over and counted. It is an error if the file is not XML, or not `JUnit`.
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

/// Counts lines, but only as far as somebody asks for them.
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

#[derive(Default)]
struct State {
    open: Vec<(String, Element)>,
    report: Report,
    /// The first element, and whether any was of `JUnit`.
    root: Option<String>,
    known: bool,
}

impl State {
    fn open(&mut self, tag: &BytesStart, line: impl FnOnce() -> u64) -> Result<(), String> {
        let name = tag.local_name().into_inner().to_owned();
        self.root.get_or_insert_with(|| name.clone());
        let of = self.open.iter().rev().map(|(_, element)| element).find(|e| !matches!(e, Element::Other));
        let element = match name.as_str() {
            "testsuites" | "testsuite" => Element::Suite(suite(&attributes(tag)?, name == "testsuites")),
            "testcase" => Element::Case(Box::new(case(&attributes(tag)?, &mut self.report.odd, line))),
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
                let test = self.test(&case);
                self.report.tests.push(test);
            }
            Some((_, Element::Said(said))) => {
                let of = self.open.iter_mut().rev().find(|(_, e)| !matches!(e, Element::Other));
                match of {
                    Some((_, Element::Case(case))) => case.said.push(said),
                    // The whole suite failed to load. Jenkins gives that test this name.
                    Some((_, Element::Suite(suite))) => {
                        let class = suite.name.clone();
                        let case = Case { name: "<init>".into(), class, said: vec![said], ..Case::default() };
                        let test = self.test(&case);
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

    fn test(&mut self, case: &Case) -> Test {
        let nearest =
            |field: fn(&Suite) -> &Option<String>| self.suites().rev().find_map(|s| field(s).clone());
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
        // Node runs a test that is marked as `todo`, but does not count its failure.
        let is_todo = case.said.iter().any(|said| said.what == What::Skipped && said.kind == "todo");
        for said in &case.said {
            let (outcome, message) = (said.outcome(case), said.whole());
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
            if said.raised(case).is_collection() {
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
        Err(match self.root {
            Some(root) => {
                Bad { is_other_kind: true, ..Bad::whole(format!("not JUnit: its root is <{root}>")) }
            }
            // A runner that is stopped before it writes leaves an empty file.
            None => Bad::whole("no element in it"),
        })
    }
}
