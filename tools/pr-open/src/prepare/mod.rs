//! Prepares a job from the options and the records: the commit, the text and the plan. Changes nothing outside its own
//! temporary repository.

mod look;
mod make;
mod support;

use lib_common::diag::Diag;
use lib_common::record::verdict::Route;
use lib_common::{Error, Result};

use crate::body::{Facts, PULL, redacted};
use crate::cli::Args;
use crate::fix::{Change, Fix};
use crate::forge::{Connection, Draft, Forge, Found, Pull, Site, Writes};
use crate::git::{Git, Work};
use crate::guard;
use crate::leak;
use crate::lock::Lock;
use crate::plan::Plan;
use crate::seen::Seen;
use crate::words::Words;
use make::Made;

pub use make::file_id;
pub use support::{Grounds, grounds, recipe};

/// Everything that is needed to carry the plan out.
pub struct Job {
    pub work: Work,
    pub draft: Draft,
    pub plan: Plan,
    /// Further open pull requests of this base and branch: a person closes them.
    pub twins: Vec<Pull>,
    /// Where the remote's head branch is now, if it is there.
    pub remote_head: Option<String>,
    /// The base's commit.
    pub base: String,
    /// `git patch-id --stable` of our own commit.
    pub patch: Option<String>,
    pub grounds: Grounds,
    /// `<recipe>/<fix-id>`
    pub fix_id: String,
    /// Keeps other processes on this machine from the branch; `None` in a dry run, which changes nothing.
    pub lock: Option<Lock>,
}

