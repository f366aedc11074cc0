//! From the settings and what was seen to a job: the commit, the text and the plan. Changes nothing outside
//! its own temporary repository.

mod look;
mod make;
mod support;

use lib_common::diag::Diag;
use lib_common::{Error, Result};

use crate::body::{Facts, PULL, redacted};
use crate::cli::Args;
use crate::fix::{Change, Fix};
use crate::forge::{Connection, Draft, Site};
use crate::git::{Git, Work};
use crate::guard;
use crate::lock::Lock;
use crate::plan::Plan;
use crate::seen::Seen;
use crate::words::Words;
use make::Made;

pub use make::file_id;
pub use support::{Grounds, grounds, recipe};

/// Everything that is needed to act.
pub struct Job {
    pub work: Work,
    pub draft: Draft,
    pub plan: Plan,
    /// Where the remote's head branch is now, if it is there.
    pub remote_head: Option<String>,
    /// Commit of the base.
    pub base: String,
    /// `git patch-id --stable` of our own commit.
    pub patch: Option<String>,
    pub grounds: Grounds,
    /// `<recipe>/<fix-id>`
    pub fix_id: String,
    /// Nobody else on this machine is at this branch; a dry run needs no such thing.
    pub lock: Option<Lock>,
}

/// What every step of the preparation needs.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub args: &'a Args,
    pub fix: &'a Fix,
    pub words: &'a Words,
    pub seen: &'a Seen,
    pub to: &'a Connection,
}

impl Job {
    pub fn prepare(given: Given, git: Git, diag: &Diag) -> Result<Self> {
        let Given { args, fix, to, .. } = given;
        let forge = to.forge.as_ref();
        diag.phase(format_args!("fetching {} from {}", args.place.base, to.remote.url));
        let work = Work::new(git, to.remote.clone())?;
        if let Some(dir) = &args.what.repo_dir {
            work.borrow_from(dir)?;
        }
        let base = fetch_base(&work, given)?;
        let made = make::make(given, &work, &base, diag)?;
        let recipe = recipe(given, &made.paths)?;
        let branch = guarded(given, &recipe, &[&args.place.base])?;
        guard::tests(&made.paths, &args.consent.tests_glob, args.consent.with_tests)?;
        guard::recipes(&made.paths, args.consent.multi)?;
        // What the base has already can only be reported.
        let grounds = grounds(given, &recipe, &made.paths, &made.patches, made.commit.is_none())?;

        let key = format!("{} {} {branch}", to.address, to.repo);
        let lock = (!args.dry_run).then(|| Lock::take(&key, args.place.git_timeout)).transpose()?;
        diag.phase(format_args!("asking {} for {branch}", to.address));
        let remote_head = work.remote_heads(&[&branch])?.remove(0);
        let site = forge.site(&args.place.base, remote_head.as_ref().map(|_| &*branch))?;
        guarded(given, &recipe, &[&args.place.base, &site.default_branch])?;
        permitted(args, &branch, &site, diag)?;
        if remote_head.is_some() {
            work.fetch(&[format!("refs/heads/{branch}")])?;
        }
        let fix_id = format!("{recipe}/{}", fix.id);
        let draft = draft(given, &made, &grounds, branch, &fix_id);
        let plan = {
            let there =
                look::Looked { work: &work, base: &base, remote_head: remote_head.as_deref(), made: &made };
            look::plan(given, &there, &draft, diag)?
        };
        let job = Self { work, draft, plan, remote_head, base, patch: made.patch, grounds, fix_id, lock };
        job.spare_strangers(given)?;
        Ok(job)
    }

    /// A branch that somebody else has committed to is not overwritten.
    fn spare_strangers(&self, given: Given) -> Result<()> {
        let pushes = matches!(self.plan, Plan::Open { push: true } | Plan::Update { push: true, .. });
        let Some(head) = self.remote_head.as_deref().filter(|_| pushes) else { return Ok(()) };
        let overwritten = match given.fix.change {
            Change::Branch(_) => !self.work.contains(&self.draft.head, head)?,
            Change::Patch(_) => {
                let ours = &given.args.what.author.mail;
                self.work.committers(&self.base, head)?.iter().any(|mail| mail != ours)
            }
        };
        if !overwritten {
            return Ok(());
        }
        let hint = match given.fix.change {
            Change::Branch(_) => "pull their commits into your branch first",
            Change::Patch(_) => {
                "take their commits into the patch, use another --fix-id, or set --author to who made it"
            }
        };
        Err(Error::no("pushing the branch", "somebody else has committed to it")
            .on(&self.draft.branch)
            .hint(hint))
    }
}

fn fetch_base(work: &Work, given: Given) -> Result<String> {
    let base = &given.args.place.base;
    let commit = work.remote_heads(&[base])?.remove(0).ok_or_else(|| {
        let repo = &given.to.repo;
        Error::cannot("fetching the base", "there is no such branch")
            .on(format!("{repo} {base}"))
            .hint("set --base")
    })?;
    work.fetch(&[format!("refs/heads/{base}")])?;
    Ok(commit)
}

/// The head branch's name, which must be none of `forbidden`.
fn guarded(given: Given, recipe: &str, forbidden: &[&str]) -> Result<String> {
    let named = guard::fix_branch(recipe, &given.fix.id)?;
    let branch = match &given.fix.change {
        Change::Branch(branch) => branch.clone(),
        Change::Patch(_) => named,
    };
    guard::head(&branch, forbidden)?;
    Ok(branch)
}

fn permitted(args: &Args, branch: &str, site: &Site, diag: &Diag) -> Result<()> {
    if site.head_protected {
        return Err(Error::no("checking the repository", "the head branch is protected").on(branch));
    }
    if site.too_strong && args.place.strict {
        return Err(Error::no("checking the token", "it may push to, or merge into, the base")
            .on(&args.place.base)
            .hint("protect the base so that only people merge"));
    }
    if site.too_strong {
        diag.phase(format_args!("the token may push to, or merge into, {}", args.place.base));
    }
    Ok(())
}

fn draft(given: Given, made: &Made, grounds: &Grounds, branch: String, fix_id: &str) -> Draft {
    let Given { args, fix, words, seen, to, .. } = given;
    let patch = made.patch.as_deref().unwrap_or_default();
    let facts = Facts {
        fix,
        fix_id,
        patch,
        paths: &made.paths,
        diff: &made.diff,
        cases: &grounds.cases,
        seen,
        no_verdict: grounds.no_verdict,
        upstream_issue: args.text.upstream_issue.as_deref(),
    };
    let secrets: Vec<&str> = to.token.iter().map(String::as_str).collect();
    Draft {
        base: args.place.base.clone(),
        branch,
        head: made.commit.clone().unwrap_or_default(),
        title: redacted(&fix.title, &secrets),
        body: words.body(PULL, &facts, &secrets),
        labels: args.text.label.clone(),
        reviewers: args.text.reviewer.clone(),
    }
}
