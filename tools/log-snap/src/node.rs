//! Samples how busy and how full a node is, so that a fault of the recipe can be told from an overloaded node.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One sample. A field is absent if this kernel does not tell its value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// When it was taken, as RFC 3339.
    pub at: String,
    pub node: String,
    /// Pressure stall information: percent of the last 10 s in which some (or all) tasks waited for the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_some: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_some: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_full: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_some: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_full: Option<f64>,
    /// The kernel's load average over one minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Available memory and free swap, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_available: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_free: Option<u64>,
    /// Out-of-memory kills since boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
    /// Free bytes and inodes where the engine keeps its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_free: Option<u64>,
    /// Connections that the kernel tracks, and the most that it can track. When the table is full, new connections
    /// fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u64>,
}

/// Takes the samples of one node.
pub struct Sampler {
    proc: PathBuf,
    data: PathBuf,
    name: String,
}

impl Sampler {
    #[must_use]
    pub fn new(proc: impl Into<PathBuf>, data: impl Into<PathBuf>, name: &str) -> Self {
        Self { proc: proc.into(), data: data.into(), name: name.to_owned() }
    }

    #[must_use]
    pub fn sample(&self, at: String) -> Sample {
        let pressure = |what: &str| self.read(format!("pressure/{what}"));
        let (cpu, memory, io) = (pressure("cpu"), pressure("memory"), pressure("io"));
        let meminfo = self.read("meminfo");
        let kib = |key: &str| number(&meminfo, key).map(|kib| kib * 1024);
        let disk = rustix::fs::statvfs(&self.data).ok();
        let netfilter = |name: &str| self.read(format!("sys/net/netfilter/{name}")).trim().parse().ok();
        Sample {
            at,
            node: self.name.clone(),
            cpu_some: average(&cpu, "some"),
            memory_some: average(&memory, "some"),
            memory_full: average(&memory, "full"),
            io_some: average(&io, "some"),
            io_full: average(&io, "full"),
            load: self.read("loadavg").split(' ').next().and_then(|load| load.parse().ok()),
            memory_available: kib("MemAvailable:"),
            swap_free: kib("SwapFree:"),
            oom_kills: number(&self.read("vmstat"), "oom_kill"),
            disk_free: disk.as_ref().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            inodes_free: disk.map(|disk| disk.f_favail),
            connections: netfilter("nf_conntrack_count"),
            connections_max: netfilter("nf_conntrack_max"),
        }
    }

    fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.proc.join(name)).unwrap_or_default()
    }
}

/// The 10 s average from a line such as `some avg10=1.23 avg60=...`.
fn average(text: &str, kind: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

/// The number after `key`, which is the first word of its line.
fn number(text: &str, key: &str) -> Option<u64> {
    let mut words = text.lines().map(str::split_whitespace);
    words.find_map(|mut words| (words.next() == Some(key)).then(|| words.next()?.parse().ok()).flatten())
}

/// Keeps fewer than `most` samples, evenly spread over the whole recording. Whenever it is full it drops every second
/// sample, and from then on takes only half as many.
pub struct Thinned {
    pub kept: Vec<Sample>,
    most: usize,
    stride: u64,
    count: u64,
}

impl Thinned {
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, stride: 1, count: 0 }
    }

    pub fn push(&mut self, sample: Sample) {
        self.count += 1;
        if !(self.count - 1).is_multiple_of(self.stride) {
            return;
        }
        self.kept.push(sample);
        if self.kept.len() >= self.most {
            let mut even = false;
            self.kept.retain(|_| {
                even = !even;
                even
            });
            self.stride *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_leaves_out_the_rest() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("pressure")).unwrap();
        let write = |name: &str, text: &str| fs::write(proc.path().join(name), text).unwrap();
        write("pressure/memory", "some avg10=1.50 avg60=0.00 total=1\nfull avg10=0.25 avg60=0.00 total=1\n");
        write("meminfo", "MemTotal: 9 kB\nMemAvailable:   2048 kB\n");
        write("loadavg", "0.52 0.58 0.59 1/597 1234\n");
        write("vmstat", "oom_kill 3\noom_kill_x 4\n");
        let sample = Sampler::new(proc.path(), proc.path(), "n").sample("t".into());
        assert_eq!((sample.memory_some, sample.memory_full, sample.cpu_some), (Some(1.5), Some(0.25), None));
        assert_eq!(
            (sample.memory_available, sample.load, sample.oom_kills),
            (Some(2 << 20), Some(0.52), Some(3))
        );
        assert!(sample.disk_free.is_some());
    }

    #[test]
    fn hours_of_samples_stay_few_and_even() {
        let mut thinned = Thinned::new(100);
        (0..10_000).for_each(|n: u32| thinned.push(Sample { load: Some(n.into()), ..Sample::default() }));
        let loads: Vec<f64> = thinned.kept.iter().filter_map(|sample| sample.load).collect();
        assert!(loads.len() < 100 && loads.len() > 30 && loads[0] == 0.0);
        let step = loads[1] - loads[0];
        assert!(loads.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() < 0.5), "{loads:?}");
    }
}
