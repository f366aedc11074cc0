//! The report as `JUnit` in the Jenkins dialect: a suite per gate, a test per case. Pure.

use lib_common::{Error, Result};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::escape::cut;
use crate::gate::{Gate, Missing};
use crate::report::Report;
use crate::row::Row;

/// Longest text of one test, in characters: readers drop or choke on more.
const LONGEST: usize = 16 * 1024;

/// One suite per gate that was asked for. Names are unique: `recipe` and `case gate`.
pub fn render(report: &Report) -> Result<String> {
    let mut document = Document::new("redfix");
    for gate in report.selected() {
        let mut suite = TestSuite::new(gate.line());
        if report.rows().len() == 0 {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("empty").set_message("no case on the ledger: nothing that a gate could pass on");
            let mut test = TestCase::new(format!("a case is on the ledger {}", gate.name.name()), status);
            test.set_classname("redfix");
            suite.add_test_case(test);
        }
        for row in report.rows() {
            suite.add_test_case(test(gate, &row));
        }
        document.add_test_suite(suite);
    }
    document.to_string().map_err(|e| Error::cannot("writing the report", e))
}

fn test(gate: &Gate, row: &Row) -> TestCase {
    let status = match row.missing.get(&gate.name).map(Vec::as_slice) {
        Some([first, rest @ ..]) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            status.set_type(first.rule).set_message(first.what.clone() + &more);
            status.set_description(cut(&words(first, rest), LONGEST));
            status
        }
        _ => TestCaseStatus::success(),
    };
    let mut test = TestCase::new(format!("{} {}", row.key, gate.name.name()), status);
    test.set_classname(&row.recipe);
    let facts: Vec<String> = row.facts().iter().map(|(label, value)| format!("{label}: {value}")).collect();
    test.set_system_out(cut(&facts.join("\n"), LONGEST));
    test
}

/// Everything that blocks, with what would supply it.
fn words(first: &Missing, rest: &[Missing]) -> String {
    let line = |one: &Missing| {
        let cost = one.cost.as_ref().map(|cost| format!(" ({cost})")).unwrap_or_default();
        format!("- {}{cost}\n  $ {}", one.what, one.supply.join(" "))
    };
    std::iter::once(first).chain(rest).map(line).collect::<Vec<_>>().join("\n")
}
