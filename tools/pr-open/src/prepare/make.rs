//! Makes the commit that is proposed from a patch, or finds it on a branch.

use lib_common::diag::Diag;
use lib_common::{Error, Result};

use super::Given;
use crate::fix::Change;
use crate::git::Work;

/// What is proposed; without a commit if the base has the change already.
pub struct Made {
    pub commit: Option<String>,
    /// `git patch-id --stable` of the change; `None` if a branch changes nothing.
    pub patch: Option<String>,
    /// The hashes by which runs may name the patch: that of the commit, and that of the file.
    pub patches: Vec<String>,
    pub paths: Vec<String>,
    /// The diff, for people.
    pub diff: String,
}

/// Makes or finds the commit; `base` is the base's commit.
pub fn make(given: Given, work: &Work, base: &str, diag: &Diag) -> Result<Made> {
    match &given.fix.change {
        Change::Patch(patch) => of_patch(given, work, base, patch, diag),
        Change::Branch(branch) => of_branch(given, work, base, branch),
    }
}

/// The hash of a patch file, which must contain a diff.
pub fn file_id(given: Given, work: &Work, patch: &[u8]) -> Result<String> {
    let file = given.args.what.fix.iter().map(|folder| folder.join("patch").display().to_string()).next();
    work.patch_id_of(patch)?.ok_or_else(|| {
        Error::cannot("reading the patch", "it holds no git-format diff").on(file.unwrap_or_default())
    })
}

fn of_patch(given: Given, work: &Work, base: &str, patch: &[u8], diag: &Diag) -> Result<Made> {
    let Given { args, fix, .. } = given;
    let file = file_id(given, work, patch)?;
    let diff = String::from_utf8_lossy(patch).into_owned();
    let mut message = format!("{}\n\n", fix.title);
    if !fix.explanation.is_empty() {
        message = format!("{message}{}\n\n", fix.explanation);
    }
    message = format!("{message}Fix-Id: {}\n", fix.id);
    let Some(commit) = work.commit(base, patch, &message, &args.what.author)? else {
        let patches = vec![file.clone()];
        return Ok(Made { commit: None, patch: Some(file), patches, paths: vec![], diff });
    };
    let patch = work.patch_id(base, &commit)?.unwrap_or_default();
    // git may have applied the patch with an offset or other context, which changes its id.
    if patch != file {
        diag.warn(format_args!(
            "the patch id of the commit is {patch}, that of the file is {file}, so runs with the file do not count"
        ));
    }
    let paths = work.paths(base, &commit)?;
    Ok(Made { commit: Some(commit), patches: vec![patch.clone(), file], patch: Some(patch), paths, diff })
}

fn of_branch(given: Given, work: &Work, base: &str, branch: &str) -> Result<Made> {
    let repo_dir = given.args.what.repo_dir.as_deref();
    let found = match repo_dir {
        Some(dir) => work.head_in(dir, branch)?,
        None => work.remote_heads(&[branch])?.remove(0),
    };
    let Some(commit) = found else {
        let place = repo_dir.map_or_else(|| given.to.repo.to_string(), |dir| dir.display().to_string());
        return Err(Error::cannot("reading the branch", "there is no such branch")
            .on(format!("{place} {branch}"))
            .hint("push it first, or name the clone that has it: --repo-dir"));
    };
    if repo_dir.is_none() {
        work.fetch(&[format!("refs/heads/{branch}")])?;
    }
    let patch = if work.contains(base, &commit)? { None } else { work.patch_id(base, &commit)? };
    if patch.is_none() {
        return Ok(Made { commit: None, patch: None, patches: vec![], paths: vec![], diff: String::new() });
    }
    let paths = work.paths(base, &commit)?;
    let diff = String::from_utf8_lossy(&work.diff(base, &commit)?).into_owned();
    Ok(Made { commit: Some(commit), patches: patch.iter().cloned().collect(), patch, paths, diff })
}
