//! Reads `JUnit` files into the outcomes of single tests, whichever tool wrote them.
//!
//! There is no one schema. Where writers disagree, two readers of them all are the arbiters: GitLab
//! (`lib/gitlab/ci/parsers/test/junit.rb`: of several children a failure counts before an error, that before a skip;
//! suites nest at any depth; the suite is part of a test's key) and Jenkins (junit-plugin, `SuiteResult.java`: an
//! `<error>` of a suite is a test `<init>`; `TimeToFloat.java`: thousands are separated).

mod decode;
mod element;
mod folder;
mod place;
mod reader;
mod signs;
mod value;

pub use folder::{Below, below, is_xml, read, report_name};
pub use place::{Names, Part, Parts, Place};
pub use reader::parse;
pub use value::milliseconds;

use crate::foreign::Odd;
use crate::record::run::TestOutcome;

/// One test case of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// `classname::name`, or the name alone; with more where that is not enough, see [`Names`].
    pub id: String,
    pub place: Place,
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    pub message: Option<String>,
    /// Its own `timestamp`, else that of the nearest suite that has one, as it is written.
    pub started: Option<String>,
    /// The suite's `hostname`.
    pub machine: Option<String>,
    /// Failed attempts of the test in the same run, which the runner repeated: `flakyFailure`, `rerunFailure`,
    /// `flakyError` and `rerunError`.
    pub retries: Vec<Retry>,
}

/// A failed attempt of a test that was repeated in the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    pub message: Option<String>,
    pub started: Option<String>,
}

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the file's order.
    pub tests: Vec<Test>,
    /// Odd values that were passed over; no test was lost because of them.
    pub odd: Odd,
    /// The first file of tests that the runner could not read. Nobody knows which tests the report lacks then.
    pub uncollected: Option<String>,
}

#[cfg(test)]
mod tests;
