//! Renders the report as `JUnit` in the Jenkins dialect: a suite per gate, a test per case. Pure.

use std::io;

use lib_common::{Error, Result};
use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::{ElementWriter, Writer};

use crate::escape::cut;
use crate::gate::{Gate, Missing};
use crate::report::Report;
use crate::row::Row;

/// Longest text of one test, in characters. Programs that read `JUnit` drop longer ones, or fail.
const LONGEST: usize = 16 * 1024;

type Xml = Writer<Vec<u8>>;

/// The document, with one suite per gate that was asked for. A test's class is the recipe, and its name is case and
/// gate, so that no two tests have the same name.
pub fn render(report: &Report) -> Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 4);
    document(report, &mut xml).map_err(|e| Error::cannot("writing the report", e))?;
    String::from_utf8(xml.into_inner()).map_err(|e| Error::cannot("writing the report", e))
}

fn document(report: &Report, xml: &mut Xml) -> io::Result<()> {
    let gates = report.selected();
    let all = |count: fn(&Gate) -> usize| gates.iter().map(|gate| count(gate)).sum::<usize>().to_string();
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attributes([
            ("name", "redfix"),
            ("tests", &all(tests)),
            ("skipped", "0"),
            ("failures", &all(failures)),
            ("errors", "0"),
        ])
        .write_inner_content(|xml| gates.iter().try_for_each(|gate| suite(gate, report, xml)))?;
    xml.write_indent()
}

/// The number of tests of a gate. A gate without cases has one test, which fails and says why.
fn tests(gate: &Gate) -> usize {
    gate.cases.max(1)
}

fn failures(gate: &Gate) -> usize {
    tests(gate) - gate.passing
}

fn suite(gate: &Gate, report: &Report, xml: &mut Xml) -> io::Result<()> {
    let element = xml.create_element("testsuite").with_attributes([
        ("name", &*gate.line()),
        ("tests", &tests(gate).to_string()),
        ("skipped", "0"),
        ("errors", "0"),
        ("failures", &failures(gate).to_string()),
    ]);
    let write = |xml: &mut Xml| {
        if gate.cases == 0 {
            nothing(gate, xml)?;
        }
        report.rows().try_for_each(|row| test(gate, &row, xml))
    };
    element.write_inner_content(write).map(drop)
}

fn nothing(gate: &Gate, xml: &mut Xml) -> io::Result<()> {
    let name = format!("a case is on the ledger {}", gate.name.name());
    let why = "the ledger has no case, and a gate needs at least one to pass";
    xml.create_element("testcase")
        .with_attributes([("name", &*name), ("classname", "redfix")])
        .write_inner_content(|xml| failure(xml, why, "empty").write_empty().map(drop))
        .map(drop)
}

fn test(gate: &Gate, row: &Row, xml: &mut Xml) -> io::Result<()> {
    let facts: Vec<String> = row.facts().iter().map(|(label, value)| format!("{label}: {value}")).collect();
    let name = format!("{} {}", row.key, gate.name.name());
    let element =
        xml.create_element("testcase").with_attributes([("name", &*name), ("classname", &row.recipe)]);
    let write = |xml: &mut Xml| {
        if let Some([first, rest @ ..]) = row.missing.get(&gate.name).map(Vec::as_slice) {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            let text = cut(&words(first, rest), LONGEST);
            failure(xml, &(first.what.clone() + &more), first.rule)
                .write_text_content(BytesText::new(&text))?;
        }
        let facts = cut(&facts.join("\n"), LONGEST);
        xml.create_element("system-out").write_text_content(BytesText::new(&facts)).map(drop)
    };
    element.write_inner_content(write).map(drop)
}

fn failure<'x>(xml: &'x mut Xml, message: &str, rule: &str) -> ElementWriter<'x, Vec<u8>> {
    xml.create_element("failure").with_attributes([("message", message), ("type", rule)])
}

/// Everything that is missing, each with the command that would supply it.
fn words(first: &Missing, rest: &[Missing]) -> String {
    let line = |one: &Missing| {
        let cost = one.cost.as_ref().map(|cost| format!(" ({cost})")).unwrap_or_default();
        format!("- {}{cost}\n  $ {}", one.what, one.supply.join(" "))
    };
    std::iter::once(first).chain(rest).map(line).collect::<Vec<_>>().join("\n")
}
