//! From the settings and what was seen to a job: the commit, the text and the plan. Changes nothing outside
//! its own temporary repository.

use std::collections::BTreeSet;

use lib_common::diag::Diag;
use lib_common::{Error, Result};

use crate::body::{Facts, TEMPLATE, redacted, render};
use crate::cli::Args;
use crate::fix::Fix;
use crate::forge::{Connection, Draft, Pull, Site};
use crate::git::{Git, Work};
use crate::grounds::{self, Claim};
use crate::guard;
use crate::plan::{Plan, There, decide, ours};
use crate::seen::Seen;

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
    pub patch: String,
    pub cases: Vec<String>,
    pub no_verdict: bool,
    /// `<recipe>/<fix-id>`
    pub fix_id: String,
}

/// What every step of the preparation needs.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub args: &'a Args,
    pub fix: &'a Fix,
    pub seen: &'a Seen,
    pub to: &'a Connection,
    pub diag: &'a Diag,
}

/// Our commit, as far as there is anything to commit.
struct Made {
    commit: Option<String>,
    patch: String,
    /// By which runs may know the patch: as the file has it, and as the commit has it.
    patches: Vec<String>,
    paths: Vec<String>,
}

impl Job {
    pub fn prepare(given: Given, git: Git) -> Result<Self> {
        let Given { args, fix, to, diag, .. } = given;
        let forge = to.forge.as_ref();
        diag.phase(format_args!("fetching {} from {}", args.place.base, to.remote.url));
        let work = Work::new(git, to.remote.clone())?;
        let base = fetch_base(&work, args)?;
        let made = make(given, &work, &base)?;
        let recipe = recipe(args, fix, &made.paths)?;
        let branch = guard::branch(&recipe, &fix.id, &[&args.place.base])?;
        guard::tests(&made.paths, &args.consent.tests_glob, args.consent.with_tests)?;
        guard::recipes(&made.paths, args.consent.multi)?;
        let grounds = supported(given, &made, &recipe)?;

        diag.phase(format_args!("asking {} for {branch}", args.place.forge));
        let site = forge.site(&args.place.base, &branch)?;
        guard::branch(&recipe, &fix.id, &[&args.place.base, &site.default_branch])?;
        permitted(args, &branch, &site, diag)?;

        let remote_head = work.remote_heads(&[&branch])?.remove(0);
        if remote_head.is_some() {
            work.fetch(&[format!("refs/heads/{branch}")])?;
        }
        let fix_id = format!("{recipe}/{}", fix.id);
        let draft = draft(given, &made, &grounds, branch, &fix_id)?;
        let plan = plan(given, &work, &base, &draft, remote_head.as_deref(), &made)?;
        let Grounds { cases, no_verdict } = grounds;
        let job = Self { work, draft, plan, remote_head, base, patch: made.patch, cases, no_verdict, fix_id };
        job.spare_strangers(args)?;
        Ok(job)
    }

    /// A branch that somebody else has committed to is not overwritten.
    fn spare_strangers(&self, args: &Args) -> Result<()> {
        let pushes = matches!(self.plan, Plan::Open { push: true } | Plan::Update { push: true, .. });
        let Some(head) = self.remote_head.as_deref().filter(|_| pushes) else { return Ok(()) };
        let ours = &args.fix.author.mail;
        match self.work.committers(&self.base, head)?.iter().find(|mail| *mail != ours) {
            Some(_) => Err(Error::no("pushing the branch", "somebody else has committed to it")
                .on(&self.draft.branch)
                .hint(
                    "take their commits into the patch, use another --fix-id, or set --author to who made it",
                )),
            None => Ok(()),
        }
    }
}

fn fetch_base(work: &Work, args: &Args) -> Result<String> {
    let base = &args.place.base;
    let commit = work.remote_heads(&[base])?.remove(0).ok_or_else(|| {
        let repo = &args.place.repo;
        Error::cannot("fetching the base", "there is no such branch")
            .on(format!("{repo} {base}"))
            .hint("set --base")
    })?;
    work.fetch(&[format!("refs/heads/{base}")])?;
    Ok(commit)
}

fn make(given: Given, work: &Work, base: &str) -> Result<Made> {
    let Given { args, fix, diag, .. } = given;
    let file = work.patch_id_of(&fix.patch)?.ok_or_else(|| {
        Error::cannot("reading the patch", "it holds no git-format diff").on(args
            .fix
            .fix
            .join("patch")
            .display())
    })?;
    let mut message = format!("{}\n\n", fix.title);
    if !fix.explanation.is_empty() {
        message = format!("{message}{}\n\n", fix.explanation);
    }
    message = format!("{message}Fix-Id: {}\n", fix.id);
    let Some(commit) = work.commit(base, &fix.patch, &message, &args.fix.author)? else {
        return Ok(Made { commit: None, patch: file.clone(), patches: vec![file], paths: vec![] });
    };
    let patch = work.patch_id(base, &commit)?.unwrap_or_default();
    if patch != file {
        diag.warn(format_args!(
            "the commit's patch id is {patch}, the file's {file}: runs of the file do not count"
        ));
    }
    let paths = work.paths(base, &commit)?;
    Ok(Made { commit: Some(commit), patches: vec![patch.clone(), file], patch, paths })
}

