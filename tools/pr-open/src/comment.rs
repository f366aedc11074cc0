//! `--comment`: a fix that would change a test is explained on a pull request, and left to people.

use lib_common::emit::Emitter;
use lib_common::record::pr::PrCommented;
use lib_common::{Error, Exit, Io, Result};

use crate::body::{self, COMMENT, Facts};
use crate::explain;
use crate::fix::Change;
use crate::forge::Note;
use crate::git::{Git, Work};
use crate::guard;
use crate::lock::Lock;
use crate::prepare::{Given, file_id, grounds, recipe};

/// Leaves the comment on pull request `number`, or brings it up to date, and appends `pr.commented`.
pub fn comment(given: Given, number: u64, git: Git, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let Given { args, fix, words, seen, to, .. } = given;
    let Change::Patch(patch) = &fix.change else {
        return Err(Error::cannot("explaining the fix", "--comment needs --fix"));
    };
    let work = Work::new(git, to.remote.clone())?;
    let file = file_id(given, &work, patch)?;
    let paths = work.paths_of(patch)?;
    let recipe = recipe(given, &paths)?;
    guard::fix_branch(&recipe, &fix.id)?;
    let grounds = grounds(given, &recipe, &paths, std::slice::from_ref(&file), false)?;
    let fix_id = format!("{recipe}/{}", fix.id);
    let diff = String::from_utf8_lossy(patch);
    let diff = diff.find("diff --git ").map_or("", |at| &diff[at..]);
    let facts = Facts {
        fix,
        fix_id: &fix_id,
        patch: &file,
        paths: &paths,
        diff,
        cases: &grounds.cases,
        seen,
        no_verdict: grounds.no_verdict,
        upstream_issue: args.text.upstream_issue.as_deref(),
    };
    let secrets: Vec<&str> = to.token.iter().map(String::as_str).collect();
    let body = words.body(COMMENT, &facts, &secrets).trim_end().to_owned();
    let note = Note { body, mark: body::mark(COMMENT, &facts) };

    let pull = to.forge.pull(number)?;
    if args.dry_run {
        explain::note(number, &note, to)?;
        return Ok(Exit::Done);
    }
    let key = format!("{} {} #{number} {fix_id}", to.address, to.repo);
    let _lock = Lock::take(&key, args.place.git_timeout)?;
    let noted = to.forge.explain(number, &note)?;
    let url = if noted.url.is_empty() { pull.url } else { noted.url };
    let record = PrCommented {
        cases: grounds.cases,
        action: noted.action,
        forge: to.address.to_string(),
        repo: to.repo.to_string(),
        number,
        url: url.clone(),
        fix_id: fix.id.clone(),
        patch: file,
        route: fix.route,
        no_verdict: grounds.no_verdict,
        upstream_issue: args.text.upstream_issue.clone(),
    };
    emitter.emit(io, &record).map_err(|error| error.hint(format!("the comment is {url}")))?;
    Ok(Exit::Done)
}
