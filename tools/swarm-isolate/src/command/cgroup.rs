//! A control group (v2, or the unified mount beside v1) for each child, because a process cannot leave its control group
//! as it can leave its process group: `cgroup.kill` also reaches what has double-forked and called `setsid`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::proc;

const PREFIX: &str = "redfix-";
/// Length of an attempt's id, a ULID.
const ID_LENGTH: usize = 26;

/// How long killed processes may take to end. One that hangs in the kernel (state D) may never end.
const EMPTY_DEADLINE: Duration = Duration::from_secs(5);

/// A control group that this tool made.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group `redfix-<attempt>-<role>-<pid>` below this process's own. The error says why that is not possible.
    pub fn make(attempt: &str, role: &str) -> Result<Self, String> {
        let parent = own_parent().ok_or("this kernel has no unified control groups")?;
        let path = parent.join(format!("{PREFIX}{attempt}-{role}-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| format!("{}: {e}", parent.display()))?;
        let group = Self { path };
        // The folder is no control group, or the kernel is older than 5.14.
        if !group.path.join("cgroup.kill").exists() {
            group.remove();
            return Err(format!("{}: no cgroup.kill", parent.display()));
        }
        Ok(group)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends SIGTERM to every member outside the process group `group`. The members inside have got theirs already; a
    /// second signal would hit what they have started since then to clean up.
    pub fn terminate_outside(&self, group: Option<Pid>) {
        let members = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
            if rustix::process::getpgid(Some(pid)).ok() != group {
                // Ignore ESRCH: the process has ended already.
                let _ = rustix::process::kill_process(pid, Signal::TERM);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        fs::read_to_string(self.path.join("cgroup.events")).is_ok_and(|events| events.contains("populated 0"))
    }

    /// Kills all members at once. The kernel does it atomically, so no fork in between escapes.
    pub fn kill(&self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Kills all members, waits until they have ended, and removes the group.
    pub async fn end(self) {
        self.kill();
        let until = Instant::now() + EMPTY_DEADLINE;
        while !self.is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.remove();
    }

    fn remove(&self) {
        // A group can be removed only when the groups inside it, which the command may have made, are gone.
        remove_tree(&self.path);
    }
}

fn remove_tree(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// Kills and removes the groups below our own whose tool is dead. With `attempt`, only that attempt's, and also beside
/// our parent groups: a reaper runs in a group of its own, so the attempt's groups are not below it.
pub fn sweep(attempt: Option<&str>) {
    let Some(own) = own_parent() else { return };
    let levels = if attempt.is_some() { 3 } else { 1 };
    own.ancestors().take(levels).for_each(|parent| sweep_in(parent, attempt));
}

fn sweep_in(parent: &Path, attempt: Option<&str>) {
    let prefix = format!("{PREFIX}{}", attempt.unwrap_or_default());
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && owner(&name).is_some_and(|pid| !proc::runs(pid)) {
            let group = Cgroup { path: entry.path() };
            group.kill();
            let until = Instant::now() + EMPTY_DEADLINE;
            while !group.is_empty() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            group.remove();
        }
    }
}

/// The tool's process id, from the end of a group's name. The name must hold the id of an attempt: somebody else may
/// have a group `redfix-staging-0`.
fn owner(name: &str) -> Option<u32> {
    let (attempt, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_id = attempt.len() == ID_LENGTH && attempt.bytes().all(|byte| byte.is_ascii_alphanumeric());
    rest.rsplit_once('-').filter(|_| is_id)?.1.parse().ok()
}

/// Moves this process into the group.
pub fn join(path: &Path) -> io::Result<()> {
    fs::write(path.join("cgroup.procs"), "0")
}

/// Mount point of the unified hierarchy (cgroup v2), if it is mounted.
pub fn unified() -> Option<PathBuf> {
    mount(&fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// Finds the mount point in `/proc/self/mountinfo` (proc(5)): it is the fifth field, and the type follows ` - `.
fn mount(mountinfo: &str) -> Option<PathBuf> {
    let line = mountinfo.lines().find(|line| {
        line.split_once(" - ").is_some_and(|(_, rest)| rest.split(' ').next() == Some("cgroup2"))
    })?;
    line.split(' ').nth(4).map(PathBuf::from)
}

/// This process's own group, below which the children's groups are made.
fn own_parent() -> Option<PathBuf> {
    parent(&fs::read_to_string("/proc/self/mountinfo").ok()?, &fs::read_to_string("/proc/self/cgroup").ok()?)
}

fn parent(mountinfo: &str, membership: &str) -> Option<PathBuf> {
    let own = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(mount(mountinfo)?.join(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "29 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:4 - cgroup cgroup rw,cpu
30 25 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn a_group_names_its_tool() {
        let id = lib_common::new_id();
        assert_eq!(owner(&format!("redfix-{id}-command-4711")), Some(4711));
        assert_eq!(owner(&format!("redfix-{id}-neighbour-1-4711")), Some(4711));
        for other in ["redfix-engine", "docker", "redfix-engine-0", "redfix-ci-night-0"] {
            assert_eq!(owner(other), None, "{other}");
        }
        for other in
            [format!("redfix-{id}-command"), format!("redfix-{id}-4711"), format!("other-{id}-command-4711")]
        {
            assert_eq!(owner(&other), None, "{other}");
        }
    }

    #[test]
    fn the_unified_hierarchy_is_found_beside_v1() {
        let membership = "4:cpu:/x\n0::/system.slice/ci.service\n";
        let expected = Path::new("/sys/fs/cgroup/unified/system.slice/ci.service");
        assert_eq!(parent(HYBRID, membership).as_deref(), Some(expected));
        assert_eq!(parent(HYBRID, "0::/\n").as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
        assert_eq!(parent("29 25 0:26 / /x rw - cgroup cgroup rw", "0::/"), None);
        assert_eq!(parent(HYBRID, "4:cpu:/\n"), None, "v1 alone");
    }
}
