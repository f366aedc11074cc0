//! `redfix-report review`: the gate judged once more, and what somebody else says of it, on the record.

use lib_common::emit::Emitter;
use lib_common::ledger::Ledger;
use lib_common::record::verdict::ReviewRecorded;
use lib_common::{Error, Exit, Io, Result};

use crate::cli::{Args, ReviewArgs};
use crate::folders::Folders;
use crate::input::Keep;
use crate::recheck::Rederive;
use crate::report::{Report, is_same_person};

/// Appends `review.recorded`. A pass is recorded only if the gate passes now; a veto always.
pub fn run(args: &Args, review: &ReviewArgs, rederive: &dyn Rederive, io: &mut Io) -> Result<Exit> {
    let author = review.proof.author.as_deref();
    if author.is_some_and(|author| is_same_person(author, &review.reviewer)) {
        return Err(Error::cannot("recording a review", "is the author of the fixes")
            .on(&review.reviewer)
            .hint("a review is a second look: ask somebody else"));
    }
    let input = crate::input::read(
        &review.files,
        &args.common,
        io,
        Keep { raw: review.proof.recheck, journal: false },
        true,
    )?;
    let investigation = args.common.investigation.clone().or_else(|| input.investigation.clone());
    let ledger = review.durable.ledger.as_deref();
    let folders = Folders::of(review.proof.evidence.as_deref(), &review.files, ledger);
    let proofs = crate::prove(&input, &review.files, &folders, &review.proof, rederive)?;
    let report = Report::new(&input.fold, &proofs, &[review.gate], &input.hash, author);
    let body = ReviewRecorded {
        reviewer: review.reviewer.clone(),
        gate: review.gate.name().into(),
        ledger: input.hash.clone(),
        pass: report.passes() && !review.reject,
        note: review.note.clone(),
    };
    let ledger = review.durable.ledger.as_deref().map(|path| Ledger::open(path, &io.diag)).transpose()?;
    Emitter::new(investigation, ledger).emit(io, &body)?;
    if body.pass {
        return Ok(Exit::Done);
    }
    let line = report.selected().first().map_or_else(String::new, |gate| gate.line());
    io.diag.warn(format_args!("recorded as not passed: {line}"));
    Ok(Exit::No)
}
