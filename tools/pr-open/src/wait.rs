//! Waits for CI's verdict on a commit (never on a branch, which may move), polling with one request each time and a
//! growing pause.

use std::time::{Duration, Instant};

use lib_common::diag::Diag;
use lib_common::record::pr::{CheckState, Context};
use lib_common::{Exit, Result};

use crate::checks::{Judgement, answers_after, judge};
use crate::cli::CiArgs;
use crate::forge::{Forge, Pull, Request};

/// How the wait ended.
pub struct Waited {
    /// The pull request as it was at the end.
    pub pull: Pull,
    pub state: CheckState,
    pub contexts: Vec<Context>,
    pub took: Duration,
}

impl Waited {
    /// 0 green, or merged meanwhile; 1 red or superseded; 75 still pending or never started.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.state {
            _ if self.pull.merged => Exit::Done,
            CheckState::Green => Exit::Done,
            CheckState::Red | CheckState::Superseded => Exit::No,
            CheckState::Pending | CheckState::None => Exit::Again,
        }
    }
}

/// Every so many looks the pull request is read instead of the statuses: it may have moved on. At the look after that the
/// comments are read, too: somebody may have asked again.
const LOOK_AT_PULL: u32 = 4;

/// Follows the statuses of `pull.head` that are newer than the newest request for a run, until they are decided and stay
/// so, the head is superseded, or time is up. A forge that is away is waited for as long as anything else.
pub fn wait(forge: &dyn Forge, pull: &Pull, ci: &CiArgs, diag: &Diag) -> Result<Waited> {
    let start = Instant::now();
    let newest_request = || forge.newest_request(pull.number, &ci.trigger, pull.asked.as_ref());
    let mut request: Option<Request> = None;
    let mut last = Judgement { state: CheckState::None, contexts: vec![] };
    let mut stands_since: Option<Instant> = None;
    let mut pause = ci.poll;
    for look in 1u32.. {
        let out_of_time = start.elapsed() >= ci.deadline;
        let mut see = || -> Result<Option<Poll>> {
            if look % LOOK_AT_PULL == 0 && stands_since.is_none() {
                return Ok(moved_on(&forge.pull(pull.number)?, pull).then_some(Poll::Moved));
            }
            if look % LOOK_AT_PULL == 1 {
                request = newest_request()?;
            }
            let statuses = forge.statuses(&pull.head)?;
            let after = answers_after(&statuses, pull.asked.as_ref(), request.as_ref());
            Ok(Some(Poll::Judged(judge(&statuses, after, &ci.require_context))))
        };
        match see() {
            Ok(Some(Poll::Moved)) => break,
            Ok(Some(Poll::Judged(now))) => {
                let settled = stands_since.filter(|_| now == last).unwrap_or_else(Instant::now);
                stands_since = decided(now.state).then_some(settled);
                last = now;
            }
            Ok(None) => {}
            Err(error) if error.exit() == Exit::Again && !out_of_time => diag.warn(&error),
            Err(error) => return Err(error),
        }
        let settle = if ci.require_context.is_empty() { ci.settle } else { Duration::ZERO };
        let stands = stands_since.is_some_and(|since| since.elapsed() >= settle);
        let silent = last.state == CheckState::None && start.elapsed() >= ci.first_wait;
        if stands && !out_of_time {
            let now = newest_request()?;
            if now != request {
                // Somebody asked again: what stands is the answer to an older question.
                (request, stands_since) = (now, None);
                last = Judgement { state: CheckState::Pending, contexts: vec![] };
                continue;
            }
        }
        if stands || silent || out_of_time {
            break;
        }
        diag.phase(format_args!(
            "{}: CI {} after {} s",
            pull.url,
            word(last.state),
            start.elapsed().as_secs()
        ));
        let left = ci.deadline.saturating_sub(start.elapsed());
        let pace = if stands_since.is_some() { ci.poll.max(settle / 4) } else { pause };
        std::thread::sleep(pace.min(left));
        pause = (pause * 3 / 2).min(ci.poll * 15);
    }
    // The head may have moved while we waited; then the statuses are about an older commit.
    let now = forge.pull(pull.number)?;
    let state = if moved_on(&now, pull) && !now.merged { CheckState::Superseded } else { last.state };
    Ok(Waited { pull: now, state, contexts: last.contexts, took: start.elapsed() })
}

/// The result of one poll.
enum Poll {
    Moved,
    Judged(Judgement),
}

fn moved_on(now: &Pull, then: &Pull) -> bool {
    now.head != then.head || !now.open
}

fn decided(state: CheckState) -> bool {
    matches!(state, CheckState::Green | CheckState::Red)
}

/// Describes a state for people.
#[must_use]
pub fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Green => "is green",
        CheckState::Red => "is red",
        CheckState::Pending => "is not done",
        CheckState::None => "has not started",
        CheckState::Superseded => "was overtaken",
    }
}
