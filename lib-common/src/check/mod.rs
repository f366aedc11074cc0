//! `--self-check`: each setting is read by the parser of the option that it is the twin of, and then tried.
//!
//! `twins` reads what the environment sets; the tool's own [`SelfCheck`] tries what it uses, with the help of [`tries`] and
//! [`engine`]. What is found is printed for people, one line for each setting.

#[cfg(feature = "docker")]
pub mod engine;
mod finding;
pub mod tries;
mod twins;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Args, Command};

pub use finding::{Finding, State, shown};

use crate::cli::Voice;
use crate::code::Exit;

const FLAG: &str = "--self-check";

/// The options that `--self-check` of a tool takes. None of them is required, whatever the tool itself requires.
pub trait SelfCheck: Args {
    /// Tries what the tool uses. A setting that is not set is a finding only where the tool cannot work without it.
    fn try_all(&self) -> Vec<Finding>;
}

/// For a tool that uses nothing outside itself: its settings are parsed, and that is all.
#[derive(Args, Clone, Debug)]
pub struct Nothing {}

impl SelfCheck for Nothing {
    fn try_all(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Whether a tool's arguments ask for it; behind `--` they are somebody else's.
pub(crate) fn is_asked(args: impl Iterator<Item = OsString>) -> bool {
    args.skip(1).take_while(|arg| arg != "--").any(|arg| arg == FLAG)
}

/// Prints what is found and returns 0, or 1 when something is missing or wrong, or 2 for arguments that it does not take.
/// `whole`: the tool's command line.
pub(crate) fn main<C: SelfCheck>(tool: &'static str, whole: &Command) -> ExitCode {
    let read = twins::read(tool, whole);
    let parsed = command::<C>(tool, &read).try_get_matches_from(std::env::args_os());
    let check = match parsed.and_then(|matches| C::from_arg_matches(&matches)) {
        Ok(check) => check,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(Exit::Cannot.code());
        }
    };
    let found = finding::merge(&read, check.try_all());
    let mut stdout = std::io::stdout();
    if found.iter().try_for_each(|finding| writeln!(stdout, "{finding}")).is_err() {
        return ExitCode::from(Exit::Cannot.code());
    }
    let exit = if found.iter().any(Finding::is_bad) { Exit::No } else { Exit::Done };
    ExitCode::from(exit.code())
}

/// Takes the options of `C`. A setting whose value is wrong has been told of: here it is as if it were not set.
fn command<C: SelfCheck>(tool: &'static str, read: &[Finding]) -> Command {
    let command = C::augment_args(Voice::augment_args(Command::new(tool)));
    command.mut_args(|arg| {
        let name = arg.get_env().and_then(|name| name.to_str());
        let bad = read.iter().any(|finding| finding.is_bad() && name == Some(&finding.name));
        let arg = arg.required(false);
        if bad { arg.env(Resettable::Reset) } else { arg }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_dashes_is_another_programs() {
        let asked = |args: &[&str]| is_asked(args.iter().map(OsString::from));
        assert!(asked(&["tool", "-q", "--self-check"]));
        assert!(!asked(&["tool", "--", "other", "--self-check"]));
        assert!(!asked(&["--self-check"]));
    }
}
