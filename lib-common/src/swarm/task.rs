//! States of the swarm's tasks.

/// Whether a task in `state` has ended for good. The swarm still lists such a task for a while, but its addresses are
/// free.
#[must_use]
pub fn has_ended(state: &str) -> bool {
    matches!(state, "complete" | "shutdown" | "failed" | "rejected" | "remove" | "orphaned")
}

#[cfg(test)]
mod tests {
    use super::has_ended;

    #[test]
    fn what_may_still_run_has_not_ended() {
        for state in ["complete", "shutdown", "failed", "rejected", "remove", "orphaned"] {
            assert!(has_ended(state), "{state}");
        }
        for state in ["new", "pending", "assigned", "preparing", "ready", "starting", "running", "odd", ""] {
            assert!(!has_ended(state), "{state}");
        }
    }
}
