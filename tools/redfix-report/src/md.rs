//! The report as Markdown that is safe to paste: gates, one table per gate, then the details. Pure.

use std::fmt::Write;

use crate::escape::{fenced, markdown};
use crate::gate::{GateName, Missing};
use crate::report::Report;
use crate::row::Row;

/// The whole report.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for gate in report.selected() {
        let _ = writeln!(out, "{}  ", gate.line());
    }
    for (gate, state) in &report.reviews {
        let _ = writeln!(out, "REVIEW {} {}  ", gate.name(), markdown(&state.to_string()));
    }
    if report.rows.is_empty() {
        out.push_str("\nNo case on the ledger: there is nothing that a gate could pass on.\n");
        return out;
    }
    proof_table(&mut out, &report.rows);
    fix_table(&mut out, &report.rows);
    for row in &report.rows {
        details(&mut out, row);
    }
    out
}

fn proof_table(out: &mut String, rows: &[Row]) {
    out.push_str("\n| recipe | failure | isolation result | cause | verdict | fix belongs to | M1 |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let cells = [&row.recipe, &row.failure, &row.isolation, &row.cause, &row.verdict, &row.routes]
            .map(|c| markdown(c));
        let _ = writeln!(out, "| {} | {} |", cells.join(" | "), mark(row, GateName::M1));
    }
}

fn fix_table(out: &mut String, rows: &[Row]) {
    out.push_str("\n| recipe | fix | pull request | CI | after fix | promoted | M2 |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let rest = [&row.ci, &row.after, &row.promoted].map(|c| markdown(c)).join(" | ");
        let (recipe, fix) = (markdown(&row.recipe), markdown(&row.fix));
        let _ = writeln!(out, "| {recipe} | {fix} | {} | {rest} | {} |", link(row), mark(row, GateName::M2));
    }
}

fn mark(row: &Row, gate: GateName) -> &'static str {
    match (row.passes(gate), gate) {
        (true, GateName::M1) => "proven",
        (true, GateName::M2) => "fixed",
        (false, _) => "**blocked**",
    }
}

fn link(row: &Row) -> String {
    let words = markdown(&row.pull);
    // An address never holds a `|` or `>`, see `row::web_address`.
    row.url.as_ref().map_or(words.clone(), |url| format!("[{words}](<{url}>)"))
}

fn details(out: &mut String, row: &Row) {
    let _ = writeln!(out, "\n### {}\n", markdown(&row.key));
    for (label, value) in row.facts() {
        let value = match (label, &row.url) {
            ("address", Some(url)) => format!("<{url}>"),
            _ => markdown(value),
        };
        let _ = writeln!(out, "- **{label}:** {value}");
    }
    if !row.runs.is_empty() {
        out.push_str("\n| attempt | condition | fix | outcome | took |\n");
        out.push_str("| --- | --- | --- | --- | --: |\n");
        for run in &row.runs {
            let _ = writeln!(out, "| {} |", run.each_ref().map(|cell| markdown(cell)).join(" | "));
        }
    }
    for (gate, missing) in &row.missing {
        let _ = writeln!(out, "\n**{} is blocked:**\n", gate.name());
        for one in missing {
            let _ = writeln!(out, "- {}", markdown(&one.what));
        }
        out.push('\n');
        out.push_str(&fenced(&commands(missing), "sh"));
    }
}

/// The commands that supply what is missing, each once.
fn commands(missing: &[Missing]) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in missing {
        let command = one.supply.join(" ");
        if !all.contains(&command) {
            all.push(command);
        }
    }
    all.join("\n")
}
