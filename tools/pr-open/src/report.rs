//! The records `pr.opened`, `pr.checked` and `pr.skipped`, and what a person hears when CI did not say green.

use std::time::Duration;

use lib_common::diag::Diag;
use lib_common::emit::Emitter;
use lib_common::record::Body;
use lib_common::record::pr::{CheckState, PrChecked, PrOpened, PrSkipped, SkipState};
use lib_common::{Error, Io, Result};

use crate::act::Done;
use crate::forge::Pull;
use crate::plan::Plan;
use crate::prepare::{Given, Job};
use crate::wait::{Waited, word};

/// `pr.opened`, with a warning for each thing that the forge left out.
pub fn opened(given: Given, job: &Job, done: &Done, io: &mut Io, emitter: &mut Emitter) -> Result<()> {
    let Given { args, fix, .. } = given;
    let pull = &done.pull;
    let record = PrOpened {
        cases: job.grounds.cases.clone(),
        action: done.action,
        forge: given.to.address.to_string(),
        repo: given.to.repo.to_string(),
        number: pull.number,
        url: pull.url.clone(),
        branch: pull.branch.clone(),
        head: pull.head.clone(),
        base: pull.base.clone(),
        title: pull.title.clone(),
        fix_id: fix.id.clone(),
        patch: done.patch.clone(),
        route: fix.route,
        no_verdict: job.grounds.no_verdict,
        upstream_issue: args.text.upstream_issue.clone(),
        warnings: done.lacking.clone(),
    };
    say(io, emitter, &record, pull)?;
    let on = |sentence: &String| Error::no("opening the pull request", sentence).on(&pull.url);
    match done.lacking.first() {
        Some(first) if args.place.strict => Err(on(first).hint("it is open; --strict wants it whole")),
        _ => {
            done.lacking.iter().for_each(|sentence| io.diag.warn(on(sentence)));
            Ok(())
        }
    }
}

/// `pr.skipped`, and the error that says why there is no pull request.
pub fn skipped(given: Given, job: &Job, io: &mut Io, emitter: &mut Emitter) -> Result<Error> {
    let fix = given.fix;
    let earlier = if let Plan::Closed(pull) = &job.plan { Some(pull) } else { None };
    let record = PrSkipped {
        cases: job.grounds.cases.clone(),
        state: if earlier.is_some() { SkipState::Closed } else { SkipState::NothingToDo },
        forge: given.to.address.to_string(),
        repo: given.to.repo.to_string(),
        branch: job.draft.branch.clone(),
        base: job.draft.base.clone(),
        fix_id: fix.id.clone(),
        patch: job.patch.clone(),
        route: fix.route,
        number: earlier.map(|pull| pull.number),
        url: earlier.map(|pull| pull.url.clone()),
    };
    emitter.emit(io, &record)?;
    Ok(match earlier {
        Some(pull) => Error::no("opening the pull request", "an earlier one was closed without a merge")
            .on(&pull.url)
            .hint("somebody decided that; --reopen opens a new one"),
        None => Error::no("applying the fix", "the base has this change already: nothing to do")
            .on(&job.draft.base),
    })
}

/// `pr.checked`: of the head that was proposed, whatever became of the pull request since.
pub fn checked(
    given: Given,
    job: &Job,
    done: &Done,
    waited: &Waited,
    io: &mut Io,
    emitter: &mut Emitter,
) -> Result<()> {
    let record = PrChecked {
        cases: job.grounds.cases.clone(),
        forge: given.to.address.to_string(),
        repo: given.to.repo.to_string(),
        number: done.pull.number,
        head: done.pull.head.clone(),
        patch: done.patch.clone(),
        state: waited.state,
        open: waited.pull.open,
        merged: waited.pull.merged,
        contexts: waited.contexts.clone(),
        waited_ms: u64::try_from(waited.took.as_millis()).unwrap_or(u64::MAX),
    };
    say(io, emitter, &record, &done.pull)
}

/// People merged it: said in a record, as no CI is asked any more.
pub fn merged(given: Given, job: &Job, done: &Done, io: &mut Io, emitter: &mut Emitter) -> Result<()> {
    let (pull, contexts) = (done.pull.clone(), vec![]);
    let waited = Waited { pull, state: CheckState::None, contexts, took: Duration::ZERO };
    checked(given, job, done, &waited, io, emitter)
}

/// A record that cannot be written must not hide what exists now.
fn say<B: Body>(io: &mut Io, emitter: &mut Emitter, record: &B, pull: &Pull) -> Result<()> {
    emitter.emit(io, record).map_err(|error| error.hint(format!("the pull request is {}", pull.url)))
}

/// Anything but green deserves a line.
pub fn comment(diag: &Diag, waited: &Waited, trigger: &str) {
    let error = |cause: String| Error::no("waiting for CI", cause).on(&waited.pull.url);
    let seconds = waited.took.as_secs();
    match waited.state {
        CheckState::Green => {}
        CheckState::Red => {
            let bad = |status: &str| ["failure", "error", "warning"].contains(&status);
            let red = waited.contexts.iter().find(|context| bad(&context.status));
            let name = red.map_or("CI", |context| context.context.as_str());
            let link = red.and_then(|context| context.url.as_deref()).unwrap_or("no link");
            diag.error(&error(format!("{name} is red ({link})")));
        }
        CheckState::None => diag.error(&error(format!("no status after {seconds} s")).hint(format!(
            "is the repository enrolled in CI? Where it is not, CI stays silent about '{trigger}'"
        ))),
        CheckState::Pending | CheckState::Superseded => {
            diag.error(&error(format!("CI {} after {seconds} s", word(waited.state))).hint("run it again"));
        }
    }
}
