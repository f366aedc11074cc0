//! Open or update exactly one pull request per fix, and never merge.

mod act;
pub mod body;
pub mod checks;
mod cli;
mod explain;
pub mod fix;
pub mod forge;
pub mod git;
pub mod glob;
pub mod grounds;
pub mod guard;
pub mod plan;
mod prepare;
mod report;
pub mod seen;
mod wait;

pub use cli::Args;
use lib_common::emit::{Emitter, copy_records};
use lib_common::ledger::Ledger;
use lib_common::{Exit, Io, Result};

use fix::Fix;
use forge::Forge;
use git::Git;
use plan::Plan;
use prepare::{Given, Job};
use report::Report;
use seen::Seen;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let fix = Fix::read(&args.fix.fix, args.fix.fix_id.as_deref())?;
    let git = Git::find(args.place.git_timeout)?;
    let to = forge::connect(&args.place, &args.ci.trigger, &git)?;
    // A dry run changes nothing, the ledger included.
    let path = args.ledger.ledger.as_ref().filter(|_| !args.dry_run);
    let ledger = path.map(|path| Ledger::open(path, &io.diag)).transpose()?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), ledger);
    let mut seen = Seen::default();
    copy_records(&args.common, io, &mut emitter, |_, _, record| {
        seen.learn(record);
        Ok(())
    })?;

    let given = Given { args, fix: &fix, seen: &seen, to: &to, diag: &io.diag };
    let job = Job::prepare(given, git)?;
    if args.dry_run {
        explain::explain(args, &job);
        return Ok(Exit::Done);
    }
    let done = act::carry_out(&job, to.forge.as_ref())?;
    let report = Report::new(args, &fix, job, done);
    report.opened(io, &mut emitter)?;
    if let Plan::Merged(_) = report.plan {
        report.merged(io, &mut emitter)?;
        return Ok(Exit::Done);
    }
    follow(args, io, &mut emitter, to.forge.as_ref(), report)
}

/// Asks CI, and waits for its answer, as far as that was asked for.
fn follow(
    args: &Args,
    io: &mut Io,
    emitter: &mut Emitter,
    forge: &dyn Forge,
    mut report: Report,
) -> Result<Exit> {
    if args.ci.testme {
        let ours = body::is_ours(&report.pull.body, &report.fix_id);
        report.pull.asked = Some(forge.trigger(&report.pull, &args.ci.trigger, ours)?);
    }
    if !args.ci.wait {
        return Ok(Exit::Done);
    }
    let waited = wait::wait(forge, &report.pull, &args.ci, &io.diag)?;
    report.checked(io, emitter, &waited)?;
    report::comment(&io.diag, &waited, &args.ci.trigger);
    Ok(waited.exit())
}
