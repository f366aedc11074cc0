//! Histories of other CIs: files in, runs out, and records of them.
//!
//! Each format has one pure reader, from bytes to [`Run`]s. What no file says is left open: a run without a time,
//! a machine or a condition stays one, and `sample` decides whether it can count.

mod ccci;
mod files;
mod junit;
mod nextest;
mod operands;
mod records;
mod reportlog;
mod table;
mod wide;
mod word;

use jiff::Timestamp;
use lib_common::foreign::{Bad, Odd};
use lib_common::junit::Place;
use lib_common::record::Factors;
use lib_common::record::run::TestOutcome;

use crate::cli::Format;

pub use files::read;
pub use records::{failed, tell};

/// One run, as far as its history tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// As the history names it where `named`, else only what tells it from others of its file.
    pub id: String,
    pub named: bool,
    /// The file that it comes from.
    pub source: String,
    pub started: Option<Timestamp>,
    pub duration_ms: u64,
    pub commit: Option<String>,
    pub kind: Option<String>,
    pub tests: Option<String>,
    pub harness: Option<String>,
    pub engine: Option<String>,
    pub machine: Option<String>,
    /// `isolated` or `loaded`, where the history has a column for it.
    pub load: Option<String>,
    pub factors: Factors,
    pub recipe: Option<String>,
    pub version: Option<String>,
    /// Why it gave no result at all, or none that can be trusted.
    pub unver: Option<String>,
    /// It holds what a runner repeated in the run before it.
    pub retry: bool,
    /// More of its tests were red than one case can account for.
    pub sweep_wide: bool,
    pub results: Vec<Result>,
}

/// What one run says of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Result {
    pub test: String,
    /// `None`: it should have run, and there is no result (`unver`).
    pub outcome: Option<TestOutcome>,
    pub duration_ms: u64,
    pub message: Option<String>,
    /// Where the test is, where `test` follows from that.
    pub place: Option<Box<Place>>,
}

/// What the user says about the files, beyond what they say themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The column that holds the condition.
    pub load_column: Option<String>,
}

/// The runs in one file. What costs no run is passed over and counted in `odd`.
pub fn parse(
    format: Format,
    bytes: &[u8],
    options: &Options,
    odd: &mut Odd,
) -> std::result::Result<Vec<Run>, Bad> {
    match format {
        Format::Junit => junit::parse(bytes, false, odd),
        Format::Nextest => nextest::parse(bytes, odd),
        Format::Csv => table::csv(bytes, options, odd),
        Format::Jsonl => table::jsonl(bytes, options, odd),
        Format::PytestReportlog => reportlog::parse(bytes, odd),
        Format::CcciResults => ccci::parse(bytes, odd),
    }
}

/// For fuzzing: the reader of one format over any bytes.
#[doc(hidden)]
pub fn fuzz(format: Format, bytes: &[u8]) {
    let options = Options { load_column: Some("load".into()) };
    if let Ok(mut runs) = parse(format, bytes, &options, &mut Odd::default()) {
        files::name(&mut runs, None);
        wide::mark(&mut runs, wide::SHARE);
        records::fuzz(runs);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
