//! `--dry-run`: the plan in words, on standard error.

use std::io::Write;

use crate::cli::Args;
use crate::plan::Plan;
use crate::prepare::Job;

/// Says what would be done. Asked for, so `--quiet` does not silence it.
pub fn explain(args: &Args, job: &Job) {
    let text = words(args, job);
    let mut err = std::io::stderr().lock();
    // A reader of standard error who went away has nothing to hear about it.
    let _ = text.iter().try_for_each(|line| writeln!(err, "pr-open: {line}"));
}

fn words(args: &Args, job: &Job) -> Vec<String> {
    let mut out = Vec::new();
    let repo = &args.place.repo;
    let draft = &job.draft;
    let push = |out: &mut Vec<String>| {
        let lease = job.remote_head.as_deref().unwrap_or("not there yet");
        out.push(format!("would push {} to refs/heads/{} (now: {lease})", draft.head, draft.branch));
    };
    match &job.plan {
        Plan::Open { push: needed } => {
            if *needed {
                push(&mut out);
            }
            out.push(format!("would open a pull request in {repo}: {} -> {}", draft.branch, draft.base));
        }
        Plan::Update { pull, push: needed } => {
            if *needed {
                push(&mut out);
            }
            out.push(format!("would update title and body of {}", pull.url));
        }
        Plan::Keep(pull) => out.push(format!("{} is open and as it should be", pull.url)),
        Plan::Adopt(pull) => out.push(format!("{} has the same patch: would adopt it", pull.url)),
        Plan::Merged(pull) => out.push(format!("{} is merged: nothing to do", pull.url)),
    }
    if args.ci.testme && !matches!(job.plan, Plan::Merged(_)) {
        out.push(format!("would comment '{}' once for this head", args.ci.trigger));
    }
    if args.ci.wait {
        out.push(format!("would wait for CI, at most {} s", args.ci.deadline.as_secs()));
    }
    out.push(format!("patch {} for {}", job.patch, job.fix_id));
    out.push(format!("title: {}", draft.title));
    out.extend(draft.body.lines().map(|line| format!("| {line}")));
    out
}
