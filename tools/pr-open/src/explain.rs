//! `--dry-run`: prints on standard error exactly what would be pushed and sent. Only reads.

use std::io::Write;

use lib_common::Result;

use crate::body;
use crate::cli::Args;
use crate::forge::{Asking, Connection, Draft, Note, Pull, Step, Whose};
use crate::plan::{Plan, differs};
use crate::prepare::Job;

/// Prints what would be done. As the user asked for it, `--quiet` does not silence it.
pub fn job(args: &Args, job: &Job, to: &Connection) -> Result<()> {
    let draft = &job.draft;
    let mut out = vec![in_words(job)];
    let ask = args.ci.asks();
    let asking = |whose| Asking { text: &args.ci.trigger, whose, again: args.ci.retest, grace: None };
    let edited;
    let steps = match &job.plan {
        Plan::Open { push } => {
            out.extend(push.then(|| pushing(job, to)));
            let comment = Step::Ask { pull: None, asking: asking(Whose::JustOpened) };
            [Some(Step::Open { draft, ask }), ask.then_some(comment)]
        }
        Plan::Update { pull, push } => {
            out.extend(push.then(|| pushing(job, to)));
            edited = after(pull, *push, draft);
            let comment = Step::Ask { pull: Some(&edited), asking: asking(Whose::Ours) };
            [differs(pull, draft).then_some(Step::Edit { pull, draft }), ask.then_some(comment)]
        }
        Plan::Keep(pull) | Plan::Adopt(pull) => {
            let asking = asking(whose(pull, job));
            [None, ask.then_some(Step::Ask { pull: Some(pull), asking })]
        }
        Plan::Contained(_) | Plan::Merged(_) | Plan::Nothing | Plan::Closed(_) => [None, None],
    };
    out.extend(job.twins.iter().map(|twin| format!("{} is open for this branch, too", twin.url)));
    for step in steps.iter().flatten() {
        out.extend(to.forge.preview(step)?.iter().map(|line| sending(line)));
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

/// Prints what would be sent for a comment.
pub fn note(pull: u64, note: &Note, to: &Connection) -> Result<()> {
    let requests = to.forge.preview(&Step::Explain { pull, note })?;
    let mut out: Vec<String> = requests.iter().map(|line| sending(line)).collect();
    if out.is_empty() {
        out.push(format!("the comment on {pull} exists and is up to date"));
    }
    out.extend(note.body.lines().map(|line| format!("| {line}")));
    say(&out);
    Ok(())
}

/// Marks the first line of a request; its further lines are indented.
fn sending(line: &str) -> String {
    if line.starts_with(' ') { line.to_owned() } else { format!("would send: {line}") }
}

fn say(lines: &[String]) {
    let mut err = std::io::stderr().lock();
    // Ignore the error: if standard error is closed there is nobody to report to.
    let _ = lines.iter().try_for_each(|line| writeln!(err, "pr-open: {line}"));
}

/// The pull request as it would be after the edit: with our body, and without a request for a run of a new head.
fn after(pull: &Pull, push: bool, draft: &Draft) -> Pull {
    let head = if push { &draft.head } else { &pull.head };
    Pull {
        head: head.clone(),
        title: draft.title.clone(),
        body: draft.body.trim_end().to_owned(),
        asked: pull.asked.clone().filter(|asked| asked.head == *head),
        ..pull.clone()
    }
}

fn whose(pull: &Pull, job: &Job) -> Whose {
    if body::is_ours(&pull.body, &job.fix_id) { Whose::Ours } else { Whose::Others }
}

/// The git command that would push, without credentials.
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
        Plan::Keep(pull) => format!("{} is open and up to date", pull.url),
        Plan::Adopt(pull) => format!("{} has the same patch: would adopt it", pull.url),
        Plan::Contained(pull) => {
            format!("{} is open, and its change is contained in {}", pull.url, draft.base)
        }
        Plan::Merged(pull) => format!("{} is merged: nothing to do", pull.url),
        Plan::Nothing => format!("{} has this change already: nothing to do", draft.base),
        Plan::Closed(pull) => format!("{} was closed without a merge: --reopen opens a new one", pull.url),
    }
}
