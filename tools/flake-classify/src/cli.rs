//! Command-line arguments of `flake-classify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};
use lib_common::check::Nothing;
use lib_common::cli::{Common, LedgerArg, Voice, duration};
use lib_common::exit::ToolArgs;
use lib_common::junit::Parts;
use lib_common::vain::Vain;
use lib_common::{Error, Result};

use crate::rule::{Rule, cap};
use crate::settings::Settings;

/// Decide genuine, load-flake, flake or inconclusive in as few runs as possible
#[allow(clippy::struct_excessive_bools)] // each flag is a field
#[derive(Parser, Debug)]
#[command(name = "flake-classify", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(flatten)]
    pub common: Common,
    /// Print only the run.planned that each case needs next; exit 0 when all is settled, 1 when not
    #[arg(long, conflicts_with_all = ["explain", "recheck", "require"])]
    pub next: bool,
    /// With --next: instead of a plan of its own print the run.planned in FILE, until one run of it counted
    #[arg(long, value_name = "FILE", requires = "next", conflicts_with = "from")]
    pub plan: Option<PathBuf>,
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
    /// Time from the first to the last failing isolated run on one machine from which on they count as independent
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
    pub durable: LedgerArg,
    #[command(flatten)]
    pub sweep: Sweep,
}

/// Options for reading what another CI wrote.
#[derive(clap::Args, Debug, Default)]
pub struct Sweep {
    /// Read histories of this format from FILEs, instead of records on standard input
    #[arg(long, value_enum, requires = "files")]
    pub from: Option<Format>,
    /// Print only a case.failed for each red test in the FILEs; exit 1 if none is red
    #[arg(long, value_enum, requires = "from",
          conflicts_with_all = ["next", "explain", "recheck", "require"])]
    pub emit: Option<Emit>,
    /// Recipe that the FILEs are about, if they do not name it
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Version of that recipe, if the FILEs do not name it
    #[arg(long, value_name = "V")]
    pub version_under_test: Option<String>,
    /// Factor that may be varied, with its levels, that of the red run first (repeatable)
    #[arg(long, value_name = "FACTOR=LEVEL,...", value_parser = contrast)]
    pub contrast: Vec<(String, Vec<String>)>,
    /// Condition of all runs in the FILEs, isolated or loaded, or the column that has it (default: unknown)
    #[arg(long, value_name = "LEVEL|COLUMN")]
    pub condition: Option<String>,
    /// Id of the run that made you ask: it was selected because it is red, so it does not count (repeatable)
    #[arg(long, value_name = "RUN", requires = "from")]
    pub selected: Vec<String>,
    /// What makes a test's name: report, host, suite, file, class, name (default: class and name, and what more it
    /// takes to tell the tests of one run apart)
    #[arg(long, value_name = "PART,...", requires = "from")]
    pub key: Option<Parts>,
    /// Runs in which more than this many percent of the tests were red, and more than in any before, count for no case
    #[arg(long = "sweep-wide", value_name = "PERCENT", default_value = "60", requires = "from",
          value_parser = clap::value_parser!(u32).range(0..=100))]
    pub wide: u32,
    #[arg(value_name = "FILE", requires = "from")]
    pub files: Vec<PathBuf>,
}

/// Formats of other CIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    // `//` and not `///`, or `--help` would print each as a paragraph of its own.
    // A JUnit file, or a folder of them, is one run.
    Junit,
    // JUnit files of cargo-nextest, or lines of its libtest-json. Each retry is a run of its own.
    Nextest,
    // One result per row; columns have names.
    Csv,
    // One result per line, a JSON object with the names of the columns.
    Jsonl,
    // Lines of `pytest --report-log`.
    PytestReportlog,
    // results.json of cc-ci, schema 2, or the run's folder.
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
    /// Whether verdicts are appended to records on standard input: only these go to the ledger. What is planned or told is
    /// no evidence, and a history is no investigation.
    #[must_use]
    pub fn records_verdicts(&self) -> bool {
        !(self.next || self.explain || self.recheck || self.sweep.from.is_some())
    }

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
    const VAIN: &'static [Vain] = &[
        Vain::Without("from", &["recipe", "version_under_test", "contrast", "condition"]),
        Vain::Beside("from", &["max_line"]),
        Vain::Beside(
            "emit",
            &["cap", "order_free", "spacing", "accept_correlated", "accept_claimed", "selected"],
        ),
        Vain::Beside("plan", &["cap", "order_free", "spacing", "accept_correlated", "investigation"]),
        Vain::Beside("explain", &["investigation", "ledger"]),
        Vain::Beside("recheck", &["investigation", "ledger"]),
        Vain::Beside("next", &["ledger"]),
        Vain::Beside("from", &["ledger"]),
    ];
    // Whether its settings are right, their parsers know.
    type Check = Nothing;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

const EXAMPLES: &str = "\
Examples:
  As a stage of the pipe: all records pass, one verdict per failing case is appended:
      swarm-isolate ... | flake-classify | redfix-report
  Which run would tell most next, as swarm-isolate asks it:
      swarm-isolate --until 'flake-classify --next' ...
  One recorded run again, in a ledger of its own:
      swarm-isolate --until 'flake-classify --next --plan again.jsonl' ...
  How the verdicts of a ledger are argued, and whether they are what its runs say:
      flake-classify --explain < ledger.jsonl
      flake-classify --recheck < ledger.jsonl
  The red tests of a sweep as cases:
      flake-classify --from junit --emit cases --recipe mumble --version-under-test 1.0.0 sweep.xml
  Flake or real, asked of what another CI has kept:
      flake-classify --from csv --condition loaded --explain runs.csv
      flake-classify --from junit --explain nightly-*/";
