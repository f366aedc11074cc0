//! Decides whether a failing case is genuine, a load-flake, a flake or inconclusive, in as few runs as possible.
//!
//! `input` and `fold` turn the stream into cases, `history` reads what other CIs wrote, `sample` and `pool` say
//! which runs count, `judge` decides by `rule`, `contrast` and `fix` compare what was varied, `finding` holds what
//! they say of a case, `verdict` makes a record of it, `plan` says what to run next, unless a plan is `given`.

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
mod given;
mod history;
mod input;
mod judge;
mod needed;
mod plan;
mod pool;
#[cfg(test)]
mod props;
mod recheck;
mod rule;
mod sample;
mod settings;
#[cfg(test)]
mod testing;
mod texts;
mod verdict;
mod window;
mod words;

pub use cli::{Args, Format};
#[doc(hidden)]
pub use history::fuzz as fuzz_history;
#[doc(hidden)]
pub use input::fuzz as fuzz_stream;

use finding::{Finding, findings};
use fold::Fold;
use given::Given;
use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::record::verdict::Verdict;
use lib_common::{Error, Exit, Io, Result};
use needed::Needed;
use plan::Next;
use settings::Settings;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let settings = args.settings()?;
    let ledger = args.records_verdicts().then_some(args.durable.ledger.as_deref()).flatten();
    let ledger = ledger.map(|path| Ledger::open(path, &io.diag)).transpose()?;
    let mut emitter = Emitter::new(args.common.investigation.clone(), ledger);
    if args.sweep.emit.is_some() {
        return cases::emit(args, io, &mut emitter);
    }
    if let Some(path) = &args.plan {
        let given = Given::read(path, &args.common.reading, &io.diag)?;
        return repeat(given, args, &settings, io);
    }
    let silent = args.next || args.explain || args.recheck;
    let fold = if args.sweep.from.is_some() {
        cases::fold(args, io, &mut emitter, silent)?
    } else if silent {
        input::only(&args.common, io, &mut emitter)?
    } else {
        input::passing(&args.common, io, &mut emitter)?
    };
    warn(&fold, args.sweep.from.is_some(), io);
    if args.next {
        return next(&fold, &settings, io, &mut emitter);
    }
    let mut undecided = false;
    if args.recheck {
        if !recheck(&fold, &settings, io, &mut undecided) {
            return Ok(Exit::No);
        }
    } else if args.explain {
        explain(&fold, &settings, io, &mut undecided)?;
    } else {
        append(&fold, &settings, io, &mut emitter, &mut undecided)?;
    }
    Ok(if args.require && undecided { Exit::No } else { Exit::Done })
}

fn warn(fold: &Fold, is_history: bool, io: &Io) {
    let cases = fold.cases();
    if !cases.iter().any(|(_, case)| case.failed.is_some()) {
        io.diag.warn(if is_history {
            "there is no case to decide: no test was red in any run"
        } else {
            "there is no case to decide: no case.failed among the records; flake-classify --from FORMAT --emit cases \
             makes one of each red test of a sweep"
        });
    }
    let mut full = cases.iter().filter(|(_, case)| case.overfull && case.failed.is_some());
    if let Some((name, _)) = full.next() {
        let (limit, more) = (fold.limit(), full.count());
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        io.diag.warn(format_args!("{name}{others}: only the earliest {limit} attempts of each were kept"));
    }
}

fn is_undecided(finding: &Finding) -> bool {
    finding.judgement.verdict == Verdict::Inconclusive
}

/// Appends one verdict per case and per fix, unless the last one on the stream is the same.
fn append(
    fold: &Fold,
    settings: &Settings,
    io: &mut Io,
    emitter: &mut Emitter,
    undecided: &mut bool,
) -> Result<()> {
    for (case, finding) in findings(fold, settings) {
        let verdict = finding.verdict(settings);
        if !input::is_same(case.last_verdict.as_deref(), &verdict) {
            emitter.emit(io, &verdict)?;
        }
        for fix in &finding.fixes {
            if !input::is_same(case.last_fixes.get(&fix.fix), fix) {
                emitter.emit(io, fix)?;
            }
        }
        *undecided |= is_undecided(&finding);
    }
    Ok(())
}

/// `--next`: prints one plan for each case that is not settled.
fn next(fold: &Fold, settings: &Settings, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let mut needed = Needed::new(&settings.rule);
    let (mut exit, mut stuck) = (Exit::Done, None);
    for (_, finding) in findings(fold, settings) {
        match plan::next(&finding, settings, &mut needed) {
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

/// Prints the given plan, unless a run of it counted.
fn repeat(mut given: Given, args: &Args, settings: &Settings, io: &mut Io) -> Result<Exit> {
    input::runs(&args.common.reading, io, |run| given.note(run, settings))?;
    if given.is_settled()? {
        return Ok(Exit::Done);
    }
    let line = [&given.line, &b"\n"[..]].concat();
    let printed = io.stdout.write_all(&line).and_then(|()| io.stdout.flush());
    printed.map_err(|e| Error::write("standard output", &e)).map(|()| Exit::No)
}

fn explain(fold: &Fold, settings: &Settings, io: &mut Io, undecided: &mut bool) -> Result<()> {
    let mut needed = Needed::new(&settings.rule);
    for (_, finding) in findings(fold, settings) {
        let text = explain::explain(&finding, settings, &mut needed);
        io.stdout.write_all(text.as_bytes()).map_err(|e| Error::write("standard output", &e))?;
        *undecided |= is_undecided(&finding);
    }
    io.stdout.flush().map_err(|e| Error::write("standard output", &e))
}

/// `--recheck`: whether every recorded verdict agrees with the runs. Each disagreement is printed on a line.
fn recheck(fold: &Fold, settings: &Settings, io: &Io, undecided: &mut bool) -> bool {
    let mut agrees = true;
    for (name, case) in fold.cases() {
        let finding =
            case.failed.as_deref().map(|failed| Finding::new(failed.clone(), case, fold.texts(), settings));
        for what in recheck::recheck(case, finding.as_ref(), settings) {
            io.diag.error(&Error::no("checking verdicts again", what).on(name));
            agrees = false;
        }
        *undecided |= finding.as_ref().is_some_and(is_undecided);
    }
    agrees
}
