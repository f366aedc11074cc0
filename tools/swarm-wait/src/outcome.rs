//! Turns the end of the wait into a record, and into an exit code with a message for people. No I/O.

use std::time::Duration;

use lib_common::record::stack::{ServiceSeen, ServiceState, StackChecked, StackState, Wedge};
use lib_common::redact::Redactor;
use lib_common::text::Text;
use lib_common::{Error, Exit, Result};
use tokio::time::Instant;

use crate::facts::Service;
use crate::history::{History, Stuck};
use crate::judge::Judgement;

/// The activity that the tool's error messages begin with.
pub const DOING: &str = "waiting for the stack";

/// How the wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Converged,
    Stuck(Stuck),
    /// The deadline passed; the text says what the stack still lacked.
    Deadline(String),
}

/// What the wait saw last, and how long it took.
pub struct Seen<'a> {
    pub services: &'a [(Service, Judgement)],
    pub history: &'a History,
    pub waited: Duration,
}

/// The `stack.checked` record of this outcome.
pub fn record(stack: &str, outcome: &Outcome, seen: &Seen, attempt_id: Option<String>) -> StackChecked {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let mut text = |text: &str| Text(redactor.text(text.as_bytes()));
    let (state, cause, message, service) = match outcome {
        Outcome::Converged => (StackState::Converged, None, None, None),
        Outcome::Stuck(why) => {
            (StackState::Wedged, Some(why.wedge), Some(text(&why.message)), why.service.clone())
        }
        Outcome::Deadline(missing) => (StackState::Deadline, None, Some(text(missing)), None),
    };
    let restarts = |service: &Service| seen.history.restarts(&service.name);
    let services = seen.services.iter().map(|(service, judged)| ServiceSeen {
        name: service.name.clone(),
        up: judged.up,
        wanted: judged.wanted,
        state: Some(judged.state),
        restarts: Some(restarts(service)),
        missing: judged.missing.as_deref().map(&mut text),
    });
    let watched = seen.history.watched(Instant::now()).filter(|_| *outcome == Outcome::Converged);
    StackChecked {
        stack: stack.to_owned(),
        state,
        cause,
        service,
        services: services.collect(),
        waited_ms: u64::try_from(seen.waited.as_millis()).unwrap_or(u64::MAX),
        watched_s: watched.map(|watched| watched.as_secs()),
        restarts: Some(seen.services.iter().map(|(service, _)| restarts(service)).sum()),
        attempt_id,
        message,
    }
}

/// For how long everything stood, in words; of a stack that converged and runs.
pub fn stood(outcome: &Outcome, record: &StackChecked) -> Option<String> {
    let watched = record.watched_s.filter(|_| *outcome == Outcome::Converged)?;
    let restarts = match record.restarts {
        None | Some(0) => "no restart seen".to_owned(),
        Some(1) => "after 1 restart".to_owned(),
        Some(count) => format!("after {count} restarts"),
    };
    Some(format!("{} has converged: up for {watched} s, {restarts}", record.stack))
}

/// A line for each service: its name, its state, since when, its restarts, and what it lacks.
pub fn table(seen: &Seen) -> Vec<String> {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let width = seen.services.iter().map(|(service, _)| service.name.len()).max().unwrap_or_default();
    let now = Instant::now();
    let line = |(service, judged): &(Service, Judgement)| {
        let since = seen.history.since(&service.name);
        let since =
            since.map_or_else(|| "-".into(), |since| format!("{} s", now.duration_since(since).as_secs()));
        let missing = judged.missing.clone().unwrap_or_default();
        let missing = String::from_utf8_lossy(&redactor.text(missing.as_bytes())).into_owned();
        let (name, state) = (&service.name, word(judged.state));
        let restarts = seen.history.restarts(name);
        let line = format!("  {name:width$}  {state:8}  {since:>7}  {restarts:3} restarts  {missing}");
        line.trim_end().to_owned()
    };
    seen.services.iter().map(line).collect()
}

/// A service's state, for people.
pub fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => "up",
        ServiceState::Resting => "resting",
        ServiceState::Starting => "starting",
        ServiceState::Down => "down",
        ServiceState::Empty => "empty",
        ServiceState::Unknown => "unknown",
    }
}

/// Exit code 0, 1 or 75. Messages quote the record, whose texts are redacted, never the engine's own words.
pub fn exit(outcome: &Outcome, record: &StackChecked) -> Result<Exit> {
    let told = record.message.as_ref().map(|text| text.lossy().into_owned()).unwrap_or_default();
    let on = match &record.service {
        Some(service) => format!("{}_{service}", record.stack),
        None => record.stack.clone(),
    };
    match outcome {
        Outcome::Converged => Ok(Exit::Done),
        Outcome::Stuck(why) => Err(Error::no(DOING, told).on(on).hint(hint(why.wedge))),
        Outcome::Deadline(_) => Err(Error::again(DOING, told).on(on).hint("wait longer with --deadline")),
    }
}

fn hint(wedge: Wedge) -> &'static str {
    match wedge {
        Wedge::CrashLoop | Wedge::SameError | Wedge::GaveUp => {
            "see 'docker service logs' and 'docker service ps --no-trunc'"
        }
        Wedge::ImageMissing => "build, load or push the image, or correct its name",
        Wedge::NoSuitableNode => "check the service's constraints, reservations and host-mode ports",
        Wedge::NoFreeAddress => "give the network a larger subnet, or remove what leaked addresses on it",
        Wedge::NothingAsked => "scale a service up; or --allow-empty, where something else starts it",
        Wedge::UpdatePaused => "continue the update with 'docker service update --force', or deploy anew",
        Wedge::RolledBack => "the new spec failed and the old one runs again: deploy a repaired spec",
        Wedge::NotReady => "see what --ready prints",
        Wedge::Idle => "if the service really starts that quietly, wait longer with --idle-timeout",
    }
}
