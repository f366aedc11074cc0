//! Decide genuine, load-flake, flake or inconclusive in as few runs as possible.
//!
//! `fold` turns the stream into cases, `sample` and `pool` say which of their runs count, `judge`
//! decides by `rule`, `contrast` and `fix` compare what was varied, `plan` says what to run next.

mod attempt;
mod cases;
mod cli;
mod contrast;
mod cure;
mod eprocess;
#[cfg(test)]
mod exact;
mod explain;
mod finding;
mod fix;
mod fold;
mod glr;
mod judge;
mod needed;
mod plan;
mod pool;
#[cfg(test)]
mod props;
mod read;
mod recheck;
mod rule;
mod sample;
#[cfg(test)]
mod testing;
mod words;

pub use cli::Args;
use finding::Finding;
use fold::Fold;
use judge::Settings;
use lib_common::emit::Emitter;
use lib_common::record::verdict::Verdict;
use lib_common::{Error, Exit, Io, Result};
use needed::Needed;
use plan::Next;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let settings = args.settings()?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    if args.sweep.emit.is_some() {
        return cases::emit(args, io, &mut emitter);
    }
    let silent = args.next || args.explain || args.recheck;
    let fold =
        if silent { read::only(args, io, &mut emitter)? } else { read::passing(args, io, &mut emitter)? };
    let findings = finding::findings(&fold, &settings);
    for finding in findings.iter().filter(|finding| finding.overfull) {
        let case = &finding.failed.case;
        io.diag.warn(format_args!("{case}: only the first {} attempts were looked at", fold::KEPT));
    }
    if args.next {
        return next(&findings, &settings, io, &mut emitter);
    }
    if args.recheck {
        let agrees = recheck(&fold, &findings, &settings, io);
        return Ok(if agrees { required(args, &findings) } else { Exit::No });
    }
    if args.explain {
        explain(&findings, &settings, io)?;
    } else {
        append(&fold, &findings, &settings, io, &mut emitter)?;
    }
    Ok(required(args, &findings))
}

/// One verdict per case and per fix, unless the stream ends with that very verdict already.
fn append(
    fold: &Fold,
    findings: &[Finding],
    settings: &Settings,
    io: &mut Io,
    emitter: &mut Emitter,
) -> Result<()> {
    let known = fold.cases();
    for finding in findings {
        let before = known.iter().find(|(name, _)| *name == finding.failed.case).map(|(_, case)| *case);
        let verdict = finding.verdict(settings);
        if !read::is_same(before.and_then(|case| case.last_verdict.as_ref()), &verdict) {
            emitter.emit(io, &verdict)?;
        }
        for fix in &finding.fixes {
            if !read::is_same(before.and_then(|case| case.last_fixes.get(&fix.fix)), fix) {
                emitter.emit(io, fix)?;
            }
        }
    }
    Ok(())
}

/// Only plans, one per case that is not settled.
fn next(findings: &[Finding], settings: &Settings, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let mut needed = Needed::new(&settings.rule);
    let (mut exit, mut stuck) = (Exit::Done, None);
    for finding in findings {
        match plan::next(finding, settings, &mut needed) {
            Next::Settled => {}
            Next::Run(plan) => {
                emitter.emit(io, plan.as_ref())?;
                exit = Exit::No;
            }
            Next::Stuck(reasons) => {
                let cause = format!("the last five runs did not count: {}", reasons.join(", "));
                let error = Error::cannot("planning the next run", cause)
                    .on(&finding.failed.case)
                    .hint("run.finished.reason says why; --explain names the attempts");
                stuck.get_or_insert(error);
            }
        }
    }
    stuck.map_or(Ok(exit), Err)
}

fn explain(findings: &[Finding], settings: &Settings, io: &mut Io) -> Result<()> {
    let mut needed = Needed::new(&settings.rule);
    for finding in findings {
        let text = explain::explain(finding, settings, &mut needed);
        io.stdout.write_all(text.as_bytes()).map_err(|e| Error::write("standard output", &e))?;
    }
    io.stdout.flush().map_err(|e| Error::write("standard output", &e))
}

fn recheck(fold: &Fold, findings: &[Finding], settings: &Settings, io: &Io) -> bool {
    let disagreements = recheck::recheck(fold, findings, settings);
    for found in &disagreements {
        io.diag.error(&Error::no("checking verdicts again", &found.what).on(&found.case));
    }
    disagreements.is_empty()
}

fn required(args: &Args, findings: &[Finding]) -> Exit {
    let undecided = findings.iter().any(|finding| finding.judgement.verdict == Verdict::Inconclusive);
    if args.require && undecided { Exit::No } else { Exit::Done }
}
