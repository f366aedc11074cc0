//! Tests that measure isolation or load need a machine that does nothing else. On a busy machine they fail at once and say
//! why, instead of waiting for hours and then failing for another reason.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Largest share of the machine that may be busy: the limit that `swarm-isolate` sets for an isolated run.
const MOST: f64 = 0.35;
/// How long to wait for a calm machine: the processes of an earlier test have ended by then.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(2);

/// Clock ticks of all cores since boot, and how many of them were idle or waited for I/O (/proc/stat in proc(5)).
fn ticks() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").expect("/proc/stat");
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    (ticks.iter().take(8).sum(), ticks[3] + ticks[4])
}

/// How busy the machine is, measured over two seconds: 0 to 1.
#[must_use]
pub fn busy() -> f64 {
    let (all, idle) = ticks();
    sleep(LOOK);
    let (later, idle_later) = ticks();
    1.0 - (idle_later - idle) / (later - all).max(1.0)
}

/// Waits up to 15 seconds until the machine is calm.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn require() {
    let start = Instant::now();
    let mut seen = busy();
    while seen > MOST {
        assert!(
            start.elapsed() < PATIENCE,
            "the machine is not calm: {:.0} % of it is busy with something else, and this test measures isolation or load; \
             run it when nothing else runs",
            seen * 100.0
        );
        seen = busy();
    }
}
