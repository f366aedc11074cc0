//! One run of a case, as a line of a table and as a cell of a strip. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::duration::duration;
use crate::escape::plain;
use crate::fold::{Case, Fold};
use crate::gate::m2;
use crate::lean::Run;
use crate::runs::level;

/// A run, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RunRow {
    pub attempt: String,
    /// `isolated` or `loaded`, further factor levels, and `(not proved)` if that is so.
    pub condition: String,
    pub load: String,
    pub fix: String,
    /// What the run says about the case, else how the whole run ended.
    pub outcome: String,
    /// Whether its condition was proved, so that it may count.
    pub proved: bool,
    pub took: String,
    /// RFC 3339, UTC.
    pub started: String,
    pub duration_ms: u64,
    /// From the command's end until nothing was left.
    pub teardown_ms: u64,
}

impl RunRow {
    #[must_use]
    pub fn new(run: &Run, case: &Case, fold: &Fold) -> Self {
        let whole = run.outcome.word();
        // The case's own result is shown if it differs from the outcome of the whole run.
        let outcome = match fold.runs.sample(run, &case.key) {
            Some(true) => "pass",
            Some(false) if whole == "pass" => "fail",
            None if matches!(whole, "pass" | "fail" | "timeout") => "not reached",
            Some(false) | None => whole,
        };
        let further: Vec<String> = run
            .factors
            .iter()
            .filter(|(factor, _)| !matches!(factor.as_str(), "load" | "fix"))
            .map(|(factor, level)| format!("{factor}={level}"))
            .collect();
        let proved = run.isolation.proved;
        // A run whose condition is not proved is no evidence, whatever its outcome.
        let doubt = if proved { "" } else { "(not proved)" };
        let load = level(&run.factors, "load");
        Self {
            attempt: plain(&run.attempt_id),
            condition: plain(&[load, &further.join(" "), doubt].join(" ")),
            load: plain(load),
            fix: plain(m2::short(level(&run.factors, "fix"))),
            outcome: outcome.to_owned(),
            proved,
            took: duration(run.duration_ms),
            started: plain(&run.started),
            duration_ms: run.duration_ms,
            teardown_ms: run.cleanup.duration_ms,
        }
    }
}
