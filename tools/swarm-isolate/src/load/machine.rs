//! Finds the control groups of all containers on this machine, by container id, whichever engine runs them.
//!
//! Several engines may run on one machine and share its load. A task's container that is found here ran here.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::cgroup;
use crate::proc;

/// The two names under which cgroup v1 mounts the accounting of CPU time.
const V1: [&str; 2] = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct"];

/// How deep containers are looked for: `docker/<id>`, `system.slice/docker-<id>.scope`, and one level more for a
/// `cgroup-parent` that the operator chose.
const DEPTH: u32 = 3;

/// The folders of one control group, under cgroup v2 and v1; either may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    unified: Option<PathBuf>,
    v1: Option<PathBuf>,
}

impl Place {
    pub fn of_group(path: &Path) -> Self {
        Self { unified: Some(path.to_owned()), v1: None }
    }

    /// CPU seconds used so far.
    pub fn cpu(&self) -> Option<f64> {
        let unified = || {
            let text = fs::read_to_string(self.unified.as_ref()?.join("cpu.stat")).ok()?;
            let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            usage.parse::<f64>().ok().map(|microseconds| microseconds / 1e6)
        };
        let v1 = || {
            let text = fs::read_to_string(self.v1.as_ref()?.join("cpuacct.usage")).ok()?;
            text.trim().parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
        };
        unified().or_else(v1)
    }

    /// Its CPU pressure, `some avg10` in percent: how much of ten seconds a process of it waited for a CPU.
    pub fn pressure(&self) -> Option<f64> {
        proc::pressure_of(&fs::read_to_string(self.unified.as_ref()?.join("cpu.pressure")).ok()?)
    }
}

/// Every container that runs on this machine.
pub fn containers() -> HashMap<String, Place> {
    let mut found: HashMap<String, Place> = HashMap::new();
    if let Some(root) = cgroup::unified() {
        scan(&root, DEPTH, &mut |id, path| found.entry(id).or_default().unified = Some(path));
    }
    if let Some(root) = V1.iter().map(Path::new).find(|root| root.is_dir()) {
        scan(root, DEPTH, &mut |id, path| found.entry(id).or_default().v1 = Some(path));
    }
    found
}

fn scan(folder: &Path, depth: u32, found: &mut impl FnMut(String, PathBuf)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        match container_id(&entry.file_name().to_string_lossy()) {
            Some(id) => found(id.to_owned(), entry.path()),
            None if depth > 0 => scan(&entry.path(), depth - 1, found),
            None => {}
        }
    }
}

/// The 64 hexadecimal digits in `ID`, `docker-ID.scope` or `libpod-ID.scope`.
fn container_id(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let id = name.rsplit('-').next()?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_found_under_every_driver() {
        let id = "0123456789abcdef".repeat(4);
        let dir = tempfile::tempdir().unwrap();
        for name in ["docker", "system.slice", "deep/er"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let path = dir.path().join(format!("system.slice/docker-{id}.scope"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").unwrap();
        fs::write(path.join("cpu.pressure"), "some avg10=12.50 avg60=0 avg300=0 total=1\n").unwrap();
        let mut found = Vec::new();
        scan(dir.path(), DEPTH, &mut |id, path| found.push((id, path)));
        assert_eq!(found, [(id.clone(), path.clone())]);
        let place = Place::of_group(&path);
        assert_eq!((place.cpu(), place.pressure()), (Some(2.5), Some(12.5)));
        assert_eq!(container_id(&id), Some(id.as_str()));
        assert_eq!(container_id("redfix-01J-command"), None);
    }

    #[test]
    fn a_group_of_v1_has_time_but_no_pressure() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cpuacct.usage"), "1500000000\n").unwrap();
        let place = Place { unified: None, v1: Some(dir.path().to_owned()) };
        assert_eq!((place.cpu(), place.pressure()), (Some(1.5), None));
    }
}