/// What every step of the preparation gets.
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
        // The API says what is wrong in words that git does not have: it is asked first.
        diag.phase(format_args!("asking {} about {}", to.address, to.repo));
        forge.may(Writes { code: true, comments: args.ci.asks() })?;
        let site = forge.site(&args.place.base)?;
        permitted(args, &site, diag)?;
        diag.phase(format_args!("fetching {} from {}", args.place.base, to.remote.url));
        let work = Work::new(git, to.remote.clone())?;
        if let Some(dir) = &args.what.repo_dir {
            work.borrow_from(dir)?;
        }
        let base = fetch_base(&work, given)?;
        let made = make::make(given, &work, &base, diag)?;
        let recipe = recipe(given, &made.paths)?;
        let branch = guarded(given, &recipe, &[&args.place.base, &site.default_branch])?;
        guard::tests(&made.paths, &args.consent.tests_glob, args.consent.with_tests)?;
        // A recipe's own repository holds one recipe, whatever its folders are called.
        guard::recipes(&made.paths, args.consent.multi || fix.route == Route::RecipePr)?;
        // What the base has already can only be reported.
        let grounds = grounds(given, &recipe, &made.paths, &made.patches, made.commit.is_none())?;
        sealed(given, &work, &base, &made, &branch)?;

        let key = format!("{} {} {branch}", to.address, to.repo);
        let lock = (!args.dry_run).then(|| Lock::take(&key, args.place.git_timeout)).transpose()?;
        diag.phase(format_args!("asking {} for {branch}", to.address));
        let there = work.remote_heads(&[&branch])?.remove(0);
        let remote_head = there.map(|_| work.fetch_branch(&branch)).transpose()?;
        let fix_id = format!("{recipe}/{}", fix.id);
        let draft = draft(given, &made, &grounds, branch, &fix_id);
        let (plan, twins) = {
            let there =
                look::Looked { work: &work, base: &base, remote_head: remote_head.as_deref(), made: &made };
            look::plan(given, &there, &draft, diag)?
        };
        let mut job =
            Self { work, draft, plan, twins, remote_head, base, patch: made.patch, grounds, fix_id, lock };
        job.spare_strangers(given)?;
        if job.pushes() {
            job.may_push(forge)?;
        }
        if matches!(job.plan, Plan::Open { .. }) {
            let asks_there = args.ci.asks() && !job.pushes();
            job.draft.found = forge.look_up(&job.draft, asks_there)?;
        }
        Ok(job)
    }

    fn pushes(&self) -> bool {
        matches!(self.plan, Plan::Open { push: true } | Plan::Update { push: true, .. })
    }

    /// What the remote would refuse, in better words than git's.
    fn may_push(&self, forge: &dyn Forge) -> Result<()> {
        let branch = &self.draft.branch;
        if self.remote_head.is_some() && !forge.may_push(branch)? {
            return Err(Error::no("checking the repository", "the head branch is protected")
                .on(branch)
                .hint("put the bot on the list of those who may push to it"));
        }
        let other = if self.remote_head.is_none() { self.work.in_the_way(branch)? } else { None };
        match other {
            None => Ok(()),
            Some(other) => {
                let cause =
                    format!("the branch {other} is in the way: a name is a branch or a folder of branches");
                Err(Error::cannot("pushing the branch", cause)
                    .on(branch)
                    .hint("rename or remove that branch"))
            }
        }
    }

    /// A branch that somebody else has committed to is not overwritten.
    fn spare_strangers(&self, given: Given) -> Result<()> {
        let Some(head) = self.remote_head.as_deref().filter(|_| self.pushes()) else { return Ok(()) };
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

/// The base's commit, as it came.
fn fetch_base(work: &Work, given: Given) -> Result<String> {
    let base = &given.args.place.base;
    if work.remote_heads(&[base])?.remove(0).is_none() {
        let repo = &given.to.repo;
        return Err(Error::cannot("fetching the base", "there is no such branch")
            .on(format!("{repo} {base}"))
            .hint("set --base"));
    }
    work.fetch_branch(base)
}

/// Nothing that leaves may hold a secret: not the commits, nor the words of a person, nor a name.
fn sealed(given: Given, work: &Work, base: &str, made: &Made, branch: &str) -> Result<()> {
    let secrets = given.to.secrets();
    let guard = leak::Guard::new(&secrets);
    words_sealed(given, &guard)?;
    guard.text("the branch's name", branch.as_bytes())?;
    match &made.commit {
        Some(commit) => guard.commits(&work.published(base, commit)?),
        None => Ok(()),
    }
}

/// The words of a person, for a pull request or a comment.
pub fn words_sealed(given: Given, guard: &leak::Guard) -> Result<()> {
    let Given { args, fix, words, .. } = given;
    guard.text("the title", fix.title.as_bytes())?;
    guard.text("the explanation before the patch", fix.explanation.as_bytes())?;
    guard.text("the text", words.own().unwrap_or_default().as_bytes())?;
    for (place, name) in args.text.label.iter().map(|name| ("a label", name)).chain(
        args.text
            .reviewer
            .iter()
            .map(|name| ("a reviewer", name))
            .chain(args.text.upstream_issue.iter().map(|name| ("--upstream-issue", name))),
    ) {
        guard.text(place, name.as_bytes())?;
    }
    Ok(())
}

/// The head branch's name, once it is checked; it must be none of `forbidden`.
fn guarded(given: Given, recipe: &str, forbidden: &[&str]) -> Result<String> {
    let named = guard::fix_branch(recipe, &given.fix.id)?;
    let branch = match &given.fix.change {
        Change::Branch(branch) => branch.clone(),
        Change::Patch(_) => named,
    };
    guard::head(&branch, forbidden)?;
    Ok(branch)
}

fn permitted(args: &Args, site: &Site, diag: &Diag) -> Result<()> {
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
    let Given { args, fix, words, seen, to } = given;
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
    let secrets = to.secrets();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    Draft {
        base: args.place.base.clone(),
        branch,
        head: made.commit.clone().unwrap_or_default(),
        title: redacted(&fix.title, &secrets),
        body: words.body(PULL, &facts, &secrets),
        labels: args.text.label.clone(),
        reviewers: args.text.reviewer.clone(),
        found: Found::default(),
    }
}
