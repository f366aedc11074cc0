//! The reaper's own process. It leaves its parent's session, process tree and control group, then reads the pipe until
//! its end.

use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lib_common::diag::Diag;
use lib_common::{Error, Exit, Io, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::super::begun::Begun;

/// The control group of all reapers on this machine; the last one removes it.
const GROUP: &str = "redfix-reaper";

/// Runs the reaper. `detached` says that this is the second process, whose parent has ended.
pub fn run(detached: bool, io: &mut Io) -> Result<Exit> {
    if !detached {
        return detach();
    }
    let fail = |e: std::io::Error| Error::cannot("starting the reaper", e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    {
        // Catch these signals and ignore them: ending the reaper takes SIGKILL.
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            std::mem::forget(signal(kind).map_err(fail)?);
        }
    }
    // In its own control group, the reaper survives when that of a CI job or a service is killed as a whole.
    let groups = join_own_group();
    let note = if groups.is_empty() { "the reaper shares our control group: not root" } else { "" };
    let folder = listen(io, note);
    if let Some(begun) = folder.as_deref().and_then(Begun::read) {
        // The log lies beside the evidence folder, not in it: the folder is hashed before the log is complete.
        let path = begun.folder.with_extension("reaper.log");
        let log = fs::File::create(&path).map_err(fail)?;
        let mut io = Io {
            stdin: Box::new(std::io::empty()),
            stdin_is_terminal: false,
            stdout: Box::new(std::io::sink()),
            diag: Diag::to_writer("swarm-isolate: reaper", Box::new(log)),
            clock: io.clock,
        };
        if let Err(error) = runtime.block_on(super::finish(&begun, &mut io)) {
            io.diag.error(&error);
        }
        if fs::metadata(&path).is_ok_and(|log| log.len() == 0) {
            let _ = fs::remove_file(&path);
        }
        if let Some(scratch) = &begun.scratch {
            let _ = fs::remove_dir_all(scratch);
        }
    }
    for group in &groups {
        leave(group);
    }
    Ok(Exit::Done)
}

/// Starts a session and in it the real reaper; this process then ends, so that the reaper is nobody's child.
fn detach() -> Result<Exit> {
    let fail = |e: std::io::Error| Error::cannot("starting the reaper", e);
    rustix::process::setsid().map_err(|e| fail(e.into()))?;
    Command::new(super::SELF)
        .arg0("swarm-isolate")
        .args(["reaper", "--detached"])
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::null())
        .spawn()
        .map_err(fail)?;
    Ok(Exit::Done)
}

/// Acknowledges each line; returns the folder of the attempt that had begun and not ended.
fn listen(io: &mut Io, note: &str) -> Option<PathBuf> {
    let mut say = |line: &str| -> std::io::Result<()> {
        io.stdout.write_all(line.as_bytes())?;
        io.stdout.flush()
    };
    // Ignore an error: if the other process has died, the pipe's end shows it too.
    let _ = say(&format!("ready {note}\n"));
    let mut begun = None;
    let mut line = String::new();
    while io.stdin.read_line(&mut line).is_ok_and(|n| n > 0) {
        let folder = line.trim_end_matches('\n');
        begun = (!folder.is_empty()).then(|| PathBuf::from(folder));
        if begun.is_some() {
            let _ = say("ok\n");
        }
        line.clear();
    }
    begun
}

/// Leaves our control group, as far as we may (root), because CI runners end a job by killing its control group. Does
/// so in the hierarchies that process managers use; returns the groups that we are in now.
fn join_own_group() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    hierarchies(&mounts)
        .into_iter()
        .map(|root| Path::new(root).join(GROUP))
        .filter(|group| {
            let _ = fs::create_dir(group);
            fs::write(group.join("cgroup.procs"), std::process::id().to_string()).is_ok()
        })
        .collect()
}

/// Mount points of cgroup v2 and of v1's `name=systemd`, from `/proc/self/mounts`.
fn hierarchies(mounts: &str) -> Vec<&str> {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let of_managers = fields.filter(|f| {
        f.get(2) == Some(&"cgroup2") || f.get(3).is_some_and(|o| o.split(',').any(|o| o == "name=systemd"))
    });
    of_managers.filter_map(|f| f.get(1).copied()).collect()
}

/// Moves this process back to the root group, and removes the group if no other reaper is in it.
fn leave(group: &Path) {
    if let Some(root) = group.parent() {
        let _ = fs::write(root.join("cgroup.procs"), std::process::id().to_string());
        let _ = fs::remove_dir(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchies_that_process_managers_use() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\nodd\n";
        assert_eq!(hierarchies(mounts), ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]);
    }

    #[test]
    fn what_has_begun_and_not_ended_is_left_over() {
        let heard = |input: &'static str| {
            let mut out = Vec::new();
            let mut io = Io {
                stdin: Box::new(input.as_bytes()),
                stdin_is_terminal: false,
                stdout: Box::new(&mut out),
                diag: Diag::to_writer("t", Box::new(std::io::sink())),
                clock: &lib_common::clock::SystemClock,
            };
            let left = listen(&mut io, "x");
            drop(io);
            (left, String::from_utf8(out).unwrap())
        };
        assert_eq!(heard(""), (None, "ready x\n".into()));
        assert_eq!(heard("/a\n"), (Some("/a".into()), "ready x\nok\n".into()));
        assert_eq!(heard("/a\n\n"), (None, "ready x\nok\n".into()));
        assert_eq!(heard("/a\n\n/b\n"), (Some("/b".into()), "ready x\nok\nok\n".into()));
    }
}
