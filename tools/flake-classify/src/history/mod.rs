//! Reads histories of other CIs (`--from`) into runs, and turns the runs into records.
//!
//! Each format has one pure reader, from bytes to [`PastRun`]s. What a file does not say is left out: a run may have no
//! time, no machine and no condition, and `sample` decides whether it counts.

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

/// One run of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastRun {
    /// The id that the history gives it, if `named`. Else only what distinguishes it from other runs of its file.
    pub id: String,
    pub named: bool,
    /// The file that it was read from.
    pub source: String,
    pub started: Option<Timestamp>,
    pub duration_ms: u64,
    pub commit: Option<String>,
    pub kind: Option<String>,
    pub tests: Option<String>,
    pub harness: Option<String>,
    pub engine: Option<String>,
    pub machine: Option<String>,
    /// `isolated` or `loaded`, if the history has a column for it.
    pub load: Option<String>,
    pub factors: Factors,
    pub recipe: Option<String>,
    pub version: Option<String>,
    /// Why the run gave no result at all, or none that can be trusted (`unver`).
    pub unver: Option<String>,
    /// The run holds what the runner repeated in the run before it.
    pub retry: bool,
    /// Most of its tests were red, and more than in any run before: the whole sweep broke.
    pub sweep_wide: bool,
    pub results: Vec<PastResult>,
}

/// What one run says of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastResult {
    pub test: String,
    /// `None` if the test should have run and there is no result (`unver`).
    pub outcome: Option<TestOutcome>,
    pub duration_ms: u64,
    pub message: Option<String>,
    /// Where the report has the test. `test` is made from it, if it is there.
    pub place: Option<Box<Place>>,
}

/// What the user says about the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The column that has the condition (`--condition COLUMN`).
    pub load_column: Option<String>,
}

/// The runs in one file. Odd values that cost no run are counted in `odd`.
pub fn parse(format: Format, bytes: &[u8], options: &Options, odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    match format {
        Format::Junit => junit::parse(bytes, false, odd),
        Format::Nextest => nextest::parse(bytes, odd),
        Format::Csv => table::csv(bytes, options, odd),
        Format::Jsonl => table::jsonl(bytes, options, odd),
        Format::PytestReportlog => reportlog::parse(bytes, odd),
        Format::CcciResults => ccci::parse(bytes, odd),
    }
}

/// For fuzzing: reads any bytes as one format.
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
