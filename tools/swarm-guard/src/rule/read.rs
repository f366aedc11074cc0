//! Rules for calls that only read: all are allowed, except for contents of other owners' objects (logs, files) and the
//! swarm's join tokens.

#![allow(clippy::unnecessary_wraps)] // rules have one signature

use crate::ask::Ask;
use crate::decision::{Answer, Decision, Forward, Kind};

/// Lists and descriptions.
pub fn free(ask: &Ask) -> Decision {
    Ok(ask.forward())
}

/// Describes the swarm, without its join tokens.
pub fn swarm(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Scrubbed, ..ask.forward() })
}

pub fn own_container(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Container)? })
}

pub fn own_service(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Service)? })
}

pub fn own_task(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Task)? })
}
