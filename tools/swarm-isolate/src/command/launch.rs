//! `swarm-isolate launch`: runs between the tool and the command. It gives the new process its session, terminal and
//! control group, then replaces itself by the command (`exec`).
//!
//! This is a program of its own because the same steps between fork and exec would need `unsafe` code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use rustix::process::Signal;

use lib_common::cover;

/// Become CMD in a session of its own (internal: `swarm-isolate` starts itself with it)
#[derive(Parser, Debug)]
#[command(name = "swarm-isolate launch")]
struct LaunchArgs {
    /// Take standard input as the controlling terminal
    #[arg(long)]
    pty: bool,
    /// Join this control group
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// End when this process ends, since nobody else could end the command then
    #[arg(long, value_name = "PID")]
    parent: Option<u32>,
    /// Close this descriptor, which the command must not inherit
    #[arg(long, value_name = "FD")]
    close: Option<i32>,
    /// Cover the engine's socket by this one
    #[arg(long, value_name = "SOCKET")]
    guard: Option<PathBuf>,
    /// The engine's own socket
    #[arg(long, value_name = "SOCKET")]
    engine: Option<PathBuf>,
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The first argument that makes the program a launcher.
pub const WORD: &str = "launch";

/// The exit codes of `env` and `docker run`: the launcher failed, the command cannot be executed, it was not found.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;

/// Becomes the command if this process was started as a launcher; else returns `None`. The environment is meant for
/// the command, so none of it is read here.
#[must_use]
pub fn called() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let tool = words.next()?;
    if words.next()?.to_str() != Some(WORD) {
        return None;
    }
    let args = match LaunchArgs::try_parse_from(std::iter::once(tool).chain(words)) {
        Ok(args) => args,
        Err(usage) => {
            let _ = usage.print();
            return Some(ExitCode::from(FAILED));
        }
    };
    Some(ExitCode::from(become_command(&args)))
}

/// Replaces this process by the command; returns, with an exit code, only if that failed.
fn become_command(args: &LaunchArgs) -> u8 {
    if let Err((doing, cause)) = prepare(args) {
        return complain(doing, &cause, FAILED);
    }
    let cause = Command::new(&args.command[0]).args(&args.command[1..]).exec();
    let code = if cause.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    complain(&format!("starting the command: {}", args.command[0].display()), &cause, code)
}

fn prepare(args: &LaunchArgs) -> Result<(), (&'static str, io::Error)> {
    // A new session has no terminal, so a command that asks for a password on /dev/tty gets an error instead of blocking
    // the user's terminal.
    rustix::process::setsid().map_err(|e| ("starting a session", e.into()))?;
    if let Some(parent) = args.parent {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
            .map_err(|e| ("following the tool", e.into()))?;
        // The tool may have died before the death signal was set; then the signal never comes.
        if std::os::unix::process::parent_id() != parent {
            return Err(("following the tool", io::Error::other("it is gone")));
        }
    }
    if let Some(guard) = args.guard.as_ref().filter(|_| cover::is_possible()) {
        cover::cover(guard, args.engine.as_deref())
            .map_err(|e| ("covering the engine's socket", io::Error::other(e.to_string())))?;
    }
    if args.pty {
        rustix::process::ioctl_tiocsctty(io::stdin()).map_err(|e| ("taking the terminal", e.into()))?;
    }
    if let Some(number) = args.close {
        close(number);
    }
    match &args.cgroup {
        Some(path) => super::cgroup::join(path).map_err(|e| ("joining the control group", e)),
        None => Ok(()),
    }
}

#[allow(unsafe_code)]
fn close(number: i32) {
    // SAFETY: the tool left this descriptor open for us to close, and nothing in this process owns it.
    unsafe { rustix::io::close(number) };
}

fn complain(doing: &str, cause: &io::Error, code: u8) -> u8 {
    // Ignore the error: if standard error is gone there is nobody to report to.
    let _ = writeln!(io::stderr(), "swarm-isolate: {doing}: {cause}");
    code
}
