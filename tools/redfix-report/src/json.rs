//! The report for another program: gates, reviews and rows as one JSON object. Pure.

use lib_common::{Error, Result};
use serde::Serialize;

use crate::report::Report;
use crate::row::Row;

#[derive(Serialize)]
struct Page<'a> {
    gates: Vec<GateLine<'a>>,
    rows: Vec<Row>,
}

/// A gate that was asked for, and the second look at it.
#[derive(Serialize)]
struct GateLine<'a> {
    gate: &'a str,
    passes: bool,
    /// Cases that pass, of how many.
    passing: usize,
    cases: usize,
    /// As the other formats print it.
    line: String,
    review: String,
}

/// The whole report, indented, with a last line feed.
pub fn render(report: &Report) -> Result<String> {
    let gates =
        report.selected().into_iter().zip(report.selected_reviews()).map(|(gate, (_, review))| GateLine {
            gate: gate.name.name(),
            passes: gate.passes(),
            passing: gate.passing,
            cases: gate.cases,
            line: gate.line(),
            review: review.to_string(),
        });
    let page = Page { gates: gates.collect(), rows: report.rows().collect() };
    let text = serde_json::to_string_pretty(&page).map_err(|e| Error::cannot("writing the report", e))?;
    Ok(text + "\n")
}
