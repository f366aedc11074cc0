//! Writes the records `pr.opened`, `pr.checked` and `pr.skipped`, and messages for people when CI is not green.

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

/// Writes `pr.opened`, and warns of each thing that the forge left out.
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
        warnings: done.lacking.iter().cloned().chain(notes(job, done)).collect(),
    };
    say(io, emitter, &record, pull)?;
    for sentence in notes(job, done) {
        io.diag.warn(Error::no("looking at the pull request", sentence).on(&pull.url));
    }
    let on = |sentence: &String| Error::no("opening the pull request", sentence).on(&pull.url);
    match done.lacking.first() {
        Some(first) if args.place.strict => {
            Err(on(first).hint("the pull request is open, but with --strict this is an error"))
        }
        _ => {
            done.lacking.iter().for_each(|sentence| io.diag.warn(on(sentence)));
            Ok(())
        }
    }
}

/// What a person should know of it, a sentence each; none of it is a fault of this call.
fn notes(job: &Job, done: &Done) -> Vec<String> {
    let contained = matches!(job.plan, Plan::Contained(_));
    let contained =
        contained.then(|| format!("its change is contained in {}: a person may close it", job.draft.base));
    let twin = |twin: &Pull| format!("{} is open for the same branch, too: a person may close it", twin.url);
    contained.into_iter().chain(done.twins.iter().map(twin)).collect()
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
            .hint("somebody decided against it; --reopen opens a new one"),
        None => Error::no("applying the fix", "the base has this change already: nothing to do")
            .on(&job.draft.base),
    })
}

/// Writes `pr.checked` for the head that was proposed, even if the pull request has another one now.
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

/// Writes `pr.checked` for a pull request that people have merged, for which CI is not asked.
pub fn merged(given: Given, job: &Job, done: &Done, io: &mut Io, emitter: &mut Emitter) -> Result<()> {
    let (pull, contexts) = (done.pull.clone(), vec![]);
    let waited = Waited { pull, state: CheckState::None, contexts, took: Duration::ZERO };
    checked(given, job, done, &waited, io, emitter)
}

/// Writes a record. If that fails the error names the pull request, which exists all the same.
fn say<B: Body>(io: &mut Io, emitter: &mut Emitter, record: &B, pull: &Pull) -> Result<()> {
    emitter.emit(io, record).map_err(|error| error.hint(format!("the pull request is {}", pull.url)))
}

/// Prints a message unless CI is green.
pub fn comment(diag: &Diag, waited: &Waited, trigger: &str) {
    let error = |cause: String| Error::no("waiting for CI", cause).on(&waited.pull.url);
    let seconds = waited.took.as_secs();
    match waited.state {
        _ if waited.pull.merged => {}
        CheckState::Green => {}
        CheckState::Red => {
            let bad = |status: &str| ["failure", "error", "warning"].contains(&status);
            let red = waited.contexts.iter().find(|context| bad(&context.status));
            if red.is_none() {
                let skipped = waited.contexts.iter().filter(|context| context.status == "skipped");
                let names: Vec<&str> = skipped.map(|context| context.context.as_str()).collect();
                let cause = format!("CI skipped {}: nothing was tested", names.join(", "));
                diag.error(&error(cause).hint("do the workflow's conditions leave this change out?"));
                return;
            }
            let name = red.map_or("CI", |context| context.context.as_str());
            let link = red.and_then(|context| context.url.as_deref()).unwrap_or("no link");
            diag.error(&error(format!("{name} is red ({link})")));
        }
        CheckState::None => diag.error(
            &error(format!("no status after {seconds} s"))
                .hint(format!("is the repository enrolled in CI? If it is not, CI ignores '{trigger}'")),
        ),
        CheckState::Pending | CheckState::Superseded => {
            diag.error(&error(format!("CI {} after {seconds} s", word(waited.state))).hint("run it again"));
        }
    }
}