/// The recipe in the branch's name. It never depends on standard input: it is part of the idempotency key.
fn recipe(args: &Args, fix: &Fix, paths: &[String]) -> Result<String> {
    let touched = guard::recipes_of(paths);
    let only = touched.first().filter(|_| touched.len() == 1).cloned();
    args.fix.recipe.clone().or_else(|| fix.recipe.clone()).or(only).ok_or_else(|| {
        Error::cannot("naming the branch", "which recipe is this for?")
            .on(args.fix.fix.display())
            .hint("set --recipe, or keep the folder in RECIPE/fixes/")
    })
}

/// The cases that the fix serves, and whether it goes without a verdict.
struct Grounds {
    cases: Vec<String>,
    no_verdict: bool,
}

fn supported(given: Given, made: &Made, recipe: &str) -> Result<Grounds> {
    let Given { args, fix, seen, .. } = given;
    let mut recipes = BTreeSet::from([recipe.to_owned()]);
    if args.consent.multi {
        recipes.extend(guard::recipes_of(&made.paths));
    }
    let claim = Claim { route: fix.route, cases: &args.fix.case, recipes: &recipes, patches: &made.patches };
    match grounds::cases(seen, &claim) {
        Ok(cases) => Ok(Grounds { cases, no_verdict: false }),
        // What the base has already can only be reported as merged.
        Err(_) if args.consent.no_verdict || made.commit.is_none() => {
            Ok(Grounds { cases: grounds::named(seen, &claim), no_verdict: true })
        }
        Err(error) => Err(error),
    }
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

fn draft(given: Given, made: &Made, grounds: &Grounds, branch: String, fix_id: &str) -> Result<Draft> {
    let Given { args, fix, seen, to, .. } = given;
    let template = match &args.fix.template {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Error::cannot("reading the template", e).on(path.display()))?,
        None => TEMPLATE.to_owned(),
    };
    let facts = Facts {
        fix,
        fix_id,
        patch: &made.patch,
        paths: &made.paths,
        cases: &grounds.cases,
        seen,
        no_verdict: grounds.no_verdict,
        upstream_issue: args.fix.upstream_issue.as_deref(),
    };
    let secrets: Vec<&str> = to.token.iter().map(String::as_str).collect();
    Ok(Draft {
        base: args.place.base.clone(),
        branch,
        head: made.commit.clone().unwrap_or_default(),
        title: redacted(&fix.title, &secrets),
        body: render(&template, &facts, &secrets),
    })
}

fn plan(
    given: Given,
    work: &Work,
    base: &str,
    draft: &Draft,
    remote_head: Option<&str>,
    made: &Made,
) -> Result<Plan> {
    let forge = given.to.forge.as_ref();
    let open = forge.open_pulls()?;
    let mine = !ours(&open, &draft.base, &draft.branch).is_empty();
    let past = if mine { None } else { forge.past_pull(&draft.base, &draft.branch)? };
    if made.commit.is_none() && !mine {
        return match past.filter(|past| past.merged) {
            Some(merged) => Ok(Plan::Merged(merged)),
            None => Err(Error::no("applying the patch", "the base has this change already: nothing to do")
                .on(&draft.base)),
        };
    }
    let branch_patch = remote_head.map(|head| work.patch_id(base, head)).transpose()?.flatten();
    let same_patch = if mine { vec![] } else { look_around(given, work, base, &open, made) };
    let there = There {
        open: &open,
        past: past.as_ref(),
        branch_has_patch: branch_patch.as_deref() == Some(made.patch.as_str()),
        same_patch: &same_patch,
        reopen: given.args.reopen,
    };
    decide(draft, &there)
}

/// Numbers of the other open pull requests with the same patch; those that touch the same files are shown.
fn look_around(given: Given, work: &Work, base: &str, open: &[Pull], made: &Made) -> Vec<u64> {
    let Given { args, diag, .. } = given;
    let others: Vec<&Pull> = open.iter().filter(|pull| pull.base == args.place.base).collect();
    let refs: Vec<String> = others.iter().map(|pull| pull.fetch.clone()).collect();
    if refs.is_empty() {
        return vec![];
    }
    if let Err(error) = work.fetch(&refs) {
        diag.warn(format_args!("not compared with the other open pull requests: {error}"));
        return vec![];
    }
    let mut same = vec![];
    for pull in others {
        if work.patch_id(base, &pull.head).ok().flatten().as_deref() == Some(made.patch.as_str()) {
            same.push(pull.number);
        } else if let Some(path) =
            work.paths(base, &pull.head).unwrap_or_default().iter().find(|path| made.paths.contains(path))
        {
            diag.warn(format_args!("{} changes {path}, too", pull.url));
        }
    }
    same
}
