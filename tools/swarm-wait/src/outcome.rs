//! Turns the end of the wait into a record, and into an exit code with a message for people. No I/O.

use std::time::Duration;

use lib_common::record::stack::{ServiceSeen, StackChecked, StackState, Wedge};
use lib_common::redact::Redactor;
use lib_common::text::Text;
use lib_common::{Error, Exit, Result};

use crate::facts::Service;
use crate::history::Stuck;
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

/// The `stack.checked` record of this outcome. `services` are those of the last look.
pub fn record(
    stack: &str,
    outcome: &Outcome,
    services: &[(Service, Judgement)],
    waited: Duration,
    attempt_id: Option<String>,
) -> StackChecked {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let mut text = |text: &str| Text(redactor.text(text.as_bytes()));
    let (state, cause, message, service) = match outcome {
        Outcome::Converged => (StackState::Converged, None, None, None),
        Outcome::Stuck(why) => {
            (StackState::Wedged, Some(why.wedge), Some(text(&why.message)), why.service.clone())
        }
        Outcome::Deadline(missing) => (StackState::Deadline, None, Some(text(missing)), None),
    };
    let seen = services.iter().map(|(service, judged)| ServiceSeen {
        name: service.name.clone(),
        up: judged.up,
        wanted: judged.wanted,
        missing: judged.missing.as_deref().map(&mut text),
    });
    StackChecked {
        stack: stack.to_owned(),
        state,
        cause,
        service,
        services: seen.collect(),
        waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        attempt_id,
        message,
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
        Wedge::UpdatePaused => "continue the update with 'docker service update --force', or deploy anew",
        Wedge::RolledBack => "the new spec failed and the old one runs again: deploy a repaired spec",
        Wedge::NotReady => "see what --ready prints",
        Wedge::Idle => "if the service really starts that quietly, wait longer with --idle-timeout",
    }
}
