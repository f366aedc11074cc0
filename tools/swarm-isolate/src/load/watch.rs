//! Measures the node's load while the call waits for slots, so that a run need not wait again for a measurement.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::machine;
use super::sampler::Load;
use crate::proc;

/// Time between two samples.
const EVERY: Duration = Duration::from_millis(50);
/// Length of the window that is averaged over.
const WINDOW: Duration = Duration::from_secs(2);
/// Shortest window that gives a share: the kernel counts in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(100);

type Sample = (Instant, f64);

/// Samples until it is dropped. Nothing of the run exists yet, so everything but this tool itself is foreign.
pub struct Watch {
    window: watch::Receiver<Option<f64>>,
    task: JoinHandle<()>,
}

impl Watch {
    pub fn start() -> Self {
        let (send, window) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut past = Past::default();
            loop {
                if let Some(busy) = foreign_busy() {
                    past.push((Instant::now(), busy));
                }
                let _ = send.send(past.share());
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { window, task }
    }

    /// The load over the last two seconds, or since the start if that is shorter. `None` if `/proc` cannot be read.
    pub async fn look(&mut self) -> Option<Load> {
        let known = self.window.wait_for(Option::is_some);
        let foreign_cpu = (*tokio::time::timeout(WINDOW, known).await.ok()?.ok()?)?;
        let pressures = machine::containers().into_values().filter_map(|place| place.pressure());
        Some(Load {
            foreign_cpu,
            cpu_pressure: proc::cpu_pressure().unwrap_or_default(),
            foreign_pressure: pressures.reduce(f64::max),
            ..Load::default()
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn foreign_busy() -> Option<f64> {
    Some(proc::node_busy()? - proc::own_cpu().unwrap_or_default())
}

#[derive(Debug, Default)]
struct Past(VecDeque<Sample>);

impl Past {
    fn push(&mut self, sample: Sample) {
        self.0.push_back(sample);
        while self.0.get(1).is_some_and(|second| sample.0.duration_since(second.0) >= WINDOW) {
            self.0.pop_front();
        }
    }

    /// Mean share of the node's CPUs, once the window is long enough.
    fn share(&self) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let wall = last.0.duration_since(first.0);
        let share = (last.1 - first.1) / (wall.as_secs_f64() * proc::cpus());
        (wall >= SHORTEST).then_some(share.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_two_seconds_count() {
        let (mut past, start) = (Past::default(), Instant::now());
        past.push((start, 100.0));
        assert_eq!(past.share(), None, "one look is no stretch of time");
        past.push((start + Duration::from_mins(1), 160.0 * proc::cpus()));
        past.push((start + Duration::from_secs(62), 161.0 * proc::cpus()));
        assert!((past.share().unwrap() - 0.5).abs() < 1e-6, "{past:?}");
    }
}
