//! Messages for people: written to standard error, each with the tool's name in front. A tool that succeeds writes
//! none.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use crate::cli::{Color, Voice};
use crate::error::Error;

/// Writes messages and one progress line to standard error. Never touches standard output.
pub struct Diag {
    tool: &'static str,
    quiet: bool,
    verbose: u8,
    color: bool,
    progress: bool,
    out: Mutex<Out>,
}

struct Out {
    to: Box<dyn Write + Send>,
    line_shown: bool,
}

impl Diag {
    #[must_use]
    pub fn new(tool: &'static str, voice: &Voice) -> Self {
        let terminal = io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let color = match voice.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        let out = Mutex::new(Out { to: Box::new(io::stderr()), line_shown: false });
        let (quiet, verbose) = (voice.quiet, voice.verbose);
        Self { tool, quiet, verbose, color, progress: terminal && !dumb && !quiet, out }
    }

    /// For tests: writes every message to `to`, without a progress line and without colour.
    #[must_use]
    pub fn to_writer(tool: &'static str, to: Box<dyn Write + Send>) -> Self {
        let out = Mutex::new(Out { to, line_shown: false });
        Self { tool, quiet: false, verbose: 0, color: false, progress: false, out }
    }

    /// The tool's name, as the records carry it.
    #[must_use]
    pub fn tool(&self) -> &'static str {
        self.tool
    }

    /// How often `-v` was given.
    #[must_use]
    pub fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// Prints the error, and its hint on a line of its own, also with `-q`.
    pub fn error(&self, error: &Error) {
        self.line(Some("\x1b[31m"), &error.to_string());
        if let Some(hint) = error.hint_text() {
            self.line(None, &format!("  hint: {hint}"));
        }
    }

    /// Reports a problem that does not stop the work.
    pub fn warn(&self, message: impl Display) {
        if !self.quiet {
            self.line(Some("\x1b[33m"), &format!("warning: {message}"));
        }
    }

    /// Prints something that the user asked for, e.g. by `--dry-run`.
    pub fn note(&self, message: impl Display) {
        if !self.quiet {
            self.line(None, &message.to_string());
        }
    }

    /// Tells which phase of the work begins: with `-v` on a line of its own; without it, on a terminal, on the progress
    /// line, which the next message erases.
    pub fn phase(&self, message: impl Display) {
        if self.verbose > 0 {
            self.line(None, &message.to_string());
        } else if self.progress {
            self.with(|out, tool| {
                out.line_shown = true;
                write!(out.to, "\r\x1b[K{tool}: {message}")
            });
        }
    }

    /// Erases the progress line, if there is one.
    pub fn clear(&self) {
        self.with(|_, _| Ok(()));
    }

    fn line(&self, color: Option<&str>, message: &str) {
        let (on, off) = color.filter(|_| self.color).map_or(("", ""), |code| (code, "\x1b[0m"));
        self.with(|out, tool| writeln!(out.to, "{tool}: {on}{message}{off}"));
    }

    /// Erases the progress line, then writes what `act` writes. An error of standard error itself is dropped, here and
    /// only here, because there is no other place where it could be reported.
    fn with(&self, act: impl FnOnce(&mut Out, &str) -> io::Result<()>) {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if out.line_shown {
            let _ = write!(out.to, "\r\x1b[K");
            out.line_shown = false;
        }
        let _ = act(&mut out, self.tool).and_then(|()| out.to.flush());
    }
}
