//! Reads a history of another CI in place of the record stream (`--from`): prints its red tests as cases
//! (`--emit cases`), or folds all of it, as records, for the verdicts.

use lib_common::emit::Emitter;
use lib_common::record::Known;
use lib_common::redact::Redactor;
use lib_common::{Error, Exit, Io, Result};

use crate::cli::Args;
use crate::fold::Fold;
use crate::history;

/// Prints one `case.failed` for each red test. Exits 1 if none is red.
pub fn emit(args: &Args, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let sweep = &args.sweep;
    let runs = history::read(args, io)?;
    let given = |own: fn(&history::PastRun) -> &Option<String>, flag: &Option<String>| {
        flag.is_some() || runs.iter().all(|run| own(run).is_some())
    };
    let flags = [
        ("--recipe", given(|run| &run.recipe, &sweep.recipe)),
        ("--version-under-test", given(|run| &run.version, &sweep.version_under_test)),
    ];
    if let Some((flag, _)) = flags.iter().find(|(_, given)| !given) {
        return Err(
            Error::cannot("reading arguments", "it is missing, and the files do not name it").on(flag)
        );
    }
    let cases = history::failed(&runs, sweep, &mut Redactor::new::<&[u8]>(&[]));
    for case in &cases {
        emitter.emit(io, case)?;
    }
    Ok(if cases.is_empty() { Exit::No } else { Exit::Done })
}

/// Folds the history. Unless `silent`, it also prints the history as records, so that `--recheck` can check the
/// verdicts.
pub fn fold(args: &Args, io: &mut Io, emitter: &mut Emitter, silent: bool) -> Result<Fold> {
    let runs = history::read(args, io)?;
    let mut fold = Fold::default();
    let mut text = Vec::new();
    for record in history::tell(&runs, &args.sweep) {
        if !silent {
            match &record {
                Known::CaseFailed(body) => text.extend(emitter.line(io, body.as_ref())?),
                Known::RunFinished(body) => text.extend(emitter.line(io, body.as_ref())?),
                Known::TestFinished(body) => text.extend(emitter.line(io, body.as_ref())?),
                _ => {}
            }
            text.push(b'\n');
            if text.len() > 1 << 20 {
                write(io, &mut text)?;
            }
        }
        fold.note(record);
    }
    write(io, &mut text)?;
    fold.finish();
    Ok(fold)
}

fn write(io: &mut Io, text: &mut Vec<u8>) -> Result<()> {
    let done = io.stdout.write_all(text).and_then(|()| io.stdout.flush());
    text.clear();
    done.map_err(|e| Error::write("standard output", &e))
}
