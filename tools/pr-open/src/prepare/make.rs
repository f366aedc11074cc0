//! The commit that is proposed: made of a patch, or found on a branch.

use lib_common::diag::Diag;
use lib_common::{Error, Result};

use super::Given;
use crate::fix::Change;
use crate::git::Work;

/// Our commit, as far as there is anything to commit.
pub struct Made {
    pub commit: Option<String>,
    /// `git patch-id --stable` of what changes; `None` where a branch changes nothing.
    pub patch: Option<String>,
    /// By which runs may know the patch: as the file has it, and as the commit has it.
    pub patches: Vec<String>,
    pub paths: Vec<String>,
    /// For people to read.
    pub diff: String,
}

/// `base`: the commit of the base.
pub fn make(given: Given, work: &Work, base: &str, diag: &Diag) -> Result<Made> {
    match &given.fix.change {
        Change::Patch(patch) => of_patch(given, work, base, patch, diag),
        Change::Branch(branch) => of_branch(given, work, base, branch),
    }
}

/// Hash of a patch file, which must hold something.
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
    if patch != file {
        diag.warn(format_args!(
            "the commit's patch id is {patch}, the file's {file}: runs of the file do not count"
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
