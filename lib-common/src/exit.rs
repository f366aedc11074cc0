//! The `main` function that all tools share: it parses arguments, runs the tool and turns its result into an exit code.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::check::{self, SelfCheck};
use crate::cli::Voice;
use crate::clock::{Clock, SystemClock};
use crate::code::Exit;
use crate::diag::Diag;
use crate::error::{Error, Result};
use crate::vain::{self, Vain};

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
    /// True for a tool that changes the world: a record that it cannot write is an error. A pure filter, in contrast,
    /// ends in silence when the reader of its pipe has gone away.
    const CHANGES_THE_WORLD: bool = false;

    /// Options that would be accepted and ignored.
    const VAIN: &'static [Vain] = &[];
    /// What `--self-check` takes and tries.
    type Check: SelfCheck;

    fn voice(&self) -> &Voice;
}

/// Parses the words of a command line; options that would be ignored are refused.
pub fn parse<A: ToolArgs>(words: impl IntoIterator<Item = OsString>) -> std::result::Result<A, clap::Error> {
    let mut command = A::command();
    let matches = command.try_get_matches_from_mut(words)?;
    match vain::refusal(A::VAIN, &mut command, &matches) {
        Some(refusal) => Err(refusal),
        None => A::from_arg_matches(&matches).map_err(|error| error.format(&mut command)),
    }
}

/// Parses the arguments, runs the tool, reports its error in the one voice and returns its exit code.
pub fn main<A: ToolArgs>(tool: &'static str, run: impl FnOnce(&A, &mut Io) -> Result<Exit>) -> ExitCode {
    if check::is_asked(std::env::args_os()) {
        return check::main::<A::Check>(tool, &A::command());
    }
    let args = match parse::<A>(std::env::args_os()) {
        Ok(args) => args,
        Err(usage) => {
            // If the help or usage text cannot be printed, neither can an error about that.
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

/// Where a signal ended the tool's work, this process dies by the same signal, so that the shell or `make` that started
/// it sees that.
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
