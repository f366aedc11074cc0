//! What a task's end or error means: whether anything that the stack does can still cure it. No I/O.

use lib_common::record::stack::Wedge;

use crate::facts::{Condition, Mode, Service, State, Task};

/// What is said of a task whose command ended with 0 although the service is meant to stay up.
pub const ENDED: &str = "its command ended with 0";

/// Whether the task ended although it was to stay. A job's task is to complete; one that the engine shut down is
/// in a state of its own.
pub fn has_ended(service: &Service, task: &Task) -> bool {
    task.state.is_failure()
        || (task.state == State::Complete
            && !service.mode.is_job()
            && (service.restart.condition != Condition::None || service.leans.is_some()))
}

/// Whether the engine is replacing the service's tasks.
pub fn is_updating(service: &Service) -> bool {
    service.update.as_ref().is_some_and(|(state, _)| state == "updating")
}

/// A global service gets a task on each node that fits. None at all means that none does.
pub fn no_node_fits(service: &Service) -> bool {
    matches!(service.mode, Mode::Global | Mode::GlobalJob) && service.tasks.is_empty()
}

/// Whether no node will ever fit, as the scheduler says it: `no suitable node (...)`. What is left out, such as a lack of
/// memory, may pass when somebody else's task ends.
pub fn is_hopeless(error: &str) -> bool {
    let parts = [
        "constraints not satisfied",
        "port already in use",
        "plugin",
        "unsupported platform",
        "max replicas",
    ];
    parts.iter().any(|part| error.contains(part))
}

/// Whether no progress of another service can cure this error.
pub fn is_static(error: &str) -> bool {
    kind_of(error) == Wedge::ImageMissing
}

pub fn kind_of(error: &str) -> Wedge {
    let error = error.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    let image =
        has(&["no such image", "manifest unknown", "pull access denied", "manifest for", "toomanyrequests"])
            || has(&[
                "failed to resolve reference",
                "unauthorized: ",
                "failed to do request",
                "no matching manifest",
            ]);
    if image {
        Wedge::ImageMissing
    } else if error == ENDED || has(&["non-zero exit", "unhealthy container", "task: non-zero"]) {
        Wedge::CrashLoop
    } else {
        Wedge::SameError
    }
}
