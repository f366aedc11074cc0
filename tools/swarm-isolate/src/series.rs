//! The runs of one call: reads the records before them, finds which run is next, and writes their records.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use lib_common::cli::Place;
use lib_common::emit::Emitter;
use lib_common::ledger::{Ledger, folder_of};
use lib_common::record::Known;
use lib_common::record::run::Outcome;
use lib_common::stream::{Line, Reader, Torn, is_object};
use lib_common::{Error, Exit, Io, Result};
use tempfile::TempDir;

use crate::cli::RunArgs;
use crate::finished::End;
use crate::plan::Seen;
use crate::records::Records;
use crate::sequence::{Leases, Turn, Turns};
use crate::until::Spool;

pub struct Series<'a> {
    args: &'a RunArgs,
    emitter: Emitter,
    spool: Spool,
    pub seen: Seen,
    base: PathBuf,
    /// The temporary evidence folder, if no evidence is kept.
    scratch: Option<TempDir>,
    /// How the last run ended.
    pub last: Option<(Outcome, End)>,
}

impl<'a> Series<'a> {
    /// Opens the ledger and the stream of records. A dry run changes nothing, the ledger included.
    pub fn open(args: &'a RunArgs, io: &mut Io) -> Result<Self> {
        let path = args.ledger.ledger.as_deref().filter(|_| !args.dry_run);
        let ledger = path.map(|path| Ledger::open(path, &io.diag)).transpose()?;
        if let Some(to) = args.command.records.as_ref().filter(|_| !args.dry_run) {
            io.stdout = elsewhere(to)?;
        }
        let beside_ledger = || Some(folder_of(args.ledger.ledger.as_deref()?).to_owned());
        let kept = args.evidence.clone().or_else(beside_ledger);
        let scratch = if kept.is_none() {
            Some(tempfile::tempdir().map_err(|e| Error::cannot("making a scratch folder", e))?)
        } else {
            None
        };
        let base = kept.or_else(|| Some(scratch.as_ref()?.path().to_owned())).unwrap_or_default();
        Ok(Self {
            args,
            emitter: Emitter::new(args.common.investigation.clone(), ledger),
            spool: Spool::new()?,
            seen: Seen::default(),
            base: std::path::absolute(&base)
                .map_err(|e| Error::cannot("finding the evidence folder", e).on(base.display()))?,
            scratch,
            last: None,
        })
    }

    pub fn base(&self) -> &Path {
        &self.base
    }

    pub fn keeps_evidence(&self) -> bool {
        self.scratch.is_none()
    }

    /// The ledger's file, if there is one.
    pub fn ledger(&self) -> Option<PathBuf> {
        std::path::absolute(self.args.ledger.ledger.as_ref()?).ok()
    }

    pub fn investigation(&mut self) -> String {
        self.emitter.investigation().to_owned()
    }

    /// Passes on the records of standard input, then those that only the ledger has, and keeps both for `--until`.
    pub fn read(&mut self, io: &mut Io) -> Result<()> {
        let reading = &self.args.common.reading;
        if !io.stdin_is_terminal {
            let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
            let mut reader = Reader::new(input, "standard input", reading, Torn::Error);
            while let Some(line) = reader.next_line(&io.diag)? {
                self.emitter.pass(io, &line)?;
                self.note(&mut reader, &line, io)?;
            }
        }
        self.catch_up(io)
    }

    /// Passes on the records of the ledger that were not passed on yet; a reaper may have added some meanwhile.
    pub fn catch_up(&mut self, io: &mut Io) -> Result<()> {
        let reading = &self.args.common.reading;
        if let Some(path) = self.args.ledger.ledger.as_ref().filter(|path| path.exists()) {
            let file =
                File::open(path).map_err(|e| Error::cannot("reading the ledger", e).on(path.display()))?;
            let name = path.display().to_string();
            let mut reader = Reader::new(BufReader::new(file), name, reading, Torn::SetAside);
            while let Some(line) = reader.next_line(&io.diag)? {
                if self.emitter.pass_unseen(io, &line)? {
                    self.note(&mut reader, &line, io)?;
                }
            }
        }
        Ok(())
    }

    fn note<R: BufRead>(&mut self, reader: &mut Reader<R>, line: &Line, io: &Io) -> Result<()> {
        self.spool.add(&line.raw)?;
        if let Some(known) = reader.known(line, &io.diag)? {
            self.seen.note(&known);
        }
        Ok(())
    }

    /// The next run, or `None` when there is nothing more to run.
    pub async fn next(&mut self, turns: &mut Turns) -> Result<Option<Turn>> {
        turns.next(self.args, &mut self.spool).await
    }

