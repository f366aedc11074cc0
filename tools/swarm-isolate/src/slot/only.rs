//! `swarm-isolate hold`: a slot for a command that knows nothing of us. Its streams, its process group and its exit
//! code stay its own.

use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use lib_common::{Error, Exit, Result};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::{Budget, Hold, Slot};
use crate::signals::Stop;

/// Why the command was stopped.
enum Cut {
    Lost(Hold),
    Budget,
}

/// Runs the command while the slot is held, then frees it.
pub async fn run(
    command: &[String],
    slot: Slot,
    budget: &Budget,
    grace: Duration,
    stop: &Stop,
) -> Result<Exit> {
    // The command inherits the lock. If we are killed, nobody on this host takes the slot before the command has ended.
    slot.inherit_locks(true).await;
    let child = spawn(command);
    slot.inherit_locks(false).await;
    let outcome = match child {
        Ok(child) => watch(child, &slot, budget, grace, stop.clone()).await,
        Err(e) => Err(e),
    };
    let released = slot.release().await;
    let exit = outcome?;
    released.map(|()| exit)
}

async fn watch(
    mut child: Child,
    slot: &Slot,
    budget: &Budget,
    grace: Duration,
    mut stop: Stop,
) -> Result<Exit> {
    let mut hold = slot.hold();
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let mut passed_on = false;
    let cut = loop {
        tokio::select! {
            status = child.wait() => return ended(status),
            lost = hold.wait_for(Hold::is_lost) => break Cut::Lost(lost.map_or(Hold::Taken, |hold| *hold)),
            () = budget.spent() => break Cut::Budget,
            number = signalled(&mut stop), if !passed_on => {
                passed_on = true;
                // A terminal sends Ctrl-C to the command as well, which must not get it twice.
                if number != Signal::INT.as_raw() || !io::stdin().is_terminal() {
                    send(pid, Signal::from_named_raw(number).unwrap_or(Signal::TERM));
                }
            }
        }
    };
    send(pid, Signal::TERM);
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        send(pid, Signal::KILL);
        let _ = child.wait().await;
    }
    Err(match cut {
        Cut::Lost(hold) => {
            let cause = match hold {
                Hold::NotRenewed => "the engine was away for too long to renew it",
                _ => "somebody else took it",
            };
            Error::again("holding the slot", cause).hint("the command was stopped")
        }
        Cut::Budget => Error::again("running the command", "the budget is spent").hint("raise --budget"),
    })
}

async fn signalled(stop: &mut Stop) -> i32 {
    let number = stop.wait_for(Option::is_some).await.map_or(None, |number| *number);
    match number {
        Some(number) => number,
        None => std::future::pending().await,
    }
}

/// The command's own end as an exit code.
fn ended(status: io::Result<ExitStatus>) -> Result<Exit> {
    let status = status.map_err(|e| Error::cannot("waiting for the command", e))?;
    Ok(match (status.code(), status.signal()) {
        (Some(0), _) => Exit::Done,
        (Some(code), _) => Exit::Child(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(number)) => Exit::Signal(number),
        (None, None) => Exit::Child(125),
    })
}

/// Starts the command. Errors have the exit codes of `env`: 127 if it is not found, 126 if it cannot be executed.
fn spawn(command: &[String]) -> Result<Child> {
    let mut program = Command::new(&command[0]);
    program.args(&command[1..]).kill_on_drop(true);
    end_with_us(&mut program);
    program.spawn().map_err(|e| {
        let code = if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
        Error::child(code, "starting the command", e).on(&command[0])
    })
}

/// Has the kernel send SIGTERM to the command when we die, because it must not go on without its slot.
#[allow(unsafe_code)]
fn end_with_us(command: &mut Command) {
    let us = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // If we died before the kernel was asked, the signal never comes.
        if rustix::process::getppid() == Some(us) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    };
    // SAFETY: between fork and exec only plain system calls are made, nothing is allocated.
    unsafe { command.pre_exec(ask) };
}

fn send(pid: Option<Pid>, signal: Signal) {
    if let Some(pid) = pid {
        // Ignore ESRCH: the process has ended already.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
