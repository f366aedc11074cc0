//! Renders the report as CSV for a spreadsheet: a row per case. No cell can be taken for a formula. Pure.

use csv::{Terminator, WriterBuilder};
use lib_common::{Error, Result};

use crate::gate::GateName;
use crate::report::Report;

/// The table as RFC 4180 defines it, with a header line.
pub fn render(report: &Report) -> Result<String> {
    let fail = |e: String| Error::cannot("writing the report", e);
    let mut out = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let gates: Vec<GateName> = report.selected().iter().map(|gate| gate.name).collect();
    let labels = ["case", "recipe"].into_iter().map(ToOwned::to_owned);
    let facts = crate::row::LABELS.map(ToOwned::to_owned);
    let head =
        labels.chain(facts).chain(["repeat".to_owned()]).chain(gates.iter().map(|g| g.name().to_owned()));
    out.write_record(head).map_err(|e| fail(e.to_string()))?;
    for row in report.rows() {
        let repeat = row.repeat.join(" ");
        let mut cells = vec![row.key.as_str(), row.recipe.as_str()];
        cells.extend(row.facts().into_iter().map(|(_, value)| value));
        cells.push(&repeat);
        cells.extend(gates.iter().map(|gate| if row.passes(*gate) { gate.achieved() } else { "blocked" }));
        out.write_record(cells.into_iter().map(harmless)).map_err(|e| fail(e.to_string()))?;
    }
    let bytes = out.into_inner().map_err(|e| fail(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| fail(e.to_string()))
}

/// Puts an apostrophe in front of a cell that starts like a formula (see OWASP, "CSV injection").
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_looks_like_a_formula_is_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        assert_eq!(harmless("a=1"), "a=1");
        assert_eq!(harmless(""), "");
    }
}
