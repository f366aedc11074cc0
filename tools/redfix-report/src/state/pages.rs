//! Writes the sections of the state files. Pure.

use std::fmt::Write;

use crate::escape::{fenced, markdown};
use crate::gate::GateName;
use crate::report::{Report, ReviewState};
use crate::row::Row;

/// The status: the gates, a line per case, and `## DONE` if both gates pass and somebody other than the author has
/// passed both on this ledger.
#[must_use]
pub fn status(report: &Report) -> String {
    let mut out = String::new();
    for gate in &report.gates {
        let _ = writeln!(out, "- {}", gate.line());
    }
    for (gate, state) in &report.reviews {
        let _ = writeln!(out, "- REVIEW {} {}", gate.name(), markdown(&state.to_string()));
    }
    out.push_str(
        "\n| recipe | failure | verdict | cause | M1 | M2 |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in report.rows() {
        let cells =
            [&row.recipe, &row.failure, &row.verdict, &row.cause].map(|cell| markdown(cell)).join(" | ");
        let mark = |gate: GateName| if row.passes(gate) { gate.achieved() } else { "blocked" };
        let _ = writeln!(out, "| {cells} | {} | {} |", mark(GateName::M1), mark(GateName::M2));
    }
    if is_done(report) {
        out.push_str("\n## DONE\n");
    }
    out
}

/// Whether both gates pass, and somebody other than the author has passed each on exactly this ledger.
fn is_done(report: &Report) -> bool {
    let reviewed = |name: GateName| {
        report.reviews.iter().any(|(gate, state)| *gate == name && matches!(state, ReviewState::Passed(_)))
    };
    GateName::ALL
        .iter()
        .all(|name| reviewed(*name) && report.gates.iter().any(|gate| gate.name == *name && gate.passes()))
}

/// What is still to be done: a check box per case and gate, with the commands.
#[must_use]
pub fn backlog(report: &Report) -> String {
    let mut out = String::new();
    for row in report.rows() {
        for gate in GateName::ALL {
            let Some(missing) = row.missing.get(&gate) else {
                let _ = writeln!(out, "- [x] {} {}: {}", markdown(&row.key), gate.name(), gate.achieved());
                continue;
            };
            let _ = writeln!(out, "- [ ] {} {}", markdown(&row.key), gate.name());
            for one in missing {
                let cost = one.cost.as_ref().map(|cost| format!(" ({cost})")).unwrap_or_default();
                let _ = writeln!(out, "  - {}{cost}", markdown(&one.what));
                for line in fenced(&one.supply.join(" "), "sh").lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
    }
    or_nothing(out)
}

/// What the newest review of each gate that counts says.
#[must_use]
pub fn review(report: &Report) -> String {
    let mut out = String::new();
    for (gate, state) in &report.reviews {
        let line =
            report.gates.iter().find(|g| g.name == *gate).map(crate::gate::Gate::line).unwrap_or_default();
        let _ = writeln!(out, "- {}: {} ({line})", gate.name(), markdown(&state.to_string()));
    }
    or_nothing(out)
}

/// The cases that keep a recipe out of the canon: those that do not pass both gates.
#[must_use]
pub fn exceptions(report: &Report) -> String {
    let open = |row: &Row| GateName::ALL.iter().any(|gate| !row.passes(*gate));
    let out = report.rows().filter(open).fold(String::new(), |out, row| {
        let what = row.missing.values().flatten().next().map(|one| one.what.as_str()).unwrap_or_default();
        out + &format!("- {}: {}: {}\n", markdown(&row.recipe), markdown(&row.key), markdown(what))
    });
    or_nothing(out)
}

fn or_nothing(out: String) -> String {
    if out.is_empty() { "Nothing.\n".into() } else { out }
}
