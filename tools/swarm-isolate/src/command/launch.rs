//! Becomes the command, with the guard over the engine's sockets: this tool runs itself again for it, because
//! a mount namespace must be made by a process that has one thread.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use lib_common::diag::Diag;
use lib_common::{Error, Exit};

use crate::guard::{Guard, mount};

/// What the launched process is told.
#[derive(clap::Args, Debug)]
pub struct Launch {
    /// The guard's socket
    #[arg(long)]
    guard: PathBuf,
    /// The engine's socket
    #[arg(long)]
    engine: Option<PathBuf>,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Returns only where the command could not be started: 125 where it cannot be guarded, 127 where there is no
/// such command, else 126.
pub fn launch(args: &Launch, diag: &Diag) -> Exit {
    if mount::is_possible()
        && let Err(error) = mount::cover(&args.guard, args.engine.as_deref())
    {
        diag.error(&error);
        return Exit::Child(125);
    }
    let error = Command::new(&args.command[0]).args(&args.command[1..]).exec();
    diag.error(&Error::cannot("starting the command", &error).on(&args.command[0]));
    Exit::Child(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}

/// Arguments and environment for this tool to become `command`, which finds the guard as its engine.
pub fn through(guard: &Guard, command: &[String], launcher: &mut tokio::process::Command) {
    launcher.arg("launch").arg("--guard").arg(guard.socket());
    if let Some(engine) = guard.engine() {
        launcher.arg("--engine").arg(engine);
    }
    launcher.arg("--").args(command).env("DOCKER_HOST", guard.host());
    for other_way in ["DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        launcher.env_remove(other_way);
    }
}
