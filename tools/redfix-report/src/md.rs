//! The report as Markdown that is safe to paste: gates, one table per gate, then the details. Pure.

use std::fmt::Write;

use lib_common::{Error, Result};

use crate::escape::{fenced, markdown};
use crate::gate::{GateName, Missing};
use crate::report::Report;
use crate::row::Row;

/// The whole report, or as much of it as `limit` bytes hold: details are left out from the last, and the report
/// says how many. Gates and tables are never cut: a limit that they do not fit is an error.
pub fn render(report: &Report, limit: Option<u64>) -> Result<String> {
    let mut out = overview(report);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let left_out = |n: usize| format!("\nLeft out to keep the limit: the details of {n} case(s).\n");
    if out.len() > limit {
        let cause = format!("its gates and tables alone take {} bytes", out.len());
        return Err(Error::cannot("writing the report", cause).hint("raise --max-bytes"));
    }
    for (n, row) in report.rows.iter().enumerate() {
        let mut part = String::new();
        details(&mut part, row);
        let after = report.rows.len() - n - 1;
        let note = if after == 0 { 0 } else { left_out(after).len() };
        if out.len().saturating_add(part.len() + note) > limit {
            let note = left_out(after + 1);
            if out.len() + note.len() <= limit {
                out.push_str(&note);
            }
            break;
        }
        out.push_str(&part);
    }
    Ok(out)
}

fn overview(report: &Report) -> String {
    let mut out = String::new();
    for gate in report.selected() {
        let _ = writeln!(out, "{}  ", gate.line());
    }
    for (gate, state) in report.selected_reviews() {
        let _ = writeln!(out, "REVIEW {} {}  ", gate.name(), markdown(&state.to_string()));
    }
    if report.rows.is_empty() {
        out.push_str("\nNo case on the ledger: there is nothing that a gate could pass on.\n");
        return out;
    }
    proof_table(&mut out, &report.rows);
    fix_table(&mut out, &report.rows);
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
            let cells = [&run.attempt, &run.condition, &run.fix, &run.outcome, &run.took];
            let _ = writeln!(out, "| {} |", cells.map(|cell| markdown(cell)).join(" | "));
        }
    }
    if !row.repeat.is_empty() {
        out.push_str("\n**Repeat the deciding run:**\n\n");
        out.push_str(&fenced(&row.repeat.join(" "), "sh"));
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
        let named = if one.choices.is_empty() { "" } else { "more runs" };
        let first = (named, one.cost.as_deref(), &one.supply);
        let others = one.choices.iter().map(|c| (c.name, c.cost.as_deref(), &c.supply));
        for (name, cost, supply) in std::iter::once(first).chain(others) {
            let note: Vec<&str> =
                [name, cost.unwrap_or_default()].into_iter().filter(|s| !s.is_empty()).collect();
            let note = if note.is_empty() { String::new() } else { format!("# {}\n", note.join(": ")) };
            let command = note + &supply.join(" ");
            if !all.contains(&command) {
                all.push(command);
            }
        }
    }
    all.join("\n")
}