    /// Releases the leases that the runs used, and writes the records of that.
    pub async fn give_back(&mut self, io: &mut Io<'_>, leases: Leases) -> Result<()> {
        let (lines, wrong) = leases.release().await;
        for line in lines {
            self.emitter.put(io, &line)?;
        }
        for cause in &wrong {
            io.diag.warn(cause);
        }
        Ok(())
    }

    /// Writes the records of a run, the companion's first. If one cannot be written the others are still tried; the first
    /// error is returned.
    pub fn write(
        &mut self,
        io: &mut Io,
        records: &Records,
        companion: &[Vec<u8>],
        signal: Option<i32>,
    ) -> Result<()> {
        let (mut lines, other): (Vec<_>, Vec<_>) =
            companion.iter().cloned().partition(|line| is_object(line));
        if !other.is_empty() {
            io.diag.warn(format_args!(
                "left out {} lines that the companion printed, since they are no records",
                other.len()
            ));
        }
        lines.push(self.emitter.line(io, &records.run)?);
        self.seen.note(&Known::RunFinished(Box::new(records.run.clone())));
        for test in &records.tests {
            lines.push(self.emitter.line(io, test)?);
            self.seen.note(&Known::TestFinished(Box::new(test.clone())));
        }
        for case in &records.cases {
            io.diag.phase(format_args!("newly red: {}", case.case));
            lines.push(self.emitter.line(io, case)?);
            self.seen.note(&Known::CaseFailed(Box::new(case.clone())));
        }
        let mut failed = None;
        for line in &lines {
            let put = self.spool.add(line).and_then(|()| self.put(io, line));
            match put {
                // After Ctrl-C the rest of the pipe has ended too, and the ledger has the record: no error.
                Err(error) if error.is_closed_pipe() && signal.is_some() && self.emitter.is_durable() => {}
                Err(error) => failed = failed.or(Some(error)),
                Ok(()) => {}
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes one record. If the ledger cannot be written, that is an error, but standard output still gets the record.
    fn put(&mut self, io: &mut Io, line: &[u8]) -> Result<()> {
        self.emitter.put(io, line).inspect_err(|error| {
            // The ledger could not be written, so the record was not printed either. Do at least that.
            if !error.is_closed_pipe() && self.emitter.is_durable() {
                let _ = Emitter::print(io, line);
            }
        })
    }

    /// The exit code: that of the run if there is only one, else "done".
    pub fn exit(&self) -> Exit {
        let run = self.args;
        match self.last.as_ref().filter(|_| run.until.is_none() && run.runs == 1) {
            Some((outcome, end)) => exit(*outcome, end, run.command.records.is_some()),
            None => Exit::Done,
        }
    }
}

/// The exit code of a single run. The command's own code is passed on, unless it is 0 and the run is not green. With
/// `through` (`--records`) the command's code is always passed on.
fn exit(outcome: Outcome, end: &End, through: bool) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    let own = match end {
        End::Exited(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        _ => 0,
    };
    match outcome {
        _ if own != 0 && (through || outcome != Outcome::Pass) => {
            Exit::Child(u8::try_from(own).unwrap_or(u8::MAX))
        }
        _ if through && matches!(end, End::Exited(_)) => Exit::Done,
        Outcome::Pass => Exit::Done,
        Outcome::Fail | Outcome::Timeout => Exit::No,
        Outcome::Infra | Outcome::Aborted | Outcome::Disturbed | Outcome::GuardBypassed => Exit::Again,
    }
}

/// Opens where records go instead of to standard output, which with `--records` is the command's own.
fn elsewhere(to: &Place) -> Result<Box<dyn Write>> {
    let file = to.open();
    let file = file.map_err(|e| Error::cannot("opening the file for records", e).on(to.path().display()))?;
    Ok(Box::new(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::clean::Taken;
    use crate::slot::Hold;

    #[test]
    fn the_commands_own_code_passes_through_unless_it_lies() {
        let exited = |code: i32| End::Exited(ExitStatus::from_raw(code << 8));
        for (outcome, end, through, code) in [
            (Outcome::Pass, exited(0), false, 0),
            (Outcome::Fail, exited(3), false, 3),
            (Outcome::Fail, exited(0), false, 1),
            (Outcome::Fail, exited(0), true, 0),
            (Outcome::Pass, exited(3), false, 0),
            (Outcome::Pass, exited(3), true, 3),
            (Outcome::Infra, End::Exited(ExitStatus::from_raw(9)), false, 137),
            (Outcome::Infra, exited(0), false, 75),
            (Outcome::Timeout, End::Timeout, true, 1),
            (Outcome::Fail, End::Taken(Taken::Live(String::new())), true, 1),
            (Outcome::Disturbed, End::SlotLost(Hold::Taken), false, 75),
        ] {
            assert_eq!(exit(outcome, &end, through).code(), code, "{outcome:?} {end:?} {through}");
        }
    }
}
