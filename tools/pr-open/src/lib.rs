//! Opens or updates exactly one pull request per fix, and never merges.
//!
//! `fix` and `seen` read the fix and the records. `prepare` makes the commit, the text (`body`, `words`) and the plan
//! (`plan`), once `grounds` and `guard` allow it. `act` carries the plan out on the `forge`, with `git`; `wait` waits
//! for CI (`checks`), and `report` writes the records. `comment` and `explain` are `--comment` and `--dry-run`.

mod act;
pub mod body;
pub mod checks;
mod cli;
mod comment;
mod explain;
pub mod fix;
pub mod forge;
pub mod git;
pub mod grounds;
pub mod guard;
mod leak;
mod lock;
pub mod plan;
mod prepare;
mod report;
mod retry;
pub mod seen;
mod wait;
mod words;

use std::path::Path;

pub use cli::Args;
use lib_common::emit::{Emitter, copy_records};
use lib_common::ledger::Ledger;
use lib_common::{Exit, Io, Result};

use act::Done;
use fix::Fix;
use forge::Asking;
use git::Git;
use plan::Plan;
use prepare::{Given, Job};
use seen::Seen;
use words::Words;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let fix = Fix::of(&args.what, args.text.title.as_deref())?;
    let git = Git::find(args.place.git_timeout)?;
    let to = forge::connect(&args.place, &args.ci.trigger, &git)?;
    let git = git.hiding(to.secrets());
    let mut seen = Seen::default();
    let body_is_stdin = args.text.body_file.as_deref() == Some(Path::new("-"));
    if let Some(ledger) = args.ledger.ledger.as_deref().filter(|_| body_is_stdin) {
        seen.read(ledger, &args.common.reading, &io.diag)?;
    }
    let words = Words::read(&args.text, io)?;
    // A dry run does not write to the ledger either.
    let path = args.ledger.ledger.as_ref().filter(|_| !args.dry_run);
    let ledger = path.map(|path| Ledger::open(path, &io.diag)).transpose()?;
    let investigation = args.common.investigation.clone().or_else(|| seen.investigation.clone());
    let mut emitter = Emitter::new(investigation, ledger);
    copy_records(&args.common.reading, io, &mut emitter, |_, _, record| {
        seen.learn(record);
        Ok(())
    })?;

    let given = Given { args, fix: &fix, words: &words, seen: &seen, to: &to };
    if let Some(number) = args.pr {
        return comment::comment(given, number, git, io, &mut emitter);
    }
    let job = Job::prepare(given, git, &io.diag)?;
    if args.dry_run {
        explain::job(args, &job, &to)?;
        return Ok(Exit::Done);
    }
    let Some(done) = act::carry_out(&job, to.forge.as_ref(), args.ci.asks(), args.place.grace)? else {
        let why = report::skipped(given, &job, io, &mut emitter)?;
        return Err(why);
    };
    report::opened(given, &job, &done, io, &mut emitter)?;
    if let Plan::Merged(_) = job.plan {
        report::merged(given, &job, &done, io, &mut emitter)?;
        return Ok(Exit::Done);
    }
    if let Plan::Contained(_) = job.plan {
        return Ok(Exit::Done);
    }
    follow(given, job, done, io, &mut emitter)
}

/// With `--testme` asks CI for a run, with `--wait` waits for its verdict.
fn follow(given: Given, mut job: Job, mut done: Done, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let (ci, forge) = (&given.args.ci, given.to.forge.as_ref());
    if ci.asks() {
        let grace = (!done.fresh).then_some(given.args.place.grace);
        let asking = Asking { text: &ci.trigger, whose: done.whose(&job.fix_id), again: ci.retest, grace };
        done.pull.asked = Some(forge.trigger(&done.pull, &asking)?);
    }
    // From here on this process only reads, so others may have the branch.
    job.lock = None;
    if !ci.wait {
        return Ok(Exit::Done);
    }
    let waited = wait::wait(forge, &done.pull, ci, &io.diag)?;
    report::checked(given, &job, &done, &waited, io, emitter)?;
    report::comment(&io.diag, &waited, &ci.trigger);
    Ok(waited.exit())
}
