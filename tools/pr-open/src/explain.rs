//! `--dry-run`: what would be pushed and sent, to the letter, on standard error. Only reads.

use std::io::Write;

use lib_common::Result;

use crate::body;
use crate::cli::Args;
use crate::forge::{Connection, Note, Pull, Step, Whose};
use crate::plan::Plan;
use crate::prepare::Job;

/// Says what would be done. Asked for, so `--quiet` does not silence it.
pub fn job(args: &Args, job: &Job, to: &Connection) -> Result<()> {
    let draft = &job.draft;
    let mut out = vec![in_words(job)];
    let ask = args.ci.testme;
    let steps = match &job.plan {
        Plan::Open { push } => {
            out.extend(push.then(|| pushing(job, to)));
            let comment = Step::Ask { pull: None, text: &args.ci.trigger, whose: Whose::JustOpened };
            [Some(Step::Open { draft, ask }), ask.then_some(comment)]
        }
        Plan::Update { pull, push } => {
            out.extend(push.then(|| pushing(job, to)));
            // Nobody has asked for the new head yet.
            let whose = if *push { Whose::JustOpened } else { whose(pull, job) };
            let comment = Step::Ask { pull: (!push).then_some(pull), text: &args.ci.trigger, whose };
            [Some(Step::Edit { pull, draft }), ask.then_some(comment)]
        }
        Plan::Keep(pull) | Plan::Adopt(pull) => {
            let whose = whose(pull, job);
            [None, ask.then_some(Step::Ask { pull: Some(pull), text: &args.ci.trigger, whose })]
        }
        Plan::Merged(_) | Plan::Nothing | Plan::Closed(_) => [None, None],
    };
    for step in steps.iter().flatten() {
        out.extend(to.forge.preview(step)?.into_iter().map(|line| format!("would send: {line}")));
    }
    if args.ci.wait {
        out.push(format!("would wait for CI, at most {} s", args.ci.deadline.as_secs()));
    }
    let patch = job.patch.as_deref().unwrap_or("(none)");
    out.push(format!("patch {patch} for {}", job.fix_id));
    out.push(format!("title: {}", draft.title));
    out.extend(draft.body.lines().map(|line| format!("| {line}")));
    say(&out);
    Ok(())
}

/// The same for a comment.
pub fn note(pull: u64, note: &Note, to: &Connection) -> Result<()> {
    let mut out: Vec<String> = to.forge.preview(&Step::Explain { pull, note })?;
    if out.is_empty() {
        out.push(format!("the comment on {pull} is there and as it should be"));
    }
    let mut out: Vec<String> = out.into_iter().map(|line| format!("would send: {line}")).collect();
    out.extend(note.body.lines().map(|line| format!("| {line}")));
    say(&out);
    Ok(())
}

fn say(lines: &[String]) {
    let mut err = std::io::stderr().lock();
    // A reader of standard error who went away has nothing to hear about it.
    let _ = lines.iter().try_for_each(|line| writeln!(err, "pr-open: {line}"));
}

fn whose(pull: &Pull, job: &Job) -> Whose {
    if body::is_ours(&pull.body, &job.fix_id) { Whose::Ours } else { Whose::Others }
}

/// As git would be called, but for the credentials.
fn pushing(job: &Job, to: &Connection) -> String {
    let draft = &job.draft;
    let lease = job.remote_head.as_deref().unwrap_or("");
    format!(
        "would run: git push --force-with-lease=refs/heads/{b}:{lease} {} {}:refs/heads/{b}",
        to.remote.url,
        draft.head,
        b = draft.branch,
    )
}

fn in_words(job: &Job) -> String {
    let draft = &job.draft;
    match &job.plan {
        Plan::Open { .. } => format!("would open a pull request: {} -> {}", draft.branch, draft.base),
        Plan::Update { pull, .. } => format!("would update {}", pull.url),
        Plan::Keep(pull) => format!("{} is open and as it should be", pull.url),
        Plan::Adopt(pull) => format!("{} has the same patch: would adopt it", pull.url),
        Plan::Merged(pull) => format!("{} is merged: nothing to do", pull.url),
        Plan::Nothing => format!("{} has this change already: nothing to do", draft.base),
        Plan::Closed(pull) => format!("{} was closed without a merge: --reopen opens a new one", pull.url),
    }
}
