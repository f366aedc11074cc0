//! Reads `/proc`: CPU time of the node and of processes, CPU pressure, and the boot's id.

use std::fs;

/// Clock ticks per second of `/proc`: fixed at 100 on Linux (`USER_HZ`).
const HZ: f64 = 100.0;

/// Busy CPU seconds of the whole node since boot, over all CPUs.
pub fn node_busy() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    busy_of(text.lines().next()?)
}

/// The fields are `cpu user nice system idle iowait irq softirq steal guest guest_nice` (proc(5)). Idle and iowait are
/// not busy; guest is part of user already, so it is left out.
fn busy_of(line: &str) -> Option<f64> {
    let fields: Vec<f64> =
        line.strip_prefix("cpu ")?.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // Fields 3 and 4 are idle and iowait. Guest time is left out, since user time contains it.
    let busy: f64 =
        fields.iter().take(8).enumerate().filter(|(at, _)| *at != 3 && *at != 4).map(|(_, f)| f).sum();
    (fields.len() >= 8).then_some(busy / HZ)
}

/// Number of CPUs of the node.
pub fn cpus() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let count = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    f64::from(u32::try_from(count.max(1)).unwrap_or(1))
}

/// One process as far as accounting needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    /// CPU seconds, including those of children that it has waited for.
    pub cpu: f64,
}

/// Every process that can be read.
pub fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// Parses `pid (comm) state ppid pgrp ... utime stime cutime cstime` (proc(5)). As comm may hold spaces and parentheses,
/// the fields are counted from the last parenthesis.
fn parse_stat(text: &str) -> Option<Process> {
    // The program's name may itself contain spaces and parentheses, so look for the last one.
    let (head, rest) = text.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let cpu = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        cpu: cpu / HZ,
    })
}

/// Whether a process runs. A zombie, which has ended but which its parent has not waited for, does not.
pub fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !is_dead(&text))
}

/// The state behind the name: `Z` is a zombie, `X` is dead (proc(5)).
fn is_dead(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// CPU seconds of this process so far.
pub fn own_cpu() -> Option<f64> {
    cpu_of("self")
}

/// CPU seconds of a process so far.
pub fn cpu_of(pid: &str) -> Option<f64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|process| process.cpu)
}

/// Pressure of the node's CPUs: `some avg10` in percent.
pub fn cpu_pressure() -> Option<f64> {
    pressure_of(&fs::read_to_string("/proc/pressure/cpu").ok()?)
}

/// `some avg10` of a pressure file, percent.
pub fn pressure_of(text: &str) -> Option<f64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split_whitespace()
        .find_map(|field| field.strip_prefix("avg10="))
        .and_then(|value| value.parse().ok())
}

/// The id of this boot of this machine; engines on one machine share it.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_does_not_run() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while runs(child.id()) {
            std::thread::yield_now();
        }
        assert!(std::path::Path::new(&format!("/proc/{}", child.id())).exists(), "nobody has waited for it");
        child.wait().unwrap();
        assert!(!runs(child.id()) && runs(std::process::id()));
        assert!(is_dead("7 (a) b) Z 1 7") && !is_dead("7 (Z) S 1 7"));
    }

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(busy_of("cpu  100 0 50 9999 77 10 40 0 5 0"), Some(2.0));
        assert_eq!(busy_of("cpu0 1 2 3"), None);
    }

    #[test]
    fn a_process_name_with_parentheses() {
        let stat = "42 (a) b (c)) S 7 40 40 0 -1 0 0 0 0 0 150 50 25 25 20 0 1 0 1 1 1";
        assert_eq!(parse_stat(stat), Some(Process { pid: 42, parent: 7, group: 40, cpu: 2.5 }));
        assert_eq!(parse_stat("garbage"), None);
    }

    #[test]
    fn pressure() {
        let text =
            "some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=0.00 avg60=0 avg300=0 total=0\n";
        assert_eq!(pressure_of(text), Some(12.5));
        assert_eq!(pressure_of(""), None);
    }

    #[test]
    fn this_machine_can_be_read() {
        assert!(node_busy().unwrap() > 0.0 && cpus() >= 1.0);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().iter().any(|process| process.pid == own));
    }
}
