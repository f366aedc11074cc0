//! Reads the stream once, passing it on or not.

use lib_common::emit::{Emitter, copy_records};
use lib_common::record::Body;
use lib_common::stream::{Reader, Torn};
use lib_common::{Error, Io, Result};

use crate::cli::Args;
use crate::fold::Fold;

/// Folds every record and passes every line on, byte for byte.
pub fn passing(args: &Args, io: &mut Io, emitter: &mut Emitter) -> Result<Fold> {
    needs_input(io)?;
    let mut fold = Fold::default();
    copy_records(&args.common, io, emitter, |_, _, known| {
        fold.note(known);
        Ok(())
    })?;
    Ok(fold)
}

/// Folds every record and passes nothing on. New records still join the investigation that was read.
pub fn only(args: &Args, io: &mut Io, emitter: &mut Emitter) -> Result<Fold> {
    needs_input(io)?;
    let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
    let mut reader = Reader::new(input, "standard input", &args.common, Torn::SetAside);
    let (mut fold, mut investigation) = (Fold::default(), args.common.investigation.clone());
    while let Some(line) = reader.next_line(&io.diag)? {
        if investigation.is_none() {
            investigation = line.keys().investigation.map(Into::into);
        }
        if let Some(known) = reader.known(&line, &io.diag)? {
            fold.note(known);
        }
    }
    *emitter = Emitter::new(investigation, None);
    Ok(fold)
}

fn needs_input(io: &Io) -> Result<()> {
    if io.stdin_is_terminal {
        return Err(Error::cannot("reading the record stream", "it is a terminal")
            .on("standard input")
            .hint("pipe records into it: flake-classify < ledger.jsonl"));
    }
    Ok(())
}

/// Whether the record that was read says the same as ours. Both are compared as they read back, because a
/// float's last digit may differ from the one that was computed.
pub fn is_same<B: Body + PartialEq>(read: Option<&B>, ours: &B) -> bool {
    let back = serde_json::to_vec(ours).and_then(|text| serde_json::from_slice::<B>(&text));
    back.is_ok_and(|back| read == Some(&back))
}
