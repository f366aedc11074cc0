//! A table of services (mode, update, tasks) and the judgement that each must get.

use std::time::Duration;

use super::*;
use Mode::{Global, GlobalJob, Replicated, ReplicatedJob};

/// Reads a task from `slot:desired:state[:old][:lost]`, such as `1:running:starting`.
fn task(text: &str) -> Task {
    let mut parts = text.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let (slot, desired, state) = (next(), next(), next());
    let state = match state {
        "new" => State::New,
        "pending" => State::Pending,
        "ready" => State::Ready,
        "starting" => State::Starting,
        "running" => State::Running,
        "complete" => State::Complete,
        "shutdown" => State::Shutdown,
        "failed" => State::Failed,
        other => panic!("{other}"),
    };
    Task {
        id: text.into(),
        slot: slot.into(),
        desired: desired.into(),
        state,
        error: String::new(),
        intended: !text.contains(":old"),
        lost: text.contains(":lost"),
        addresses: vec![],
    }
}

pub fn service(mode: Mode, update: &str, tasks: &str) -> Service {
    Service {
        id: "i".into(),
        name: "app".into(),
        mode,
        update: (!update.is_empty()).then(|| (update.to_owned(), String::new())),
        one_shot: false,
        checked: false,
        start_period: Duration::ZERO,
        networks: vec![],
        tasks: tasks.split_whitespace().map(task).collect(),
    }
}

/// Description; mode, update and tasks; how many are up and wanted; part of `missing`, or "" for converged.
type Row = (&'static str, Mode, &'static str, &'static str, u64, u64, &'static str);

#[rustfmt::skip] // a row a line
const TABLE: &[Row] = &[
    ("up", Replicated(1), "", "1:running:running", 1, 1, ""),
    ("up after an update", Replicated(1), "completed", "1:running:running 1:shutdown:shutdown:old", 1, 1, ""),
    ("nothing yet", Replicated(1), "", "", 0, 1, "0 of 1 up"),
    ("starting", Replicated(2), "", "1:running:running 2:running:starting", 1, 2, "1 of 2 up: 1 starting"),
    ("restarting", Replicated(1), "", "1:shutdown:failed 1:ready:ready", 0, 1, "1 ready"),
    ("no replicas", Replicated(0), "", "", 0, 0, ""),
    ("no replicas, one still stopping", Replicated(0), "", "1:shutdown:running", 0, 0, "1 of before"),
    ("scaled down, not seen yet", Replicated(1), "", "1:running:running 2:running:running", 2, 1, "1 too many"),
    ("the update has not begun", Replicated(1), "", "1:running:running:old", 0, 1, "0 of 1 up"),
    ("start-first: old and new", Replicated(1), "updating", "1:running:running 1:running:running:old", 1, 1, "updating"),
    ("the old one still stopping", Replicated(1), "completed", "1:running:running 1:shutdown:running:old", 1, 1, "1 of before"),
    ("the old one on a dead node", Replicated(1), "completed", "1:running:running 1:shutdown:running:old:lost", 1, 1, ""),
    ("itself on a dead node", Replicated(1), "", "1:running:running:lost", 0, 1, "0 of 1"),
    ("updating with all up", Replicated(1), "updating", "1:running:running", 1, 1, "updating"),
    ("paused and yet all up", Replicated(1), "paused", "1:running:running", 1, 1, ""),
    ("global", Global, "", "n1:running:running n2:running:running", 2, 2, ""),
    ("global on its way", Global, "", "n1:running:running n2:running:pending", 1, 2, "1 of 2 up: 1 pending"),
    ("global without a node", Global, "", "", 0, 0, "0 of 0 up"),
    ("global, a node lost", Global, "", "n1:running:running n2:running:running:lost", 1, 1, ""),
    ("job done", ReplicatedJob(2), "", "a:complete:complete b:complete:complete", 2, 2, ""),
    ("job half done", ReplicatedJob(2), "", "a:complete:complete b:complete:running", 1, 2, "1 of 2 up"),
    ("job of before", ReplicatedJob(1), "", "a:complete:complete:old", 0, 1, "0 of 1"),
    ("job with no completions", ReplicatedJob(0), "", "", 0, 0, ""),
    ("global job", GlobalJob, "", "n1:complete:complete n2:complete:complete", 2, 2, ""),
    ("global job not begun", GlobalJob, "", "", 0, 1, "0 of 1"),
    ("global job on its way", GlobalJob, "", "n1:complete:complete n2:complete:starting", 1, 2, "1 starting"),
];

#[test]
fn the_table() {
    for (what, mode, update, tasks, up, wanted, missing) in TABLE.iter().copied() {
        let judged = judge(&service(mode, update, tasks));
        assert_eq!((judged.up, judged.wanted), (up, wanted), "{what}");
        match (&judged.missing, missing) {
            (None, "") => {}
            (Some(text), part) if !part.is_empty() && text.contains(part) => {}
            (other, _) => panic!("{what}: {other:?} instead of {missing:?}"),
        }
        assert_eq!(judged.wedge, None, "{what}");
    }
}

#[test]
fn what_will_never_converge() {
    for (what, count, update, tasks, wedge) in [
        ("rolled back looks like success", 1, "rollback_completed", "1:running:running", Wedge::RolledBack),
        ("rolling back", 1, "rollback_started", "1:running:running", Wedge::RolledBack),
        ("stuck in the rollback", 1, "rollback_paused", "1:running:running", Wedge::RolledBack),
        ("paused half-way", 2, "paused", "1:running:starting 2:running:running:old", Wedge::UpdatePaused),
    ] {
        let judged = judge(&service(Replicated(count), update, tasks));
        assert_eq!(judged.wedge.map(|(wedge, _)| wedge), Some(wedge), "{what}");
    }
    let judged = judge(&service(Replicated(1), "paused", "1:running:starting 1:shutdown:shutdown:old"));
    assert_eq!(judged.wedge, None, "what the paused update has changed may still come up");
}

#[test]
fn a_one_shot_service_may_rest() {
    let one_shot = |mode, tasks| Service { one_shot: true, ..service(mode, "", tasks) };
    assert_eq!(judge(&one_shot(Mode::Replicated(1), "1:shutdown:complete")).missing, None);
    assert_eq!(judge(&one_shot(Mode::Global, "n1:shutdown:complete n2:running:running")).up, 2);
    let again = judge(&one_shot(Mode::Replicated(1), "1:shutdown:complete 1:running:starting"));
    assert_eq!((again.up, again.wanted), (0, 1), "it is not at rest yet");
    assert!(judge(&one_shot(Mode::Replicated(1), "1:shutdown:failed")).missing.is_some());
    assert!(
        judge(&service(Mode::Replicated(1), "", "1:shutdown:complete")).missing.is_some(),
        "not meant to end"
    );
}
