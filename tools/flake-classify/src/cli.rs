//! Arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};
use lib_common::check::Nothing;
use lib_common::cli::{Common, Voice, duration};
use lib_common::exit::ToolArgs;
use lib_common::{Error, Result};

use crate::rule::{Rule, cap};
use crate::settings::Settings;

/// Decide genuine, load-flake, flake or inconclusive in as few runs as possible
// One flag, one field.
#[allow(clippy::struct_excessive_bools)]
#[derive(Parser, Debug)]
#[command(name = "flake-classify", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Print only the run.planned that each case needs next; exit 0 when all is settled, 1 when not
    #[arg(long, conflicts_with_all = ["explain", "recheck", "require"])]
    pub next: bool,
    /// Print for people, instead of records, how each verdict is argued
    #[arg(long, conflicts_with_all = ["recheck"])]
    pub explain: bool,
    /// Print nothing; exit 1 if a recorded verdict is not what the runs say
    #[arg(long)]
    pub recheck: bool,
    /// Exit 1 while a case is undecided
    #[arg(long)]
    pub require: bool,
    /// Most runs that a verdict may take: 12, 16, 20, 24, 30 or 40, each with thresholds of its own
    #[arg(long, value_name = "N", value_parser = cap, default_value = "20", env = "REDFIX_CAP", hide_env_values = true)]
    pub cap: u32,
    /// Decide by totals, for runs whose order means nothing; costs about one run more
    #[arg(long)]
    pub order_free: bool,
    /// Failing isolated runs on one machine are independent from this time on, first to last
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m", env = "REDFIX_SPACING",
          hide_env_values = true)]
    pub spacing: Duration,
    /// Let runs back to back on one machine prove `genuine`; the verdict says so
    #[arg(long, env = "REDFIX_ACCEPT_CORRELATED", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub accept_correlated: bool,
    /// Count runs whose condition is claimed and not measured, as --from writes them; the verdict says so
    #[arg(long)]
    pub accept_claimed: bool,
    #[command(flatten)]
    pub sweep: Sweep,
}

/// Reading what another CI wrote.
#[derive(clap::Args, Debug, Default)]
pub struct Sweep {
    /// Read histories of this format from FILEs, instead of records on standard input
    #[arg(long, value_enum, requires = "files")]
    pub from: Option<Format>,
    /// Make only a case.failed of each red test in the FILEs; exit 1 when nothing is red
    #[arg(long, value_enum, requires = "from",
          conflicts_with_all = ["next", "explain", "recheck", "require"])]
    pub emit: Option<Emit>,
    /// Recipe that the FILEs are about, where they do not say it
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Its version, where they do not say it
    #[arg(long, value_name = "V")]
    pub version_under_test: Option<String>,
    /// Factor that may be varied, with its levels, that of the red run first (repeatable)
    #[arg(long, value_name = "FACTOR=LEVEL,...", value_parser = contrast)]
    pub contrast: Vec<(String, Vec<String>)>,
    /// Condition of all their runs, isolated or loaded, or the column that says it (default: unknown)
    #[arg(long, value_name = "LEVEL|COLUMN")]
    pub condition: Option<String>,
    /// Run that made you ask, by its id: it was selected for being red and does not count (repeatable)
    #[arg(long, value_name = "RUN", requires = "from")]
    pub selected: Vec<String>,
    #[arg(value_name = "FILE", requires = "from")]
    pub files: Vec<PathBuf>,
}

/// Formats of other CIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    // One run a file, or a folder of files
    Junit,
    // JUnit files of cargo-nextest, or lines of its libtest-json; retries are runs
    Nextest,
    // One result a row, columns by name
    Csv,
    // The same as JSON objects, one a line
    Jsonl,
    // Lines of `pytest --report-log`
    PytestReportlog,
    // results.json of cc-ci, schema 2, or the run's folder
    CcciResults,
}

/// What `--emit` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    Cases,
}

fn contrast(text: &str) -> std::result::Result<(String, Vec<String>), String> {
    let (factor, levels) = text.split_once('=').ok_or("not of the form FACTOR=LEVEL,...")?;
    let levels: Vec<String> = levels.split(',').map(ToOwned::to_owned).collect();
    if factor.is_empty() || levels.iter().any(String::is_empty) {
        return Err("a factor has a name, and none of its levels is empty".into());
    }
    Ok((factor.to_owned(), levels))
}

impl Args {
    pub fn settings(&self) -> Result<Settings> {
        let rule = Rule::new(self.cap, self.order_free).ok_or_else(|| {
            Error::cannot("reading arguments", "no thresholds are known").on(format!("--cap {}", self.cap))
        })?;
        let spacing_ms = i64::try_from(self.spacing.as_millis()).unwrap_or(i64::MAX);
        let accept_claimed = self.accept_claimed || self.sweep.from.is_some();
        Ok(Settings { rule, spacing_ms, accept_correlated: self.accept_correlated, accept_claimed })
    }
}

impl ToolArgs for Args {
    // Whether its settings are right, their parsers know.
    type Check = Nothing;

    fn voice(&self) -> &Voice {
        &self.common.voice
    }
}

const EXAMPLES: &str = "\
Examples:
  As a stage of the pipe: all records pass, one verdict per failing case is appended:
      swarm-isolate ... | flake-classify | redfix-report
  Which run would tell most next, as swarm-isolate asks it:
      swarm-isolate --until 'flake-classify --next' ...
  How the verdicts of a ledger are argued, and whether they are what its runs say:
      flake-classify --explain < ledger.jsonl
      flake-classify --recheck < ledger.jsonl
  The red tests of a sweep as cases:
      flake-classify --from junit --emit cases --recipe mumble --version-under-test 1.0.0 sweep.xml
  Flake or real, asked of what another CI has kept:
      flake-classify --from csv --condition loaded --explain runs.csv
      flake-classify --from junit --explain nightly-*/";
