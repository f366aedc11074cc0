//! Messages for people about a plan and about each run.

use std::time::Duration;

use lib_common::Io;
use lib_common::record::run::RunFinished;

use crate::cli::Args;
use crate::plan::{Seen, Subject};

/// One line about a run, shown with `-v`.
pub fn run(io: &Io, run: &RunFinished) {
    let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f32();
    let factors: Vec<String> =
        run.factors.iter().map(|(name, level)| format!("{name}={level:.12}")).collect();
    let reason = run.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let doubt = run.isolation.why.as_ref().map(|why| format!("; not proved: {why}")).unwrap_or_default();
    io.diag.phase(format_args!(
        "{}: {}{reason} after {:.1} s, empty after {:.1} s more{doubt}",
        factors.join(" "),
        run.outcome.word(),
        seconds(run.duration_ms),
        seconds(run.cleanup.duration_ms)
    ));
}

/// What `--dry-run` prints.
pub fn plan(args: &Args, io: &Io, subjects: &[Subject], seen: &Seen) {
    let run = &args.run;
    let how = run.until.as_ref().map_or_else(
        || format!("{} run(s), {}", run.runs, run.load.condition.name()),
        |until| format!("runs until '{until}' is settled"),
    );
    for subject in subjects {
        io.diag.note(format_args!(
            "would do {how}, of {}, in stacks like {}; {} attempts are on record",
            args.command.join(" "),
            subject.namespace("000000").stack,
            seen.attempts()
        ));
    }
}
