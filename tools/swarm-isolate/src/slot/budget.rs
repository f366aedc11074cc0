//! Computes how much of `--budget` is left, and whether another run fits into it. No I/O.

use std::time::Duration;

use tokio::time::Instant;

/// When this call must end, and how much time before that a run's teardown needs.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    end: Option<Instant>,
    reserve: Duration,
}

impl Budget {
    /// `total` is `--budget`; without one there is no limit.
    pub fn new(total: Option<Duration>, reserve: Duration, now: Instant) -> Self {
        Self { end: total.map(|total| now + total), reserve }
    }

    /// Why no further run may start; `longest` is the longest run so far.
    pub fn forbids(&self, longest: Duration, now: Instant) -> Option<String> {
        let left = self.end?.saturating_duration_since(now);
        let needed = longest + self.reserve;
        (left <= needed).then(|| {
            let (left, needed) = (left.as_secs(), needed.as_secs());
            format!("{left} s are left, and a run with its teardown may need {needed} s")
        })
    }

    /// When a command must end so that its teardown still fits.
    pub fn command_end(&self) -> Option<Instant> {
        self.end.map(|end| end.checked_sub(self.reserve).unwrap_or(end))
    }

    /// `wait`, cut to the time at which a command would have to end anyway.
    pub fn cap(&self, wait: Duration, now: Instant) -> Duration {
        self.command_end().map_or(wait, |end| wait.min(end.saturating_duration_since(now)))
    }

    /// Returns when a command must end; without a budget it never returns.
    pub async fn spent(&self) {
        match self.command_end() {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_run_must_fit_with_its_teardown() {
        let now = Instant::now();
        let budget = Budget::new(Some(MINUTE * 10), MINUTE * 2, now);
        assert_eq!(budget.forbids(Duration::ZERO, now), None);
        assert_eq!(budget.forbids(MINUTE * 7, now), None);
        assert!(budget.forbids(MINUTE * 8, now).unwrap().contains("600 s are left"));
        assert!(budget.forbids(Duration::ZERO, now + MINUTE * 8).is_some());
        assert!(budget.forbids(Duration::ZERO, now + MINUTE * 99).is_some());
        assert_eq!(budget.cap(MINUTE * 60, now + MINUTE), MINUTE * 7);
        assert_eq!(budget.cap(MINUTE, now), MINUTE);
        assert_eq!(budget.cap(MINUTE, now + MINUTE * 99), Duration::ZERO);
    }

    #[test]
    fn without_a_budget_nothing_is_forbidden() {
        let now = Instant::now();
        let budget = Budget::new(None, MINUTE, now);
        assert_eq!((budget.forbids(MINUTE, now), budget.command_end()), (None, None));
        assert_eq!(budget.cap(MINUTE, now), MINUTE);
    }
}
