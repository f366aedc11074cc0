//! Renders the report for other programs: gates, reviews and rows as one JSON object; and its schema. Pure.

use lib_common::{Error, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::report::Report;
use crate::row::Row;

/// Where the schema is, relative to the project; `$schema` names it.
pub const SCHEMA: &str = "schema/redfix-report.schema.json";

/// A report of redfix-report: every gate that was asked for, and every case, those that block a gate first.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "redfix-report")]
struct Page<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    /// Hash that identifies the content of the ledger, in whatever order it was read.
    ledger: &'a str,
    /// Time of the ledger's newest record; empty if it has none.
    until: &'a str,
    gates: Vec<GateLine<'a>>,
    rows: Vec<Row>,
}

/// A gate that was asked for, and its review.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct GateLine<'a> {
    gate: &'a str,
    passes: bool,
    /// How many cases pass.
    passing: usize,
    /// How many cases there are.
    cases: usize,
    /// The line that the other formats print.
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
    let page = Page {
        schema: SCHEMA,
        ledger: &report.hash,
        until: &report.until,
        gates: gates.collect(),
        rows: report.rows().collect(),
    };
    pretty(&page)
}

/// JSON Schema (2020-12) of what [`render`] writes.
pub fn schema() -> Result<String> {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    pretty(&generator.root_schema_for::<Page>())
}

fn pretty(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::cannot("writing the report", e))?;
    Ok(text + "\n")
}
