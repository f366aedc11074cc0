//! Arguments.

use std::time::Duration;

use clap::Parser;
use clap::builder::BoolishValueParser;
use lib_common::cli::{Common, duration};
use lib_common::exit::ToolArgs;
use lib_common::{Error, Result};

use crate::judge::Settings;
use crate::rule::{Rule, cap};

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
    #[arg(long, env = "REDFIX_ORDER_FREE", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub order_free: bool,
    /// Failing isolated runs on one machine are independent from this time on, first to last
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m", env = "REDFIX_SPACING",
          hide_env_values = true)]
    pub spacing: Duration,
    /// Let runs back to back on one machine prove `genuine`; the verdict says so
    #[arg(long, env = "REDFIX_ACCEPT_CORRELATED", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub accept_correlated: bool,
}

impl Args {
    pub fn settings(&self) -> Result<Settings> {
        let rule = Rule::new(self.cap, self.order_free).ok_or_else(|| {
            Error::cannot("reading arguments", "no thresholds are known").on(format!("--cap {}", self.cap))
        })?;
        let spacing_ms = i64::try_from(self.spacing.as_millis()).unwrap_or(i64::MAX);
        Ok(Settings { rule, spacing_ms, accept_correlated: self.accept_correlated })
    }
}

impl ToolArgs for Args {
    fn common(&self) -> &Common {
        &self.common
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
      flake-classify --recheck < ledger.jsonl";
