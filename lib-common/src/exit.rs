//! The one `main` that every tool shares.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::check::{self, SelfCheck};
use crate::cli::Voice;
use crate::clock::{Clock, SystemClock};
use crate::code::Exit;
use crate::diag::Diag;
use crate::error::{Error, Result};

/// Everything a tool may touch of the outside world besides the engine: passed in, so that `run` is testable.
pub struct Io<'a> {
    pub stdin: Box<dyn BufRead + 'a>,
    pub stdin_is_terminal: bool,
    pub stdout: Box<dyn Write + 'a>,
    pub diag: Diag,
    pub clock: &'a dyn Clock,
}

/// What every tool's arguments offer to `main`.
pub trait ToolArgs: Parser {
    /// A tool that changes the world must say so when it cannot write a record; a pure filter whose reader
    /// went away just ends.
    const CHANGES_THE_WORLD: bool = false;

    /// What `--self-check` takes and tries.
    type Check: SelfCheck;

    fn voice(&self) -> &Voice;
}

/// Parses the arguments, runs the tool, reports its error in the one voice and returns its exit code.
pub fn main<A: ToolArgs>(tool: &'static str, run: impl FnOnce(&A, &mut Io) -> Result<Exit>) -> ExitCode {
    if check::is_asked(std::env::args_os()) {
        return check::main::<A>(tool);
    }
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(usage) => {
            // A help text that cannot be printed has nobody to read the complaint either.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let diag = Diag::new(tool, args.voice());
    let mut io = Io {
        stdin: Box::new(io::BufReader::with_capacity(256 * 1024, io::stdin())),
        stdin_is_terminal: io::stdin().is_terminal(),
        stdout: Box::new(io::stdout()),
        diag,
        clock: &SystemClock,
    };
    let outcome = run(&args, &mut io)
        .and_then(|exit| io.stdout.flush().map_err(|e| Error::write("standard output", &e)).map(|()| exit));
    io.diag.clear();
    let exit = outcome.unwrap_or_else(|error| {
        if error.is_closed_pipe() && !A::CHANGES_THE_WORLD {
            return Exit::Done;
        }
        io.diag.error(&error);
        error.exit()
    });
    finish(exit)
}

/// A death by signal is passed on as such, so that a shell or `make` above sees what happened.
fn finish(exit: Exit) -> ExitCode {
    if let Exit::Signal(number) = exit {
        die_by(number);
    }
    ExitCode::from(exit.code())
}

#[allow(unsafe_code)]
fn die_by(number: i32) {
    // SAFETY: both calls take plain integers; the default disposition ends this process at once.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}
