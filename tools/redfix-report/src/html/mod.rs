//! Renders the report as one HTML file that loads nothing, works without its script, and is the same for the same
//! ledger. Pure.
//!
//! All foreign text goes through the template's escaping; drawings have only numbers and escaped titles.

mod draw;
mod timeline;

use askama::Template;
use base64::Engine;
use lib_common::{Error, Result};
use sha2::{Digest, Sha256};

use crate::gate::{Gate, GateName, Missing};
use crate::report::Report;
use crate::row::{Row, RunRow};

const STYLE: &str = include_str!("../../templates/style.css");
const SCRIPT: &str = include_str!("../../templates/script.js");
/// How many cases are shown, those that block a gate first. Browsers cannot open a page with many more.
const MOST_CASES: usize = 2000;
/// How many runs are in one strip, the newest ones.
const MOST_RUNS: usize = 60;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    csp: String,
    style: &'static str,
    script: &'static str,
    title: String,
    gates: Vec<GateLine<'a>>,
    cases: Vec<CaseView<'a>>,
    more: usize,
    timeline: Option<String>,
    ledger: &'a str,
    until: &'a str,
    version: &'static str,
}

struct GateLine<'a> {
    line: String,
    passes: bool,
    means: &'static str,
    review: String,
    name: &'a str,
}

struct CaseView<'a> {
    anchor: String,
    row: &'a Row,
    marks: Vec<Mark>,
    strip: String,
    plot: Option<String>,
    runs: &'a [RunRow],
    older: usize,
    blocked: Vec<Blocked<'a>>,
    repeat: String,
}

struct Mark {
    gate: &'static str,
    word: &'static str,
    passes: bool,
}

struct Blocked<'a> {
    gate: &'static str,
    missing: Vec<MissingView<'a>>,
}

struct MissingView<'a> {
    what: &'a str,
    ways: Vec<Way>,
}

struct Way {
    note: String,
    command: String,
}

/// The whole page.
pub fn render(report: &Report) -> Result<String> {
    let all = report.rows();
    let more = all.len().saturating_sub(MOST_CASES);
    let rows: Vec<Row> = all.take(MOST_CASES).collect();
    let gates = report.selected().into_iter().zip(report.selected_reviews());
    let gates: Vec<GateLine> = gates.map(|(gate, (_, review))| gate_line(gate, review.to_string())).collect();
    let page = Page {
        csp: policy(),
        style: STYLE,
        script: SCRIPT,
        title: gates.iter().map(|gate| gate.line.as_str()).collect::<Vec<_>>().join(", "),
        gates,
        cases: rows.iter().enumerate().map(|(n, row)| case(n, row)).collect(),
        more,
        timeline: timeline::draw(&rows),
        ledger: &report.hash,
        until: &report.until,
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map_err(|e| Error::cannot("writing the report", e))
}

fn gate_line(gate: &Gate, review: String) -> GateLine<'static> {
    let means = match gate.name {
        GateName::M1 => "every failing case has a proven verdict and an attributed cause",
        GateName::M2 => "every case has a verified fix with an open pull request",
    };
    GateLine { line: gate.line(), passes: gate.passes(), means, review, name: gate.name.name() }
}

fn case(n: usize, row: &Row) -> CaseView<'_> {
    let marks = GateName::ALL.map(|gate| {
        let passes = row.passes(gate);
        Mark { gate: gate.name(), word: if passes { gate.achieved() } else { "blocked" }, passes }
    });
    let older = row.runs.len().saturating_sub(MOST_RUNS);
    let blocked = row.missing.iter().map(|(gate, missing)| Blocked {
        gate: gate.name(),
        missing: missing.iter().map(missing_view).collect(),
    });
    CaseView {
        anchor: format!("case-{}", n + 1),
        row,
        marks: marks.into(),
        strip: draw::strip(&row.runs[older..]),
        plot: row.trace.as_ref().map(draw::evidence),
        runs: &row.runs[older..],
        older,
        blocked: blocked.collect(),
        repeat: row.repeat.join(" "),
    }
}

fn missing_view(one: &Missing) -> MissingView<'_> {
    let named = if one.choices.is_empty() { "" } else { "more runs" };
    let way = |name: &str, cost: Option<&String>, supply: &[String]| {
        let words = [name, cost.map_or("", String::as_str)];
        let note = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ");
        Way { note, command: supply.join(" ") }
    };
    let first = way(named, one.cost.as_ref(), &one.supply);
    let others = one.choices.iter().map(|choice| way(choice.name, choice.cost.as_ref(), &choice.supply));
    MissingView { what: &one.what, ways: std::iter::once(first).chain(others).collect() }
}

/// The Content-Security-Policy: nothing may be loaded, and only our own style and script are used.
fn policy() -> String {
    let hash = |text: &str| base64::prelude::BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}
