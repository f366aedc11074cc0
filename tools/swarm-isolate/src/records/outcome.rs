//! Decides the outcome from the way the command ended, with a reason unless it is a plain pass or fail. No I/O.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use lib_common::record::run::Outcome;

use crate::clean::Taken;
use crate::command::check::Checked;
use crate::finished::End;
use crate::slot::Hold;

type Judged = (Outcome, Option<String>);

pub fn of(end: &End, checked: Option<&Checked>) -> Judged {
    match end {
        End::Exited(status) => exited(*status, checked),
        End::Timeout => because(Outcome::Timeout, "the command took longer than --timeout"),
        End::Idle => {
            because(Outcome::Timeout, "neither output nor progress of the stack's tasks for --idle-timeout")
        }
        End::Stopped(number) => because(Outcome::Aborted, format!("stopped by signal {number}")),
        End::Budget => because(Outcome::Aborted, "the budget was spent"),
        End::Unguarded => because(Outcome::Infra, "the guard died"),
        End::SlotLost(Hold::NotRenewed) => {
            because(Outcome::Disturbed, "the engine was away for too long: the slot could not be renewed")
        }
        End::SlotLost(_) => because(Outcome::Disturbed, "somebody else took the slot"),
        End::Taken(Taken::Live(what)) => because(Outcome::Fail, format!("namespace: {what}")),
        End::Taken(Taken::Leftover(what)) => {
            because(Outcome::Disturbed, format!("not a clean start: {what}"))
        }
        End::NotStarted(cause) => because(Outcome::Infra, format!("the command could not run: {cause}")),
    }
}

/// The outcome of a command that exited. `--check` overrules pass and fail of the exit code, but not a code that says
/// that the harness could not run.
fn exited(status: ExitStatus, checked: Option<&Checked>) -> Judged {
    let plain = match status.code() {
        Some(0) => (Outcome::Pass, None),
        // 125 to 127 are the codes of `env` and `docker run` for a command that never ran; 75 is our own "try again".
        Some(code @ (75 | 125..=127)) => {
            because(Outcome::Infra, format!("the command could not run (exit {code})"))
        }
        // 128 + SIGALRM and 128 + SIGTERM: the harness was stopped by its own alarm, or cancelled.
        Some(142) => because(Outcome::Timeout, "the harness reached its own deadline (exit 142)"),
        Some(143) => because(Outcome::Aborted, "the harness was cancelled (exit 143)"),
        Some(_) => (Outcome::Fail, None),
        None => because(Outcome::Infra, format!("the command died: {status}")),
    };
    match checked {
        Some(_) if !matches!(plain.0, Outcome::Pass | Outcome::Fail) => plain,
        None => plain,
        Some(Checked::Pass) => (Outcome::Pass, None),
        Some(Checked::Fail(why)) => because(Outcome::Fail, why.clone()),
        Some(Checked::Undecided(why)) => because(Outcome::Infra, why.clone()),
    }
}

fn because(outcome: Outcome, why: impl Into<String>) -> Judged {
    (outcome, Some(why.into()))
}

/// The command's exit code and the signal that ended it, as far as there are any.
pub fn codes(end: &End) -> (Option<i32>, Option<i32>) {
    match end {
        End::Exited(status) => (status.code(), status.signal()),
        End::Stopped(number) => (None, Some(*number)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn every_end_is_told_apart() {
        let killed = End::Exited(ExitStatus::from_raw(9));
        for (end, outcome, why) in [
            (exit(0), Outcome::Pass, ""),
            (exit(1), Outcome::Fail, ""),
            (exit(75), Outcome::Infra, "could not run (exit 75)"),
            (exit(127), Outcome::Infra, "exit 127"),
            (exit(142), Outcome::Timeout, "own deadline"),
            (exit(143), Outcome::Aborted, "cancelled"),
            (killed, Outcome::Infra, "died: signal: 9"),
            (End::Timeout, Outcome::Timeout, "--timeout"),
            (End::Idle, Outcome::Timeout, "--idle-timeout"),
            (End::Stopped(2), Outcome::Aborted, "signal 2"),
            (End::SlotLost(Hold::Taken), Outcome::Disturbed, "somebody else took the slot"),
            (End::SlotLost(Hold::NotRenewed), Outcome::Disturbed, "could not be renewed"),
            (End::Unguarded, Outcome::Infra, "the guard died"),
            (End::Taken(Taken::Live("domain x".into())), Outcome::Fail, "namespace: domain x"),
            (End::Taken(Taken::Leftover("service y".into())), Outcome::Disturbed, "not a clean start"),
            (End::NotStarted("no pty".into()), Outcome::Infra, "no pty"),
        ] {
            let (found, reason) = of(&end, None);
            let reason = reason.unwrap_or_default();
            assert_eq!(found, outcome, "{end:?}");
            assert!(reason.contains(why) && reason.is_empty() == why.is_empty(), "{end:?}: {reason}");
        }
    }

    #[test]
    fn a_check_decides_where_the_harness_ran() {
        let fail = Checked::Fail("not promoted".into());
        let undecided = Checked::Undecided("jq is missing".into());
        for (end, checked, outcome) in [
            (exit(0), &fail, Outcome::Fail),
            (exit(1), &Checked::Pass, Outcome::Pass),
            (exit(0), &undecided, Outcome::Infra),
            (exit(127), &Checked::Pass, Outcome::Infra),
            (exit(142), &Checked::Pass, Outcome::Timeout),
            (End::Timeout, &Checked::Pass, Outcome::Timeout),
        ] {
            assert_eq!(of(&end, Some(checked)).0, outcome, "{end:?} {checked:?}");
        }
    }
}
