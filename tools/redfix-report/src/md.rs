//! Renders the report as Markdown that is safe to paste: the gates, one table per gate, then the details. Pure.

use std::fmt::Write;

use lib_common::{Error, Result};

use crate::escape::{fenced, markdown};
use crate::gate::{GateName, Missing};
use crate::report::Report;
use crate::row::Row;

/// The whole report, or as much of it as fits into `limit` bytes. Details are left out first, beginning with the last
/// case, then rows of the tables; the report says of how many cases. A limit that the gates do not fit is an error.
pub fn render(report: &Report, limit: Option<u64>) -> Result<String> {
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut out = gates(report);
    if out.len() > limit {
        let cause = format!("its gates alone take {} bytes", out.len());
        return Err(Error::cannot("writing the report", cause).hint("raise --max-bytes"));
    }
    if report.rows().len() > 0 {
        tables(&mut out, report, limit);
        all_details(&mut out, report, limit);
    }
    Ok(out)
}

fn gates(report: &Report) -> String {
    let mut out = String::new();
    for gate in report.selected() {
        let _ = writeln!(out, "{}  ", gate.line());
    }
    for (gate, state) in report.selected_reviews() {
        let _ = writeln!(out, "REVIEW {} {}  ", gate.name(), markdown(&state.to_string()));
    }
    if report.rows().len() == 0 {
        out.push_str("\nThe ledger has no case, and a gate needs at least one to pass.\n");
    }
    out
}

/// One table per gate. Both have the same cases.
fn tables(out: &mut String, report: &Report, limit: usize) {
    let mut proof = String::from(
        "\n| recipe | failure | isolation result | cause | verdict | fix belongs to | M1 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut fix = String::from(
        "\n| recipe | fix | pull request | CI | after fix | promoted | M2 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let all = report.rows().len();
    for (n, row) in report.rows().enumerate() {
        let (one, other) = (proof_line(&row), fix_line(&row));
        let note = if n + 1 < all { left_out("rows", all).len() } else { 0 };
        let sum = [out.len(), proof.len(), fix.len(), one.len(), other.len(), note];
        if sum.iter().fold(0, |sum: usize, len| sum.saturating_add(*len)) > limit {
            let note = left_out("rows", all - n);
            let tables = [proof, fix, note].concat();
            if out.len() + tables.len() <= limit {
                out.push_str(&tables);
            }
            return;
        }
        proof.push_str(&one);
        fix.push_str(&other);
    }
    out.push_str(&proof);
    out.push_str(&fix);
}

fn all_details(out: &mut String, report: &Report, limit: usize) {
    let all = report.rows().len();
    for (n, row) in report.rows().enumerate() {
        let mut part = String::new();
        details(&mut part, &row);
        let note = if n + 1 < all { left_out("details", all).len() } else { 0 };
        if out.len().saturating_add(part.len() + note) > limit {
            let note = left_out("details", all - n);
            if out.len() + note.len() <= limit {
                out.push_str(&note);
            }
            return;
        }
        out.push_str(&part);
    }
}

fn left_out(what: &str, cases: usize) -> String {
    format!("\nLeft out because of the size limit: the {what} of {cases} case(s).\n")
}

fn proof_line(row: &Row) -> String {
    let cells = [&row.recipe, &row.failure, &row.isolation, &row.cause, &row.verdict, &row.routes];
    format!("| {} | {} |\n", cells.map(|c| markdown(c)).join(" | "), mark(row, GateName::M1))
}

fn fix_line(row: &Row) -> String {
    let rest = [&row.ci, &row.after, &row.promoted].map(|c| markdown(c)).join(" | ");
    let (recipe, fix) = (markdown(&row.recipe), markdown(&row.fix));
    format!("| {recipe} | {fix} | {} | {rest} | {} |\n", link(row), mark(row, GateName::M2))
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

/// The commands that supply what is missing. A command that supplies several things is printed once.
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
